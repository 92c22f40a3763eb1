"""Files are written whole or not at all, and what cannot be read is one sentence with a place and a remedy."""

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from diffusion_lab.errors import LabError
from diffusion_lab.files import expanded, new_file, read_json, read_tensors, tensor_names, whole


def one_sentence(told: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(told.value) and 20 < len(str(told.value)) < 700
    return str(told.value)


def test_what_is_written_takes_its_place_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with whole(path) as part:
        assert part.name == "a.txt" and not part.exists() and part.parent.parent == path.parent
        part.write_text("first")
    assert path.read_text() == "first" and [file.name for file in path.parent.iterdir()] == ["a.txt"]
    with whole(path) as part:
        part.write_text("second")
    assert path.read_text() == "second" and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("stop", [RuntimeError("half way"), KeyboardInterrupt(), OSError(28, "No space left")])
def test_what_breaks_off_leaves_what_was_there(tmp_path, stop):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(LabError if isinstance(stop, OSError) else type(stop)), whole(path) as part:
        part.write_text("half")
        raise stop
    assert path.read_text() == "before" and [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
def test_the_place_is_new_each_time_and_its_owners_alone(tmp_path):
    places = set()
    for _ in range(3):
        with whole(tmp_path / "a.txt") as part:
            part.write_text("x")
            places.add(part)
            assert part.parent.stat().st_mode & 0o077 == 0
    assert len(places) == 3
    os.chmod(tmp_path / "a.txt", 0o600)
    before, umask = (tmp_path / "a.txt").stat().st_mode, os.umask(0o022)
    try:
        with whole(tmp_path / "a.txt") as part:
            part.write_text("y")
    finally:
        os.umask(umask)
    assert (before & 0o777, (tmp_path / "a.txt").stat().st_mode & 0o777) == (0o600, 0o644)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "other").write_text("somebody's")
    (tmp_path / "a.txt").symlink_to(tmp_path / "other")
    with whole(tmp_path / "a.txt") as part:
        part.write_text("mine")
    assert (tmp_path / "other").read_text() == "somebody's" and (tmp_path / "a.txt").read_text() == "mine"


def test_a_home_is_spelt_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with whole("~/a.txt") as part:
        part.write_text("at home")
    assert (tmp_path / "a.txt").read_text() == "at home" and expanded("~/a.txt") == tmp_path / "a.txt"
    for wrong in ("~nosuchuser/a.txt", None, 7):
        with pytest.raises(LabError, match="path of a file or a folder was expected") as told:
            expanded(wrong)
        one_sentence(told)


def refused(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").write_text("x")
    return {"a folder that is a file": tmp_path / "file" / "a.txt", "a folder": tmp_path,
            "300 letters": tmp_path / ("a" * 300)}  # fmt: skip


@pytest.mark.parametrize("what", ["a folder that is a file", "a folder", "300 letters"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, what):
    path = refused(tmp_path)[what]
    with pytest.raises(LabError, match="the disk refused") as told, whole(path) as part:
        part.write_text("x")
    assert one_sentence(told).startswith(f"{path} was to be written")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_name_too_long_for_a_command_is_one_sentence(tmp_path):
    with pytest.raises(LabError, match="a{300}") as told, new_file(tmp_path / f"{'a' * 300}.png", (".png",), False):
        pass
    one_sentence(told)


def broken(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    """Files that cannot be read, and what is said of each."""
    made = {name: tmp_path / name for name in ("missing", "words", "list", "bytes", "cut")}
    made["words"].write_text("these are words")
    made["list"].write_text("[1, 2]")
    made["bytes"].write_bytes(b"\xff\xfe{")
    save_file({"x": torch.zeros(100)}, tmp_path / "whole")
    made["cut"].write_bytes((tmp_path / "whole").read_bytes()[:200])
    said = {name: "is cut short or broken" for name in made} | {"missing": f"missing is missing in {tmp_path}"}
    return {name: (path, said[name]) for name, path in made.items()} | {"folder": (tmp_path, "cannot be opened|broken")}


@pytest.mark.parametrize("read", [read_json, read_tensors, tensor_names])
@pytest.mark.parametrize("fault", ["missing", "words", "list", "bytes", "cut", "folder"])
def test_what_cannot_be_read_is_one_sentence(tmp_path, read, fault):
    path, said = broken(tmp_path)[fault]
    with pytest.raises(LabError, match=said) as told:
        read(path, "a thing", "make another")
    sentence = one_sentence(told)
    assert sentence.startswith(f"a thing was expected in {path}") and sentence.endswith("; make another")


def test_a_relative_path_is_told_with_the_folder_it_was_looked_for_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match="is missing in") as told:
        read_json("a.json", "a thing", "make another")
    assert str(tmp_path) in str(told.value)


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"ä": 1}', encoding="utf-8")
    assert read_json(tmp_path / "a.json", "a thing", "") == {"ä": 1}
    save_file({"x": torch.arange(3), "y": torch.zeros(2)}, tmp_path / "t", metadata={"about": "it"})
    tensors, metadata = read_tensors(tmp_path / "t", "a thing", "")
    assert tensors["x"].tolist() == [0, 1, 2] and set(tensors) == {"x", "y"} and metadata == {"about": "it"}
    assert sorted(tensor_names(tmp_path / "t", "a thing", "")) == ["x", "y"]


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    os.chmod(tmp_path / "a.json", 0)
    with pytest.raises(LabError, match="cannot be opened .Permission denied"):
        read_json(tmp_path / "a.json", "a thing", "")
