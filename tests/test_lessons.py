"""Texts and notebooks say the same; what is stored has run, is quiet, light and described in words."""

import ast
import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from diffusion_lab.commands import copies
from diffusion_lab.coursework.lessons import lesson_06
from diffusion_lab.evaluation import load_reader
from diffusion_lab.places import own_model
from diffusion_lab.toy import Toy

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "lessons"
sys.path.insert(0, str(LESSONS / "text"))  # the builder's own neighbour
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


def test_every_lesson_has_its_module_and_its_quiz_and_they_their_lesson():
    numbers = [text.name[:2] for text in TEXTS]
    for ending in ("py", "toml"):
        assert sorted(path.stem[-2:] for path in build.MODULES.glob(f"lesson_[0-9][0-9].{ending}")) == numbers


def test_readme_tells_of_every_lesson():
    assert build.table() in (ROOT / "README.md").read_text(encoding="utf-8"), "run make lessons"


@each_notebook
def test_lab_will_trust_it(path):
    known = json.loads(build.BUILT.read_text(encoding="utf-8"))
    assert known[path.name] == copies.digest(path), "run make lessons; or, if you worked in the notebook, git stash"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_notebook_says_what_its_text_says(text):
    wanted, stored = build.cells_from(text), read(build.notebook_path(text))
    for kept in ("id", "cell_type", "source", "metadata"):
        same = [cell[kept] for cell in stored.cells] == [cell[kept] for cell in wanted.cells]
        assert same, f"{kept} differs: run make lessons; or, if you worked in the notebook, git stash to test"
    assert {name: stored.metadata[name] for name in wanted.metadata} == wanted.metadata


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_what_is_stored_was_built_from_what_is_here(text):
    stored = read(build.notebook_path(text))
    assert build.changed(build.cells_from(text), stored) == [], "run make lessons"
    assert build.seal_of(stored) == stored.metadata.built.seal, "changed since it was built: run make lessons"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_a_lesson_calls_its_plots_by_name(text):
    """What a learner reads is the lesson; how a plot is drawn stands in `figures`, or in the lesson's own modules."""
    by_hand = re.compile(r"\b(matplotlib|pyplot|axes\(|panels?\.)")
    cells = [cell.source for cell in build.cells_from(text).cells if cell.cell_type == "code"]
    assert [line for source in cells for line in source.splitlines() if by_hand.search(line)] == []


def on_slides(cells: list) -> list[list]:
    """The cells of each slide and subslide that are on it, without the speaker's notes."""
    slides = [[]]
    for cell in cells:
        kind = cell.metadata["slideshow"]["slide_type"]
        slides += [[]] if kind in ("slide", "subslide") else []
        slides[-1] += [cell] if kind not in ("notes", "skip") else []
    return slides


def unasked(slides: list[list]) -> list[str]:
    """Slides that ask for a guess and have no place for one, or show something below it, where the answer would be."""
    found = []
    for slide in slides:
        words = " ".join(cell.source for cell in slide if cell.cell_type == "markdown")
        asks = [k for k, cell in enumerate(slide) if cell.cell_type == "code" and "compare(" in cell.source]
        if (re.search("guess first", words, re.I) and not asks) or (asks and asks[-1] != len(slide) - 1):
            found.append(words[:60])
    return found


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_a_slide_that_asks_for_a_guess_has_a_place_for_it_and_shows_no_answer_below(text):
    cells = build.cells_from(text).cells
    assert unasked(on_slides(cells)) == []
    guesses = [cell for cell in cells if cell.cell_type == "code" and "compare(" in cell.source]
    assert [c.source[:40] for c in guesses if c.metadata["slideshow"]["slide_type"] == "skip"] == []


