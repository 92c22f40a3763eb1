"""The commands as a learner types them: what they write, and one sentence for what a learner can get wrong."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image

from diffusion_lab import LabError
from diffusion_lab import __main__ as entry
from diffusion_lab.__main__ import main
from diffusion_lab.commands import doctor, draw, environment, lab, recipe
from diffusion_lab.files import alone, new_file
from diffusion_lab.recipes import points as points_recipe
from diffusion_lab.recipes._toys import STATE
from diffusion_lab.schedules import SCHEDULES
from diffusion_lab.toy import FILES
from diffusion_lab.training import Checkpoint
from diffusion_lab.worlds import icons, points

ROOT = Path(__file__).resolve().parents[1]


def run(*words, cwd=ROOT, code="", **env) -> tuple[int, str, str]:
    """Run a command in a process of its own; return its exit code, what it said, and what it complained of."""
    start = ["-c", code] if code else ["-m", "diffusion_lab"]
    command = [sys.executable, *start, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, env=os.environ | env)
    return done.returncode, done.stdout, done.stderr


def here(capsys, *words) -> tuple[int, str, str]:
    """Run a command in this process, which spares the seconds of starting one."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def one_sentence(told: str) -> None:
    assert told.count("\n") == 1 and "Traceback" not in told and 20 < len(told) < 400, told


def test_without_a_command_it_names_them_all():
    code, out, err = run()
    assert (code, err) == (0, "")
    for name in ("lab", "doctor", "noise", "draw", "edit", "outpaint", "train", "evaluate", "setup"):
        assert f"\n  {name} " in out


def test_help_of_each_command_loads_nothing_heavy():
    code = """
import sys
from diffusion_lab.__main__ import COMMANDS, main
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as end:
        assert end.code == 0, name
assert not {"torch", "numpy", "matplotlib"} & set(sys.modules)
"""
    exit_code, out, err = run(code=code)
    assert (exit_code, err) == (0, "")
    assert "--guidance-scale" in out and "--schedule" in out and "--no-browser" in out


@pytest.mark.parametrize("name", [*SCHEDULES, "scaled_linear"])
def test_noise_goes_by_every_schedule_there_is(name, tmp_path, capsys):
    page = tmp_path / "noise.html"
    assert here(capsys, "noise", "cat", "--size", 8, "--schedule", name, "--out", page)[0] == 0
    assert page.exists()


def test_noise_writes_one_page_and_keeps_what_is_there(tmp_path, capsys):
    """Told on a terminal that cannot spell the page's name: there it is escaped."""
    page = tmp_path / "\u56fe.html"
    code, out, err = run("noise", "cat", "--size", 64, "--out", page, PYTHONIOENCODING="cp1252")
    assert (code, err) == (0, "") and str(tmp_path) in out and "\\u56fe.html: cat on its way" in out
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!") and "<img" in html and page.stat().st_size < 700_000
    code, _, err = here(capsys, "noise", "cat", "--size", 32, "--out", page)
    assert code == 2 and "--force" in err and page.read_text(encoding="utf-8") == html
    one_sentence(err)
    assert here(capsys, "noise", "cat", "--size", 32, "--out", page, "--force")[0] == 0
    assert page.read_text(encoding="utf-8") != html
    assert list(tmp_path.iterdir()) == [page]


def bad_photos(folder: Path) -> dict[str, Path]:
    """Files that are no picture, or only half of one."""
    Image.new("RGB", (64, 64), "red").save(folder / "whole.jpg")
    files = {
        "no picture": ("words.jpg", b"these are words"),
        "cut off": ("half.jpg", (folder / "whole.jpg").read_bytes()[:300]),
        "empty": ("empty.png", b""),
    }
    for name, data in files.values():
        (folder / name).write_bytes(data)
    made = {what: folder / name for what, (name, _) in files.items()}
    return made | {"not there": folder / "x.png", "a folder": folder}


