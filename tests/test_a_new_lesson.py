"""A lesson is three new files, and the notebook built from them: every test that lessons have then runs on it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
FILES = [f"tests/test_{name}.py" for name in ("lessons", "formulas", "readability", "coursework", "coursework_pages",
                                              "decks", "coursework_browser")] + ["lessons"]  # fmt: skip
BREAKS = {  # file: (what stands there, what a careless author would write), and the test that must say so
    "lessons/text/{n}_copy.md": (r"\sqrt{\bar\alpha_t}", r"\bar\alpha_t", "test_formula_is_what_the_package_computes"),
    "diffusion_lab/coursework/lessons/lesson_{n}.toml": ("right = true, ", "", "test_a_quiz_has_five_questions"),
    "diffusion_lab/coursework/lessons/lesson_{n}.py": ("math.cos(angle) * x0", "math.sin(angle) * x0",
                                                       "test_right_answers_pass"),
}  # fmt: skip
STORE = """import sys; sys.path.insert(0, "lessons/text")
import build, nbformat, origins
for text in build.texts(["98", "99"]):  # with the outputs of the lesson that it is a copy of
    fresh = build.cells_from(text)
    book, _ = build.renewed(fresh, nbformat.read(build.notebook_path(build.texts(["01"])[0]), 4))
    book.metadata["built"]["from"]["its code"] = origins.code_print(fresh)  # as if it had been run
    build.store(build.notebook_path(text), build.sealed(book))
build.tell_readme()"""


def copy_of_01(course: Path, number: str) -> None:
    """A new lesson: its text, its module, its quiz."""
    modules = course / "diffusion_lab" / "coursework" / "lessons"
    text = next((course / "lessons" / "text").glob("01_*.md")).read_text(encoding="utf-8")
    for there in ('"01.', '"01"', "# 01 ·", "lesson_01"):
        text = text.replace(there, there.replace("01", number))
    (course / "lessons" / "text" / f"{number}_copy.md").write_text(text, encoding="utf-8")
    for ending in ("py", "toml"):
        shutil.copy(modules / f"lesson_01.{ending}", modules / f"lesson_{number}.{ending}")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course with lesson 99, a copy of 01, and lesson 98, a careless one."""
    course = tmp_path_factory.mktemp("course")
    for name in ("diffusion_lab", "tests", "lessons"):
        aside = shutil.ignore_patterns("weights", "__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / name, course / name, ignore=aside)
    for name in ("README.md", "conftest.py", "pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, course / name)
    (course / "diffusion_lab" / "weights").symlink_to(ROOT / "diffusion_lab" / "weights")
    copy_of_01(course, "99"), copy_of_01(course, "98")
    stored = python(course, "-c", STORE)
    assert stored.returncode == 0, stored.stderr
    for name, (right, wrong, _) in BREAKS.items():
        path = course / name.format(n="98")
        told = path.read_text(encoding="utf-8")
        assert right in told
        path.write_text(told.replace(right, wrong, 1), encoding="utf-8")
    return course


def python(course: Path, *words: str) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": f"{course}{os.pathsep}{course / 'tests'}"}
    return subprocess.run([sys.executable, *words], cwd=course, capture_output=True, text=True, env=env, timeout=600)


RUN = """import sys, pathlib, pytest
class Asked:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        pathlib.Path("asked").write_text("\\n".join(item.nodeid for item in items))
        items[:] = [item for item in items if item.path.suffix == ".py"]
sys.exit(pytest.main(sys.argv[1:], [Asked()]))"""


@pytest.fixture(scope="module")
def told(course):
    """What the cheap tests say of lessons 98 and 99; the names of all that is asked of lessons stand in a file."""
    words = ["-v", "-n", "0", "-p", "no:cacheprovider", "-k", "99 or 98", "-m", "not browser and not slow"]
    done = python(course, "-c", RUN, *words, *FILES)
    assert done.returncode == 1 and "INTERNALERROR" not in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_every_test_of_a_lesson_is_asked_of_a_new_one(course, told):
    asked = (course / "asked").read_text().splitlines()
    lines = [line for line in asked if not re.search("sentence|told_so", line)]
    of_01 = {re.sub("01_from_image_to_noise|01", "N", line) for line in lines if re.search(r"/01_|\[01[-_.\]]", line)}
    of_99 = {re.sub("99_copy|99", "N", line) for line in lines if re.search(r"/99_|\[99[-_.\]]", line)}
    assert of_99 == of_01 and len(of_99) > 50


def test_a_good_lesson_passes_and_a_careless_one_is_told_what_is_wrong(told):
    lines = re.findall(r"^(tests/\S+::.*?) (PASSED|FAILED|ERROR)", told, re.M)
    of = {n: [(test, end) for test, end in lines if re.search(rf"\[{n}[-_.\]]", test)] for n in ("98", "99")}
    assert len(of["99"]) > 30 and [test for test, end in of["99"] if end != "PASSED"] == []
    failed = [test for test, end in of["98"] if end == "FAILED"]
    for _, _, name in BREAKS.values():
        assert any(name in test for test in failed), name
    assert any("test_notebook_says_what_its_text_says" in test for test in failed)
