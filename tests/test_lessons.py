"""Texts and notebooks say the same; what is stored has run, is quiet, light and described in words."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "lessons"
SPEC = importlib.util.spec_from_file_location("build", LESSONS / "text" / "build.py")
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)

TEXTS = build.texts()
NOTEBOOKS = sorted(LESSONS.glob("*.ipynb"))
SLIDE_TYPES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
MACHINE = re.compile(r"/(home|root|tmp|Users|work|private|var/folders)/\w|[A-Z]:\\\\Users")
BUDGET = 2_500_000


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code" and cell.source.strip()]


def outputs(path: Path) -> list:
    return [output for cell in code_cells(path) for output in cell.outputs]


each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_lessons():
    assert NOTEBOOKS, "no notebook in lessons/: run make lessons"


def test_every_text_has_its_notebook_and_every_notebook_its_text():
    assert [build.notebook_path(text).name for text in TEXTS] == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_notebook_says_what_its_text_says(text):
    wanted, stored = build.cells_from(text), read(build.notebook_path(text))
    for kept in ("id", "cell_type", "source", "metadata"):
        same = [cell[kept] for cell in stored.cells] == [cell[kept] for cell in wanted.cells]
        assert same, f"{kept} differs: run make lessons; or, if you worked in the notebook, git stash to test"
    assert stored.metadata == wanted.metadata


@each_notebook
def test_every_code_cell_has_run_in_order(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_no_error_and_nothing_on_stderr(path):
    allowed = [cell for cell in code_cells(path) if "raises-exception" in cell.metadata.get("tags", [])]
    bad = [o for cell in code_cells(path) if cell not in allowed for o in cell.outputs
           if o.output_type == "error" or o.get("name") == "stderr"]  # fmt: skip
    assert not bad


class Pictures(HTMLParser):
    """Collects every <img> of a piece of HTML with its alt text."""

    def __init__(self, html: str):
        super().__init__()
        self.alts: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))


@each_notebook
def test_every_picture_is_described(path):
    for output in outputs(path):
        data = output.get("data", {})
        assert not {"image/png", "image/jpeg", "image/svg+xml"} & set(data), "a picture outside a <figure> has no alt"
        for alt in Pictures("".join(data.get("text/html", ""))).alts:
            assert alt is not None and len(alt) >= 10, f"alt text {alt!r} says nothing"


@each_notebook
def test_notebook_is_light_and_of_no_one_machine(path):
    assert path.stat().st_size < BUDGET
    told = build.PICTURE.sub("", path.read_text(encoding="utf-8"))
    assert not MACHINE.search(told), MACHINE.search(told)


@each_notebook
def test_slides_are_told_for_all_cells_or_none(path):
    types = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in read(path).cells]
    assert set(types) <= SLIDE_TYPES or set(types) == {None}, "a cell without slide_type among cells that have one"


@each_notebook
def test_every_slide_group_tells_the_speaker_its_time_and_what_if_they_ask(path):
    groups, kinds = [], [cell.metadata.slideshow.slide_type for cell in read(path).cells]
    for cell, kind in zip(read(path).cells, kinds, strict=True):
        if kind == "slide":
            groups.append([])
        if kind == "notes":
            groups[-1].append(cell.source)
    assert 8 <= kinds.count("slide") + kinds.count("subslide") <= 18
    for number, notes in enumerate(groups[:-1], 1):  # the last one is what you can now do, with the quiz's own notes
        told = " ".join(notes)
        assert re.search(r"\d+ minutes?[.,]", told) and re.search("if they|if nobody", told, re.I), (number, told[:60])


@each_notebook
def test_notebook_asks_for_no_choice_of_kernel(path):
    assert read(path).metadata.kernelspec.name == "python3"


@each_notebook
def test_at_most_one_cell_is_not_compared(path):
    marks = re.compile(r"NBVAL_(IGNORE_OUTPUT|SKIP)|PYTEST_VALIDATE_IGNORE_OUTPUT")
    tags = {"nbval-ignore-output", "nbval-skip"}
    cells = [c for c in code_cells(path) if marks.search(c.source) or tags & set(c.metadata.get("tags", []))]
    assert len(cells) <= 1 and not any("SKIP" in c.source or "nbval-skip" in c.metadata.get("tags", []) for c in cells)


TRIAL = """\
+++ {"slideshow": {"slide_type": "slide"}}