@pytest.mark.parametrize("what", ["no picture", "cut off", "empty", "not there", "a folder"])
def test_noise_of_what_is_no_picture(what, tmp_path, capsys):
    photo = bad_photos(tmp_path)[what]
    code, out, err = here(capsys, "noise", photo, "--out", tmp_path / "noise.html")
    assert (code, out) == (2, "")
    one_sentence(err)
    assert not list(tmp_path.glob("*noise*"))


@pytest.mark.parametrize("words", ["--size 4", "--size 5000", "--out nowhere/noise.html", "--out noise.txt",
                                   "--schedule quick"])
def test_noise_with_options_that_cannot_be(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = here(capsys, "noise", "cat", *words.split())
    assert code == 2
    one_sentence(err)
    assert not list(tmp_path.iterdir())


def test_a_lesson_for_colab_begins_with_the_course(tmp_path, capsys, monkeypatch):
    """The first cell runs as Colab's IPython reads it; every cell after it is the lesson's."""
    out, done = tmp_path / "01.ipynb", []
    assert main(["colab", "01", "https://example.org/me/course.git", "--out", str(out)]) == 0
    made = nbformat.read(out, as_version=4)
    nbformat.validate(made)
    assert made.cells[1:] == nbformat.read(ROOT / "lessons" / "01_from_image_to_noise.ipynb", as_version=4).cells
    shell = SimpleNamespace(system=done.append, run_line_magic=lambda *words: done.append(words))
    widgets = SimpleNamespace(enable_custom_widget_manager=lambda: done.append("widgets"))
    monkeypatch.setitem(sys.modules, "google", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=widgets))
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(TransformerManager().transform_cell(made.cells[0].source), {"get_ipython": lambda: shell})
    cloned, installed, shown = done
    assert cloned.endswith("git clone --quiet --depth 1 https://example.org/me/course.git /content/course")
    assert installed == ("pip", "install --quiet --requirement /content/course/colab/requirements.txt")
    assert sys.path[0] == "/content/course" and shown == "widgets" and (ROOT / "colab/requirements.txt").exists()
    assert main(["colab", "01", "https://example.org/me", "--out", str(out)]) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["git@example.org:me/course", "https://example.org/a b", "https://a/$(id)", "",
                                     "https://-oX", "https://%0a", "https://a.org/%0a", "https:///course"])  # fmt: skip
def test_colab_clones_from_an_address_that_a_shell_reads_as_it_stands(address, tmp_path, capsys):
    assert main(["colab", "01", address, "--out", str(tmp_path / "01.ipynb")]) == 2
    assert f"https://...; {address!r} came" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_lesson_without_a_number_is_named_as_it_came(tmp_path, capsys):
    assert main(["colab", "", "https://example.org/me", "--out", str(tmp_path / "01.ipynb")]) == 2
    assert "the number of a lesson was expected; '' came; there are: 00" in capsys.readouterr().err


def test_draw_writes_picture_and_player(tmp_path, capsys):
    picture, page = tmp_path / "circle.png", tmp_path / "steps.html"
    words = ["draw", "red circle", "--model", "icons", "--steps", 5, "--seed", 3]
    code, out, err = run(*words, "--out", picture, "--player", page)
    assert (code, err) == (0, "")
    assert "'red circle' drawn by icons in 5 steps, seed 3" in out
    with Image.open(picture) as made:
        assert made.size == (256, 256)
        assert len(made.convert("RGB").resize((16, 16), 0).getcolors()) > 1
    assert "<title>“red circle”" in page.read_text(encoding="utf-8")
    before = picture.read_bytes()
    code, _, err = here(capsys, *words, "--out", picture)
    assert code == 2 and picture.read_bytes() == before
    one_sentence(err)
    words[1] += ", red circle" * 100
    code, out, _ = here(capsys, *words, "--out", tmp_path / "again.png")
    assert code == 0 and len(out) < 300 + len(str(tmp_path))
    assert (tmp_path / "again.png").read_bytes() == before, "the same seed draws another picture"
    code, _, _ = here(capsys, *words, "--out", tmp_path / "r.png", "--player", tmp_path / "r.html", "--ask")
    riddle = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert code == 0 and "<title>Press when you know" in riddle and "“red circle”" not in riddle.split("<details")[0]


