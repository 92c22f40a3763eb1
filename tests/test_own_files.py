"""What a learner leaves in lessons/ stops neither `make lab` nor `present` nor `slides`, and is not trusted."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from diffusion_lab.__main__ import main
from diffusion_lab.commands import copies, environment, lab, present, slides
from diffusion_lab.coursework.slides import decks
from diffusion_lab.errors import LabError

CONFLICT = '{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> theirs\n], "metadata": {}}'


def book(*sources: str) -> str:
    cells = [nbformat.v4.new_markdown_cell(source, id=f"c{k}", metadata={"slideshow": {"slide_type": "slide"}})
             for k, source in enumerate(sources)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Lessons 00 to 02, of which 00 holds a merge conflict; a copy of 02, and a stranger's notebook."""
    folder = tmp_path / "lessons"
    (folder / "text").mkdir(parents=True)
    for name in ("00_start", "01_one", "02_two"):
        (folder / "text" / f"{name}.md").write_text("# A title")
        (folder / f"{name}.ipynb").write_text(book(f"# {name}"))
    built = {path.name: copies.digest(path) for path in folder.glob("*.ipynb")}
    (folder / "text" / "built.json").write_text(json.dumps(built))
    (folder / "00_start.ipynb").write_text(CONFLICT)
    shutil.copy(folder / "02_two.ipynb", folder / "02_two-Copy1.ipynb")
    (folder / "03_strange.ipynb").write_text(book("# strange"))
    (folder / "notes.ipynb").mkdir()
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(copies, "LESSONS", folder)
    monkeypatch.setattr(lab, "BUILT", folder / "text" / "built.json")
    return folder


def trusted(folder: Path, state: Path) -> list[str]:
    """The notebooks that Jupyter would trust."""
    lab._trust(state)
    (state / "data").mkdir(exist_ok=True)  # where nothing was signed
    notary = NotebookNotary(data_dir=str(state / "data"))
    return [path.name for path in sorted(folder.glob("*.ipynb"))
            if path.is_file() and path.read_text() != CONFLICT and notary.check_signature(nbformat.read(path, 4))]


def test_a_lesson_is_exactly_its_file(course):
    assert [path.name for path in copies.lessons()] == ["00_start.ipynb", "01_one.ipynb", "02_two.ipynb"]
    assert [path.name for path in slides.notebooks(["02"])] == ["02_two.ipynb"]
    with pytest.raises(LabError, match="03 came; there are: 00, 01, 02"):
        slides.notebooks(["03"])


def test_lab_signs_what_was_built_here_and_nothing_else(course, tmp_path):
    (course / "02_two.ipynb").write_text(book("# <script>a stranger's</script>"))
    assert trusted(course, tmp_path / "state") == ["01_one.ipynb"]
    (course / "01_one.ipynb").write_bytes((course / "01_one.ipynb").read_bytes().replace(b"\n", b"\r\n"))
    assert trusted(course, tmp_path / "another") == ["01_one.ipynb"]


@pytest.mark.parametrize("record", ["", "{", "[]", "5", "[" * 100_000])
def test_a_record_that_cannot_be_read_stops_nothing(course, tmp_path, record):
    state = tmp_path / "state"
    state.mkdir()
    (state / "trusted.json").write_text(record)
    assert trusted(course, state) == ["01_one.ipynb", "02_two-Copy1.ipynb", "02_two.ipynb"]  # the copy: same content
    (course / "text" / "built.json").write_text(record)
    assert trusted(course, tmp_path / "another") == []


def test_lab_opens_on_the_first_lesson_that_can_be_opened(course):
    assert lab._start_page() == "lessons/01_one.ipynb"
    for path in copies.lessons():
        path.write_text(CONFLICT)
    assert lab._start_page() == "lessons/00_start.ipynb"
    shutil.rmtree(course / "text")
    assert lab._start_page() == "lessons"


def test_slides_are_made_of_all_lessons_but_the_broken_one(course, tmp_path, capsys):
    assert main(["slides", "--out", str(tmp_path / "slides")]) == 2
    made = sorted(path.name for path in (tmp_path / "slides").iterdir())
    assert made == ["01_one.html", "01_one_notes.html", "02_two.html", "02_two_notes.html"]
    told = capsys.readouterr().err
    assert "00_start.ipynb; it cannot be read" in told and "git checkout" in told and told.count("\n") == 1


def test_present_takes_the_lesson_and_not_its_copy(course, tmp_path):
    (course / "02_two-Copy1.ipynb").write_text(CONFLICT)
    copy = present.prepare("02", tmp_path / "state")
    assert copy == tmp_path / "build" / "present" / "02_two.ipynb" and "# 02_two" in copy.read_text()
    with pytest.raises(LabError, match="00_start.ipynb; it cannot be read"):
        present.prepare("00", tmp_path / "state")


@pytest.mark.parametrize("content", ["", "[]", '"hello"', "{}", "[" * 100_000, '{"cells": 5, "nbformat": 4}',
                                     book("# one").replace('"slideshow": {', '"slideshow": 5, "x": {')])
def test_a_file_that_is_no_notebook_is_a_sentence(tmp_path, content):
    path = tmp_path / "01_one.ipynb"
    path.write_text(content)
    with pytest.raises(LabError, match="01_one.ipynb; it cannot be read"):
        decks.read(path)