# A trial

+++ {"slideshow": {"slide_type": "notes"}}

Two minutes.

```{code-cell} ipython3
---
slideshow:
  slide_type: "-"
---
print(6 * 7)
```
"""


@pytest.fixture
def workshop(tmp_path):
    """The builder with a lesson of its own, away from the course's lessons."""
    text = tmp_path / "lessons" / "text" / "99_trial.md"
    text.parent.mkdir(parents=True)
    text.write_text(TRIAL)
    place = text.parent / "build.py"
    place.write_text((LESSONS / "text" / "build.py").read_text())
    (tmp_path / "constraints.txt").write_text("")
    (tmp_path / "diffusion_lab").mkdir()
    (tmp_path / "diffusion_lab" / "part.py").write_text("a = 1\n")
    record = tmp_path / "record.json"

    def run(*options: str) -> tuple[int, str, str]:
        command = [sys.executable, str(place), *options]
        env = os.environ | {"DIFFUSION_LAB_BUILT": str(record)}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    return text, tmp_path / "lessons" / "99_trial.ipynb", run


def test_building_twice_changes_nothing(workshop):
    text, notebook, run = workshop
    assert run() == (0, "99_trial: built", "")
    first = notebook.read_bytes()
    assert run() == (0, "99_trial: unchanged", "")
    assert run("--force") == (0, "99_trial: the same again", "")
    assert notebook.read_bytes() == first
    stored = json.loads(first)
    assert [cell["metadata"]["slideshow"]["slide_type"] for cell in stored["cells"]] == ["slide", "notes", "-"]
    assert "".join(stored["cells"][1]["source"]) == "<!-- speaker notes\n\nTwo minutes.\n\n-->"
    assert stored["cells"][2]["outputs"][0]["text"] == ["42\n"]
    text.write_text(TRIAL.replace("6 * 7", "6 * 8"))
    assert run() == (0, "99_trial: built", "")
    ids = [[cell["id"] for cell in json.loads(data)["cells"]] for data in (first, notebook.read_bytes())]
    assert ids[0][:2] == ids[1][:2] and ids[0][2] != ids[1][2]


def test_a_changed_package_builds_again(workshop):
    text, notebook, run = workshop
    run()
    (text.parents[2] / "diffusion_lab" / "part.py").write_text("a = 2\n")
    assert run() == (0, "99_trial: the same again", "")
    notebook.write_text(notebook.read_text().replace("42", "43"))  # a merge gone wrong
    assert run() == (0, "99_trial: built", "")
    assert "42" in notebook.read_text()


def test_a_learners_work_is_not_overwritten(workshop):
    """A notebook that git knows, changed in JupyterLab: kept, until --force says otherwise."""
    text, notebook, run = workshop
    run()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(text.parents[2])]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    mine = notebook.read_text().replace("A trial", "My own trial")
    notebook.write_text(mine)
    code, _, told = run()
    assert code == 1 and "--force" in told and notebook.read_text() == mine
    assert run("--force") == (0, "99_trial: built", "")


@pytest.mark.parametrize(("line", "word"), [("1 / 0", "ZeroDivisionError"),
                                            ("import sys; print('oh', file=sys.stderr)", "stderr"),
                                            ("object()", "another one at every run")])  # fmt: skip
def test_a_failing_lesson_is_not_stored(workshop, line, word):
    text, notebook, run = workshop
    text.write_text(TRIAL.replace("print(6 * 7)", line))
    code, _, told = run()
    assert code == 1 and word in told and "99_trial" in told and "Traceback" not in told
    assert not notebook.exists()