def lost(sources: list[str]) -> list[str]:
    """Names that a cell with a guess or an exercise reads and that a later cell binds anew: run again after Run All,
    it would read something else. A name imported once more is the same."""
    def names(source: str, kind: type) -> set[str]:
        found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name | ast.arg)]
        return {getattr(node, "id", "") or node.arg for node in found
                if isinstance(node, ast.arg) or isinstance(node.ctx, kind)}

    def bound(node: ast.AST) -> set[str]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return {node.name}
        inner = isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        own = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
        return own.union(*([] if inner else map(bound, ast.iter_child_nodes(node))))

    asks = re.compile(r"= \.\.\.|\btodo\(\)|\bcheck\(|\bcompare\(")
    return sorted({name for k, source in enumerate(sources) if asks.search(source) for later in sources[k + 1 :]
                   for name in (names(source, ast.Load) - names(source, ast.Store)) & bound(ast.parse(later))})


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_what_a_guess_or_an_exercise_reads_is_still_there_after_run_all(text):
    assert lost([cell.source for cell in build.cells_from(text).cells if cell.cell_type == "code"]) == []


def test_a_name_that_is_bound_anew_is_found():
    asks = "guess = ...\ncompare(guess, landed(3), low=0, high=min(9, key=lambda w: -w))"
    assert lost(["landed = max", asks, "landed = 2.0"]) == lost([asks, "def landed(): pass"]) == ["landed"]
    assert lost(["landed = max", asks, "guess = [landed for landed in (1, 2)]\nfor w in (1, 2): pass"]) == []


def test_a_question_without_a_place_and_one_over_its_answer_are_found():
    def cell(source, kind="-", of=nbformat.v4.new_code_cell):
        return of(source, metadata={"slideshow": {"slide_type": kind}})

    asks = cell("# A guess first\n\nHow many?", "slide", nbformat.v4.new_markdown_cell)
    guess, shown, skipped = cell("compare(..., 3)"), cell("lines(...)"), cell("compare(..., 3)", "skip")
    assert unasked(on_slides([asks, guess])) == unasked(on_slides([asks, shown, guess])) == []
    assert all(unasked(on_slides([asks, *wrong])) for wrong in ([], [shown], [guess, shown], [skipped, shown]))


def test_how_many_of_72_must_obey_stands_in_one_place():
    text, judged = (LESSONS / "text/06_text_guidance.md").read_text(encoding="utf-8"), lesson_06.verdict
    words = [judged((obey / 72, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 0.0, 0.0)) for obey in (69, 70)]
    assert words == ["weak", "cured"] and 69 / 72 < lesson_06.ENOUGH < 70 / 72
    assert "ENOUGH" in text and not re.search(r"\b0?\.9\d", text)


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
    assert 8 <= kinds.count("slide") + kinds.count("subslide") <= 18, "a lesson has 8 to 18 slides and subslides"
    for number, notes in enumerate(groups[:-1], 1):  # the last one is what you can now do, with the quiz's own notes
        told = " ".join(notes)
        assert re.search(r"\d+ minutes?[.,]", told) and re.search("if they|if nobody", told, re.I), (number, told[:60])


@pytest.mark.parametrize("text", TEXTS, ids=lambda p: p.stem)
def test_what_is_off_the_slides_takes_no_minutes(text):
    """The notes of a part that is skipped are not part of the time that the printed page adds up."""
    skipped = False
    for cell in build.cells_from(text).cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type")
        if kind != "notes":
            skipped = kind == "skip" and (skipped or cell.source.startswith("## "))
        assert not (kind == "notes" and skipped and re.search(r"\d+ minutes?", cell.source)), cell.source[:60]


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
def workshop(tmp_path, monkeypatch, capsys):
    """The builder with a lesson of its own, away from the course's lessons; it runs in this process."""
    text = tmp_path / "lessons" / "text" / "99_trial.md"
    text.parent.mkdir(parents=True)
    text.write_text(TRIAL)
    for name in ("build.py", "origins.py"):
        (text.parent / name).write_bytes((LESSONS / "text" / name).read_bytes())
    (tmp_path / "constraints.txt").write_text("")
    (tmp_path / "diffusion_lab" / "weights" / "small").mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(text.parent)

    def run(*options: str) -> tuple[int, str, str]:
        monkeypatch.delitem(sys.modules, "origins", raising=False)  # its own one, not the course's
        monkeypatch.setattr(sys, "argv", ["build.py", *options])
        end = 0
        try:
            runpy.run_path(str(text.parent / "build.py"), run_name="__main__")
        except SystemExit as left:  # with words for stderr, or with None
            end = left.code or 0
        said = capsys.readouterr()
        return int(bool(end)), said.out.strip(), f"{said.err}{end or ''}".strip()

    return text, tmp_path / "lessons" / "99_trial.ipynb", run