@pytest.mark.parametrize(
    "words",
    [
        ("a dragon", "--model", "icons"),
        ("red circle", "--model", "icons", "--steps", "0"),
        ("red circle", "--model", "icons", "--steps", "2000"),
        ("red circle", "--model", "icons", "--guidance-scale", "nan"),
        ("red circle", "--model", "icons", "--sampler", "magic"),
        ("red circle", "--model", "nowhere"),
        ("red circle", "--model", "points"),
        ("red circle", "--model", "tests"),
        ("red circle", "--model", "icons", "--out", "picture.gif"),
        ("red circle", "--model", "icons", "--ask", "What?"),
    ],
    ids=" ".join,
)
def test_draw_of_what_cannot_be_drawn(words, tmp_path, capsys):
    out = () if "--out" in words else ("--out", tmp_path / "picture.png")
    code, told, err = here(capsys, "draw", *words, *out)
    assert (code, told) == (2, "")
    one_sentence(err)
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_is_one_sentence(tmp_path, capsys):
    folder = tmp_path / "icons"
    shutil.copytree(ROOT / "diffusion_lab" / "weights" / "icons", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    code, _, err = here(capsys, "draw", "red circle", "--model", folder, "--out", tmp_path / "p.png")
    assert code == 2
    one_sentence(err)


DRAWING = """
import sys
from diffusion_lab.__main__ import main
from diffusion_lab.toy import Toy
ask = Toy.predict_noise
def first(self, *asked):
    Toy.predict_noise = ask
    print("drawing", flush=True)
    return ask(self, *asked)
Toy.predict_noise = first
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize(("asked", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "end"])
def test_who_ends_a_drawing_leaves_nothing(tmp_path, asked, code):
    words = ["draw", "red circle", "--model", "icons", "--steps", "1000", "--out", str(tmp_path / "p.png")]
    process = subprocess.Popen([sys.executable, "-c", DRAWING, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)  # fmt: skip
    assert process.stdout.readline() == "drawing\n" and list(tmp_path.iterdir())
    process.send_signal(asked)
    assert (*process.communicate(timeout=120), process.returncode) == ("", "", code)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="pipes as POSIX has them")
@pytest.mark.parametrize("words", [["--help"], ["draw", "--help"], ["doctor", "--quick"]], ids=" ".join)
def test_nobody_reads_what_a_command_says(words):
    there, here = os.pipe()
    os.close(there)
    with open(here, "w") as out:
        done = subprocess.run([sys.executable, "-m", "diffusion_lab", *words], cwd=ROOT, stdout=out,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    # argparse lets a page of help that nobody reads pass
    assert done.returncode in ((0, 141) if "draw" in words else (141,)) and done.stderr == ""


@pytest.mark.parametrize("name", ["random", "signal", "torch"])
def test_a_file_of_ones_own_in_the_folder_hides_nothing_of_the_course(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')")
    code, said, told = run("draw", "a red cirle", "--model", "icons", cwd=tmp_path)
    assert code == 2 and "cirle" in told, told
    one_sentence(told)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_what_a_command_says_has_no_room():
    with open("/dev/full", "w") as out:
        done = subprocess.run([sys.executable, "-m", "diffusion_lab", "--help"], cwd=ROOT, stdout=out,
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert done.returncode == 2 and "No space left" in done.stderr
    one_sentence(done.stderr)


@pytest.mark.parametrize("words", [
    ("evaluate", "attention", "--n", 1), ("evaluate", "icons", "--pictures", 0), ("train", "points", "--steps", 0),
    ("train", "points", "--seconds", "nan"),
    ("train", "points", "--out", "file"), ("train", "points", "--out", "file/new"),
    ("train", "points", "--out", ""), ("train", "points", "--out", "a\0b"), ("train", "points", "--out", "x" * 300),
    *(("train", "tiny-sd", "--drawn", "90", *wrong) for wrong in (
        ("--drawn", 0), ("--drawn", "-1"), ("--minutes", "nan"), ("--minutes", 0), ("--minutes", "-1"), ("--batch", 0),
        ("--steps", 0), ("--device", "foo"), ("--out", "file"), ("--out", "file/new"), ("--out", ""),
        ("--workers", 0))),
    *(("evaluate", "tiny-sd", *wrong) for wrong in (
        ("--n", 0), ("--steps", 0), ("--guidance", "nan"), ("--sampler", "magic"), ("--keep", "file"),
        ("--sheets", "file"), ("--folder", "nowhere"), ("--folder", ""), ("--sheets", ""), ("--keep", ""))),
    *(("train", "tiny-sd-turbo", *wrong) for wrong in (
        ("--steps", 0, 0), ("--steps", 5, "-1"), ("--batch", 0), ("--out", "file"), ("--out", ""))),
    *(("evaluate", "tiny-sd-turbo", *wrong) for wrong in (
        ("--n", 0), ("--calls", 0), ("--sheet", "s.txt"), ("--sheet", ""), ("--sheet", "none/s.png"))),
], ids=str)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_computed(words, tmp_path, capsys, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a data set was drawn")

    for world in (icons, points):
        monkeypatch.setattr(world, "sample", never)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    code, _, err = here(capsys, *words)
    assert code == 2 and (tmp_path / "file").read_text() == "mine"
    assert "Traceback" not in err and err.count("\n") == 1, err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_lock_of_a_training_that_was_killed_is_no_obstacle(tmp_path, capsys):
    (tmp_path / STATE).with_suffix(".lock").touch()
    assert here(capsys, "train", "points", "--steps", 1, "--out", tmp_path)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_two_trainings_in_one_folder_are_one_too_many(tmp_path, capsys):
    with alone(tmp_path / "mine" / STATE, "a training"):
        code, _, err = here(capsys, "train", "points", "--steps", 3, "--out", tmp_path / "mine")
    assert code == 2 and "another process is at a training" in err
    one_sentence(err)


@pytest.mark.parametrize("parts", [["model.safetensors"], ["config.json", "model.safetensors"]], ids=len)
def test_a_kill_before_the_toy_was_whole_is_gone_on_from(tmp_path, capsys, parts):
    kept = tmp_path / "kept"
    toy = points_recipe.RECIPE.untrained()
    *_, last = points_recipe.RECIPE.train(toy, 3, Checkpoint(tmp_path / STATE))
    toy.network = last.ema
    toy.save(kept)
    for part in parts:
        shutil.copy(kept / part, tmp_path)
    words = ["train", "points", "--steps", 3, "--out", tmp_path]
    code, _, err = here(capsys, *words)
    assert code == 2 and "add --resume" in err
    assert here(capsys, *words, "--resume")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "config.json", "model.safetensors"}
    assert all((tmp_path / part).read_bytes() == (kept / part).read_bytes() for part in FILES)


def test_train_and_evaluate_ask_the_recipes(capsys):
    assert {"icons", "points", "tiny-sd"} <= set(recipe.names())
    for name in recipe.names():
        with pytest.raises(SystemExit) as end:
            main(["train", name, "--help"])
        assert end.value.code == 0 and f"train {name}" in capsys.readouterr().out
    for words in (("train", "dragons"), ("evaluate", "dragons"), ("evaluate", "points")):
        code, _, err = here(capsys, *words)
        advised = err.partition("one of ")[2].partition(";")[0].split(", ")
        assert code == 2 and advised == recipe.names(words[0]) and words[1] not in advised
        one_sentence(err)
    assert recipe.names() == ["icons", "icons-two-calls", "photos", "photos-no-skips", "points", "tiny-sd",
                              "tiny-sd-turbo"]
    judged = ["attention", "editing", "gans", "icons", "icons-two-calls", "photos", "samplers", "tiny-sd",
              "tiny-sd-turbo"]
    assert recipe.names("evaluate") == judged


def test_unknown_command(capsys):
    code, _, err = here(capsys, "fly")
    assert code == 2 and "draw" in err
    one_sentence(err)


def test_doctor_finds_this_machine_well():
    code, out, err = run("doctor", "--quick")
    assert (code, err) == (0, ""), out
    for word in ("Python", "torch", "device", "memory", "disk", "models", "All that the course needs is here."):
        assert word in out


def test_doctor_tells_what_is_broken(tmp_path, monkeypatch):
    """A damaged weight file in a copied package: exit 1, its name, and the remedy."""
    copy = tmp_path / "diffusion_lab"
    shutil.copytree(ROOT / "diffusion_lab", copy, ignore=shutil.ignore_patterns("__pycache__"))
    next(copy.rglob("icons/*.safetensors")).write_bytes(b"half")
    code, out, err = run("doctor", "--quick", cwd=tmp_path)
    assert (code, err) == (1, "")
    assert "BROKEN  models" in out and "icons/model.safetensors" in out and "git checkout" in out
    assert out.rstrip().endswith("1 broken")


def test_doctor_times_the_models():
    rows = {row.what: row for row in doctor.examine()}
    assert " s" in rows["icons"].found and not rows["icons"].broken
    assert "GFLOP/s" in rows["Stable Diffusion v1.5"].found


def test_a_failed_command_leaves_nothing(tmp_path):
    out = tmp_path / "picture.png"
    with pytest.raises(LabError), new_file(out, (".png",), force=False) as part:
        part.write_bytes(b"half a picture")
        raise LabError("something went wrong on the way")
    assert not list(tmp_path.iterdir())


def test_full_disk_is_one_sentence(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with pytest.raises(LabError, match="No space left"), new_file(tmp_path / "p.png", (".png",), False) as part:
        part.symlink_to("/dev/full")
        part.write_bytes(b"0" * 10_000)
    assert not list(tmp_path.iterdir())


def test_shipped_models_are_found_by_role():
    assert draw.open_model("icons").name == "icons"


class TestEnvironment:
    """The set-up, as far as it can be tried without installing anything."""

    def copy(self, tmp_path, path: str = "", python: str = sys.executable, **env) -> tuple[int, str, str]:
        """`setup` from a fresh copy of the course with a bare Python, as after a clone."""
        here = tmp_path / "course"
        shutil.copytree(ROOT / "diffusion_lab", here / "diffusion_lab",
                        ignore=shutil.ignore_patterns("__pycache__", "weights"), dirs_exist_ok=True)  # fmt: skip
        for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "LICENSE-content"):
            shutil.copy(ROOT / name, here / name)
        bare = {"PYTHONPATH": path, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, **env}
        done = subprocess.run([python, "-m", "diffusion_lab", "setup"], cwd=here, capture_output=True, text=True,
                              env=os.environ | bare, timeout=300)  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    @pytest.fixture
    def bare(self) -> str:
        """The Python that this environment was made from: it has no course installed."""
        return getattr(sys, "_base_executable", None) or pytest.skip("no base Python")

    def test_no_network(self, tmp_path, bare):
        """The package index is an address on this machine where nobody listens."""
        dead = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_INDEX": "", "PIP_FIND_LINKS": "",
                "PIP_EXTRA_INDEX_URL": ""}  # fmt: skip
        code, out, err = self.copy(tmp_path, python=bare, **dead)
        assert code == 2, out
        assert "network" in err
        one_sentence(err)
        assert not (tmp_path / "course" / ".venv" / "diffusion_lab.json").exists()

    def test_no_venv_module(self, tmp_path, bare):
        """Debian's Python without python3-venv: ensurepip is not there."""
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")
        code, _, err = self.copy(tmp_path, path=str(tmp_path), python=bare)
        assert code == 2 and "venv" in err
        one_sentence(err)

    def test_old_python(self):
        """A Python that calls itself 3.9, and no newer one on the path."""
        code = """
import runpy, sys
sys.version_info, sys.version, sys.argv = (3, 9, 2), "3.9.2 (default)", ["diffusion_lab", "lab"]
runpy.run_module("diffusion_lab", run_name="__main__")
"""
        exit_code, _, err = run(code=code, PATH="")
        assert exit_code != 0 and "3.11" in err and "3.9.2" in err
        one_sentence(err)

    def test_a_name_of_a_python_that_does_not_run_is_passed_over(self, tmp_path, monkeypatch):
        """pyenv leaves a name for each version that is switched off."""
        for name, does in (("python3.13", "exit 127"), ("python3.12", f'exec "{sys.executable}" "$@"')):
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert entry._newer_python() == str(tmp_path / "python3.12")
        (tmp_path / "python3.12").unlink()
        assert entry._newer_python() is None

    def test_what_an_old_python_reads_first_is_written_as_it_reads(self):
        for name in ("__init__", "__main__", "lazy"):
            ast.parse((ROOT / "diffusion_lab" / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 8))

    def test_another_python_is_sent_to_the_courses_own(self, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "diffusion_lab.commands.noise", None)
        monkeypatch.setitem(sys.modules, "safetensors", None)
        monkeypatch.delitem(sys.modules, "diffusion_lab.files")
        monkeypatch.delitem(sys.modules, "diffusion_lab.commands.draw")
        code, _, err = here(capsys, "draw", "red circle")
        assert code == 2 and "which lacks safetensors; write .venv/bin/python" in err
        one_sentence(err)
        with pytest.raises(ModuleNotFoundError):
            main(["noise", "cat"])

    def test_what_the_environment_lost_is_seen_and_installed_again(self, tmp_path, monkeypatch):
        """A package's folder is gone, its metadata are not: pip alone would believe that it is there."""
        site = tmp_path / "lib" / "python3.11" / "site-packages"
        for name in ("here", "gone"):
            (site / name).mkdir(parents=True)
            (site / f"{name}_dist-1.0.dist-info").mkdir()
            (site / f"{name}_dist-1.0.dist-info" / "RECORD").write_text(f"{name}/__init__.py,,\n")
        monkeypatch.setattr(environment, "_site", lambda: site)
        monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp.json")
        environment.STAMP.write_text(json.dumps({"installed": environment._installed()}))
        (site / "here_dist-1.0.dist-info").rename(site / "here_dist-2.0.dist-info")  # another version is no loss
        assert environment.lost() == []
        (site / "gone").rmdir()
        assert environment.lost() == ["gone"] and "gone is gone" in doctor._packages().found
        environment._forget(environment.lost())
        assert {path.name for path in site.iterdir()} == {"here", "here_dist-2.0.dist-info"}

    def test_an_environment_of_somebody_elses_is_told(self, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(LabError, match="may not be written by you; clone the course into a folder of yours"):
            environment._check_machine()
        assert lab.state_folder("a_state").is_relative_to(Path.home() / ".cache" / "a_state")

    def test_no_room(self, tmp_path, monkeypatch):
        monkeypatch.setattr(environment, "NEEDED_GB", 1e9)
        monkeypatch.setattr(environment, "STAMP", tmp_path / "none")
        with pytest.raises(LabError, match="GB of free disk"):
            environment._check_machine()

    def test_ready_is_ready(self):
        if environment._read_stamp().get("key") != environment._key():
            pytest.skip("this environment was not made by make test, or not from this pyproject.toml")
        code, out, err = run("setup", "--test")
        assert (code, out, err) == (0, "", "")


def test_lab_refuses_a_taken_port():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, out, err = run("lab", "--no-browser", "--port", taken.getsockname()[1])
    assert (code, out) == (2, "") and "PORT=" in err
    one_sentence(err)


def test_two_labs_that_start_at_once_take_two_ports():
    first, second = lab.free_port(None), lab.free_port(None)
    assert first < second
    for _ in range(2):
        lab.CLAIMS.pop().close()
    assert lab.free_port(first) == first
    lab.CLAIMS.pop().close()


TORN = """
import os, signal, sys
from diffusion_lab import __main__ as entry
def half_imported(argv):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 60)
    except SystemExit:
        print("a library's last words", file=sys.stderr)
        raise ImportError("a library failed to import")
entry._answer = half_imported
sys.exit(entry.main([]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_what_an_ending_tears_says_nothing():
    assert run(code=TORN) == (143, "", "")


def test_a_closed_output_is_written_to_in_vain(tmp_path):
    command = f"{sys.executable} -m diffusion_lab progress >&- 2>&-"
    env = {**os.environ, "DIFFUSION_LAB_PROGRESS": str(tmp_path)}
    assert subprocess.run(command, shell=True, cwd=ROOT, env=env).returncode == 0


def test_edit_keeps_what_the_mask_keeps_and_outpaint_goes_on(tmp_path, capsys):
    image = icons.sample(1, 99)[0][0]
    photo, mask, out = (tmp_path / name for name in ("photo.png", "mask.png", "new.png"))
    Image.fromarray(image).save(photo)
    white = Image.new("L", (16, 16))
    white.paste(255, (0, 0, 4, 16))
    white.save(mask)
    how = ["--prompt", "blue star", "--model", "icons", "--steps", 4, "--seed", 3, "--force", "--out", out]
    code, told, err = here(capsys, "edit", photo, "--mask", mask, *how)
    assert (code, err) == (0, "") and "25% of it drawn anew: 'blue star', by icons, seed 3" in told
    new = np.asarray(Image.open(out))
    assert np.array_equal(new[:, 4:], image[:, 4:]) and not np.array_equal(new, image)
    small = out.with_suffix(".webp")
    assert here(capsys, "edit", photo, "--mask", mask, *how[:-1], small)[0] == 0
    assert np.array_equal(np.asarray(Image.open(small)), new)
    drawn = []
    for strength in ([], ["--strength", 0.6], ["--strength", 0.9]):
        assert here(capsys, "edit", photo, *strength, *how)[0] == 0
        drawn.append(np.asarray(Image.open(out)))
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(np.asarray(Image.open(out))[:, 8:], image[:, 8:])
    for by in (6, -6):
        assert here(capsys, "outpaint", photo, f"--by={by}", *how)[0] == 0
        wide = np.asarray(Image.open(out))
        assert wide.shape == (16, 22, 3) and np.array_equal(wide[:, -16:] if by < 0 else wide[:, :16], image)


@pytest.mark.parametrize(("words", "told"), [
    (["edit", "{photo}", "--mask", "{small}"], "a mask of the picture's size"),
    (["edit", "{photo}", "--mask", "{seen}"], "see-through in places"),
    (["edit", "{photo}", "--mask", "nowhere.png"], "there is no file 'nowhere.png'"),
    (["edit", "{photo}", "--mask", "{pipe}"], "there is no file"), (["edit", "{photo}", "--mask", "."], "is a folder"),
    (["edit", "{photo}", "--mask", "{photo}", "--out", "new.jpg"], "ends in .png or .webp"),
    (["outpaint", "{photo}", "--by", "5", "--out", "new.jpg"], "ends in .png or .webp"),
    (["edit", "{photo}", "--strength", "2"], "strength"), (["edit", "nowhere.png"], "there is no file"),
    (["outpaint", "{photo}", "--by", "17"], "one window"), (["outpaint", "{photo}", "--by", "9999"], "columns"),
])  # fmt: skip
def test_edit_of_what_cannot_be_edited(words, told, tmp_path, capsys):
    names = {name: tmp_path / f"{name}.png" for name in ("photo", "small", "seen")}
    Image.new("RGB", (16, 16)).save(names["photo"])
    Image.new("L", (8, 8)).save(names["small"])
    Image.new("RGBA", (16, 16), (255, 255, 255, 0)).save(names["seen"])
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
    out = tmp_path / "new.png"
    words = [word.format(**names, pipe=tmp_path / "pipe.png") for word in words]
    code, _, err = here(capsys, words[0], "--out", out, *words[1:], "--prompt", "star", "--model", "icons")
    assert code == 2 and told in err and not out.exists(), err
    one_sentence(err)
