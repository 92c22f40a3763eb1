"""Files are written whole or not at all, and what cannot be read is one sentence with a place and a remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from diffusion_lab.errors import LabError
from diffusion_lab.files import (
    alone,
    expanded,
    new_file,
    read_as,
    read_json,
    read_tensors,
    tensor_shapes,
    whole,
    whole_folder,
)
from diffusion_lab.places import find_model

ROOT = Path(__file__).resolve().parents[1]


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


@pytest.mark.parametrize("stop", [RuntimeError("half way"), KeyboardInterrupt(), OSError(28, "No space left"),
                                  SafetensorError("No space left")])  # fmt: skip
def test_what_breaks_off_leaves_what_was_there(tmp_path, stop):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(LabError if isinstance(stop, OSError | SafetensorError) else type(stop)), whole(path) as part:
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
def test_a_link_is_followed(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/other").write_text("before")
    (tmp_path / "a.txt").symlink_to("far/other")
    with whole(tmp_path / "a.txt") as part:
        part.write_text("mine")
    assert (tmp_path / "a.txt").is_symlink() and (tmp_path / "far/other").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="pipes as POSIX has them")
def test_what_is_no_file_stays_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LabError, match="something that is no file is there"), whole(tmp_path / "pipe") as part:
        part.write_text("x")
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes as POSIX has them")
@pytest.mark.parametrize("read", [read_json, read_tensors, tensor_shapes])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LabError, match="a thing was expected in .*pipe; .*it is no file.*; mend it"):
        read(tmp_path / "pipe", "a thing", "mend it")


def test_a_name_that_is_taken_is_told_before_anything_is_computed(tmp_path):
    (tmp_path / "a.png").write_text("before")
    (tmp_path / "folder.png").mkdir()
    for name, force in (("a.png", False), ("folder.png", False), ("folder.png", True)):
        with pytest.raises(LabError, match="exists already; give another name with --out or add --force"):
            with new_file(tmp_path / name, (".png",), force):
                raise AssertionError("something was computed")
    assert (tmp_path / "a.png").read_text() == "before"


def test_what_is_broken_is_told_in_its_own_words(tmp_path):
    for text, said in (("{", "broken (Expecting property name"), ("[1]", "broken (it holds a list)"),
                       ("\xe9", "broken ('utf-8' codec")):  # fmt: skip
        (tmp_path / "a.json").write_text(text, encoding="latin-1")
        with pytest.raises(LabError) as told:
            read_json(tmp_path / "a.json", "a thing", "mend it")
        assert f"a thing was expected in {tmp_path / 'a.json'}; the file is cut short or {said}" in str(told.value)
    with pytest.raises(LabError, match=r"broken \(KeyError: 'x'\); mend it"), read_as(tmp_path, "a thing", "mend it"):
        raise KeyError("x")
    with pytest.raises(LabError, match=r"short or broken \(odd\); mend it"), read_as(tmp_path, "a thing", "mend it"):
        raise OSError("odd")


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(LabError, match="File exists"), new_file(path, (".png",), False) as part:
        part.write_text("mine")
        path.write_text("another's")
    assert path.read_text() == "another's" and [file.name for file in tmp_path.iterdir()] == ["a.png"]
    with new_file(path, (".png",), True) as part:
        part.write_text("mine")
    assert path.read_text() == "mine"


def test_a_disk_without_links_keeps_it_too(tmp_path, monkeypatch):
    def none(*paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    with new_file(tmp_path / "a.png", (".png",), False) as part:
        part.write_text("mine")
    assert (tmp_path / "a.png").read_text() == "mine"
    with pytest.raises(LabError, match="File exists"), new_file(tmp_path / "b.png", (".png",), False) as part:
        part.write_text("mine")
        (tmp_path / "b.png").write_text("another's")
    assert (tmp_path / "b.png").read_text() == "another's"


def test_a_folder_takes_its_place_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "model"
    for text in ("first", "second"):
        with whole_folder(path) as part:
            assert part.parent.parent == path.parent and part.parent.name.startswith(".model.")
            assert part.parent.suffix == ".part" and not list(part.iterdir())
            (part / f"{text}.txt").write_text(text)
        assert [file.name for file in path.iterdir()] == [f"{text}.txt"]
        assert [folder.name for folder in path.parent.iterdir()] == ["model"]
    for stop, told in ((RuntimeError("half way"), RuntimeError), (OSError(28, "No space left"), LabError)):
        with pytest.raises(told), whole_folder(path) as part:
            (part / "third.txt").write_text("half")
            raise stop
        assert [file.name for file in path.iterdir()] == ["second.txt"] and len(list(path.parent.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
def test_what_is_written_is_as_open_as_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    with whole(tmp_path / "a.safetensors") as part:
        save_file({"x": torch.ones(2)}, part)
    with whole_folder(tmp_path / "model") as part:
        (part / "unet").mkdir()
        save_file({"x": torch.ones(2)}, part / "unet" / "a.safetensors")
    for name in ("a.safetensors", "model/unet/a.safetensors"):
        assert (tmp_path / name).stat().st_mode == (tmp_path / "any").stat().st_mode, name


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_folder_s_link_and_home_are_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("far")
    with whole_folder("~/near") as part:
        (part / "a.txt").write_text("mine")
    assert (tmp_path / "near").is_symlink() and (tmp_path / "far/a.txt").read_text() == "mine"


@pytest.mark.parametrize("there, said", [(True, "may not be written by you"), (False, "is none; make it")])
def test_a_folder_that_takes_nothing_is_told(tmp_path, monkeypatch, there, said):
    monkeypatch.setattr(os, "access", lambda place, how: False)
    folder = tmp_path if there else tmp_path / "none"
    with pytest.raises(LabError, match=said) as told, new_file(folder / "a.png", (".png",), False):
        raise AssertionError("something was computed")
    assert str(folder) in one_sentence(told)


def test_a_lock_that_somebody_took_away_hinders_nobody(tmp_path):
    with alone(tmp_path / "a", "a test"):
        (tmp_path / "a.lock").unlink()
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from diffusion_lab.files import alone, whole
with alone(sys.argv[1], "a test"), whole(sys.argv[1]) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_what_a_kill_left_is_taken_away_and_nobody_else_is_disturbed(tmp_path):
    path = tmp_path / "a.safetensors"
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT).returncode == -9
    assert len(list(tmp_path.glob(".*.part"))) == 1 and (tmp_path / "a.lock").exists()
    with alone(path, "a test"):
        assert [file.name for file in tmp_path.iterdir()] == ["a.lock"]
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT).returncode == -9
    with whole(path) as first, whole(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert set(tmp_path.glob(".*.part")) == {first.parent, second.parent}
    assert path.read_text() == "first" and {file.name for file in tmp_path.iterdir()} == {"a.safetensors", "a.lock"}


def test_only_one_works_at_a_file(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    with alone(path, "a training"):
        with pytest.raises(LabError, match="another process is at a training in .*new; wait"):
            alone(path, "a training").__enter__()
    with alone(path, "a training"):
        pass
    assert not list(path.parent.iterdir())
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match="the disk refused"), alone(tmp_path / "file" / "a", "a training"):
        pass


@pytest.mark.parametrize("path", ["a\0b", "\ud800.txt", b"bytes", ""])
def test_what_no_disk_can_name_is_no_path(path):
    with pytest.raises(LabError, match="path of a file or a folder was expected") as told:
        expanded(path)
    one_sentence(told)


@pytest.mark.skipif(os.name == "nt", reason="a folder in use stays there")
def test_a_working_folder_that_is_gone_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    for what in (lambda: read_json("a.json", "a thing", "make another"), lambda: find_model("nowhere"),
                 lambda: find_model(Path("x"))):
        with pytest.raises(LabError) as told:
            what()
        one_sentence(told)
    with pytest.raises(LabError, match="the disk refused"), whole("a.txt") as part:
        part.write_text("x")


def test_a_file_nested_too_deep_is_one_sentence(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(LabError, match="a thing was expected in .*deep.json; the file is cut short or broken") as told:
        read_json(tmp_path / "deep.json", "a thing", "make another")
    one_sentence(told)


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


@pytest.mark.parametrize("read", [read_json, read_tensors, tensor_shapes])
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
    assert tensor_shapes(tmp_path / "t", "a thing", "") == {"x": [3], "y": [2]}


def test_what_was_read_stays_what_it_was_when_the_file_changes(tmp_path):
    save_file({"x": torch.ones(9)}, tmp_path / "t")
    tensors, _ = read_tensors(tmp_path / "t", "a thing", "")
    (tmp_path / "t").write_bytes(bytes((tmp_path / "t").stat().st_size))
    assert tensors["x"].tolist() == [1] * 9


@pytest.mark.skipif(not sys.platform.startswith("linux") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    os.chmod(tmp_path / "a.json", 0)
    with pytest.raises(LabError, match="cannot be opened .Permission denied"):
        read_json(tmp_path / "a.json", "a thing", "")


def test_a_part_of_another_file_is_told_by_that_file_s_name(tmp_path):
    with pytest.raises(LabError, match="page.html was to be written") as told, whole(tmp_path / "page.html") as part:
        with whole(part) as inner:
            assert inner == part
            raise OSError("no space")
    assert ".part" not in str(told.value) and not list(tmp_path.iterdir())