def test_building_twice_changes_nothing(workshop):
    text, notebook, run = workshop
    assert run() == (0, "99_trial: run again (it is new)", "")
    first = notebook.read_bytes()
    assert run() == (0, "99_trial: unchanged", "")
    assert run("--force") == (0, "99_trial: run again, the same (--force)", "")
    assert notebook.read_bytes() == first
    stored = json.loads(first)
    assert [cell["metadata"]["slideshow"]["slide_type"] for cell in stored["cells"]] == ["slide", "notes", "-"]
    assert "".join(stored["cells"][1]["source"]) == "<!-- speaker notes\n\nTwo minutes.\n\n-->"
    assert stored["cells"][2]["outputs"][0]["text"] == ["42\n"] and stored["cells"][2]["execution_count"] == 1
    text.write_text(TRIAL.replace("6 * 7", "6 * 8"))
    assert run() == (0, "99_trial: run again (its code)", "")
    ids = [[cell["id"] for cell in json.loads(data)["cells"]] for data in (first, notebook.read_bytes())]
    assert ids[0][:2] == ids[1][:2] and ids[0][2] != ids[1][2]


USES = """\
import sys
sys.path.insert(0, "..")
from pathlib import Path
import inspect
from diffusion_lab import late, part, shown
print(part.a, late.late(), Path(part.__file__).with_name("words.toml").read_text())
Path(part.__file__).with_name("weights").joinpath("small", "config.json").read_text()
print(inspect.getsource(shown.shown))"""
SOURCES = {"__init__.py": "", "part.py": '"""A part."""\na = 1  # one\n', "idle.py": "b = 1\n", "later.py": "c = 3\n",
         "late.py": "def late():\n    from .later import c\n    return c\n",
         "shown.py": "def shown():\n    return 1  # one\n", "words.toml": "x = 1", "player.css": "a {}",
         "weights/small/config.json": "{}", "weights/small/model.bin": "1",
         "weights/small/unet/model.bin": "1"}  # fmt: skip
CHANGES = [  # what is changed in the package, and which of the things that the lesson was built from that is
    ("idle.py", "b = 2\n", []), ("player.css", "b {}", []), ("part.py", '"""A word."""\n\na = 1  # uno\n', []),
    ("part.py", "a = 2\n", ["diffusion_lab/part.py"]), ("later.py", "c = 4\n", ["diffusion_lab/later.py"]),
    ("shown.py", "def shown():\n    return 1  # uno\n", ["diffusion_lab/shown.py"]),
    ("words.toml", "x = 2", ["diffusion_lab/words.toml"]),
    ("weights/small/model.bin", "2", ["diffusion_lab/weights/small"]),
    ("weights/small/unet/model.bin", "2", ["diffusion_lab/weights/small"]),
]


def test_a_lesson_is_run_again_where_what_it_shows_may_have_changed_and_not_otherwise(workshop):
    text, notebook, run = workshop
    package = text.parents[2] / "diffusion_lab"
    for name, content in SOURCES.items():
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(content)
    text.write_text(TRIAL.replace("print(6 * 7)", USES))
    run()
    place = importlib.util.spec_from_file_location("origins_of_trial", text.parent / "origins.py")
    origins = importlib.util.module_from_spec(place)
    place.loader.exec_module(origins)
    for name, content, found in CHANGES:
        (package / name).write_text(content)
        assert origins.changed(build.cells_from(text), read(notebook)) == found, (name, content)
        (package / name).write_text(SOURCES[name])
    text.write_text(text.read_text().replace("Two minutes", "Three minutes"))
    assert run() == (0, "99_trial: renewed", "") and "Three minutes" in notebook.read_text()
    (text.parents[2] / "constraints.txt").write_text("a==1\n")
    (package / "part.py").write_text("a = 2\n")
    assert run() == (0, "99_trial: run again (constraints.txt, diffusion_lab/part.py)", "")


LONG = """def f():
    \"\"\"A word.

    More.\"\"\"
    return '''one

two'''  # which
"""
SAME = [LONG.replace("A word", "Other words"), LONG.replace("  # which", ""),
        LONG.replace("    return", "\n    return")]  # fmt: skip
OTHER = [LONG.replace("one\n", "one \n"), LONG.replace("\n\ntwo", "\ntwo"), LONG.replace("\n\ntwo", "\n\n\ntwo"),
         LONG.replace("\n\ntwo", "\n  \ntwo"), LONG.replace("one", "# one")]  # fmt: skip


def test_what_code_does_is_told_from_how_it_is_laid_out():
    code_of = build.prints.__globals__["code_of"]
    assert {code_of(text) for text in SAME} == {code_of(LONG)}
    assert len({code_of(text) for text in [LONG, *OTHER]}) == 6


def test_weights_that_only_safetensors_reads_are_seen(capsys):
    names = {}
    exec(build.WATCH, names)  # its hook stays in this process, and notes a name for each file that is opened
    load_reader()
    exec(build.TELL, names)
    read = json.loads(capsys.readouterr().out)["read"]
    assert str(ROOT / "diffusion_lab/weights/reader_scenes/reader.safetensors") in read


def test_new_scripts_and_styles_are_put_in_without_running(workshop):
    """A notebook with the scripts of an older edition; its code would now fail."""
    text, notebook, run = workshop
    text.write_text(TRIAL.replace("print(6 * 7)", "from pathlib import Path\nfrom diffusion_lab.player import parts\n"
                                  "from IPython.display import HTML\nPath('ran').touch(exist_ok=False)\n"
                                  "HTML(''.join(parts()))"))  # fmt: skip
    assert run()[0] == 0
    today, book = notebook.read_text(), read(notebook)
    page = book.cells[2].outputs[0].data
    page["text/html"] = re.sub(r"(data-print=)\S+>.*?</", r"\1'old'>old</", page["text/html"], flags=re.S)
    page["text/html"] = page["text/html"].replace("'old'", '"00"')
    notebook.write_text(build.sealed(book))
    assert run() == (0, "99_trial: renewed", "")
    assert notebook.read_text() == today


def test_a_learners_work_is_not_overwritten(workshop):
    """A notebook that git knows, changed in JupyterLab, is kept until --force says otherwise; a wrong merge is not."""
    text, notebook, run = workshop
    run()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(text.parents[2])]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    mine = notebook.read_text().replace("A trial", "My own trial")
    notebook.write_text(mine)
    code, _, told = run()
    assert code == 1 and "--force" in told and notebook.read_text() == mine
    subprocess.run([*git, "commit", "-q", "-a", "-m", "wrong"], check=True)
    assert run() == (0, "99_trial: run again (it was changed by hand)", "") and "My own" not in notebook.read_text()


@pytest.mark.parametrize(("line", "word"), [("1 / 0", "ZeroDivisionError"),
                                            ("import sys; print('oh', file=sys.stderr)", "stderr"),
                                            ("object()", "another one at every run")])  # fmt: skip
def test_a_failing_lesson_is_not_stored(workshop, line, word):
    text, notebook, run = workshop
    text.write_text(TRIAL.replace("print(6 * 7)", line))
    code, _, told = run()
    assert code == 1 and word in told and "99_trial" in told and "Traceback" not in told
    assert not notebook.exists()


def test_what_a_cell_found_on_the_builders_machine_is_not_stored():
    found = nbformat.v4.new_output("stream", text="8 GB")
    cells = [nbformat.v4.new_code_cell(metadata={"tags": tags}, outputs=[found]) for tags in ([], ["your-machine"])]
    build._refuse(nbformat.v4.new_notebook(cells=cells))
    assert [cell.outputs[0].text for cell in cells] == ["8 GB", build.ELSEWHERE]


def test_lesson_06_asks_the_model_that_lesson_03_keeps_once_it_is_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIFFUSION_LAB_PROGRESS", str(tmp_path))
    sources = [[cell.source for cell in build.cells_from(LESSONS / "text" / text).cells]
               for text in ("03_train_a_denoiser.md", "06_text_guidance.md")]  # fmt: skip
    trains = next(source for source in sources[0] if "RECIPE.go_on" in source)
    asks = next(source for source in sources[1] if "You type to" in source)
    name = re.search(r'go_on\(.*own_model\("(.+?)"\)', trains)[1]
    said = {"Toy": Toy, "toy": Toy.load("icons")}
    own_model(name).mkdir(parents=True)  # a training that was stopped before its end leaves no model
    exec(asks, said)
    assert said["own"] is said["toy"] and "the course's model" in capsys.readouterr().out
    said["toy"].save(own_model(name))
    exec(asks, said)
    assert said["own"] is not said["toy"] and f"your own model, {name}." in capsys.readouterr().out


CONFLICT = '{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> theirs\n], "metadata": {}}'
BROKEN = [CONFLICT, '{"cells": [', "[]", '"hello"', "5", "null", "{}", "\0", "[" * 100_000,
          '{"cells": 5, "nbformat": 4}', '{"cells": [], "metadata": {"built": 5}, "nbformat": 4, "nbformat_minor": 5}',
          '{"cells": [], "metadata": {"built": {"from": 5}}, "nbformat": 4, "nbformat_minor": 5}']  # fmt: skip


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: content[:40].split("\n")[0])
def test_a_file_that_is_no_notebook_is_a_sentence(tmp_path, content):
    path = tmp_path / "99_trial.ipynb"
    path.write_text(content)
    with pytest.raises(build.LessonError, match="99_trial.ipynb cannot be read .*--force"):
        build.stored(path)


def test_a_broken_lesson_does_not_stop_the_others_and_force_mends_it(workshop):
    text, notebook, run = workshop
    bad, second = text.with_name("98_bad.md"), text.with_name("97_conflict.md")
    second.write_text(TRIAL)
    (notebook.parent / "97_conflict.ipynb").write_text(CONFLICT)
    bad.write_bytes(b"\xff\xfe# A title")
    script = [sys.executable, str(text.parent / "build.py")]  # as `make lessons` starts it
    done = subprocess.run(script, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "99_trial: run again (it is new)\n")
    told = done.stderr
    assert "Traceback" not in told
    assert "98_bad: 98_bad.md cannot be read" in told and "97_conflict: 97_conflict.ipynb cannot be read" in told
    assert (notebook.parent / "97_conflict.ipynb").read_text() == CONFLICT
    bad.unlink()
    assert run("--force", "97") == (0, "97_conflict: run again (--force)", "")
    assert json.loads((text.parent / "built.json").read_text()) == {
        f"{path.stem}.ipynb": copies.digest(notebook.parent / f"{path.stem}.ipynb") for path in (second, text)}


@pytest.mark.parametrize(("wrong", "word"), [(("# A trial", "A trial"), "a title was expected"),
                                             (('"slide"}', '"slyde"}'), "slyde")])  # fmt: skip
def test_a_careless_text_is_told(workshop, wrong, word):
    text, _, run = workshop
    (text.parents[2] / "README.md").write_text("<!-- lessons -->\n<!-- end of lessons -->")
    text.write_text(TRIAL.replace(*wrong))
    code, _, told = run()
    assert code == 1 and word in told and "Traceback" not in told
