"""Build the lessons: text (jupytext's MyST Markdown) in, executed notebook out.

    python lessons/text/build.py [NUMBER ...] [--force]

A notebook keeps, in its own metadata, what it was built from: its code, the pinned versions, and a fingerprint of each
file of the package that its kernel loaded or read. Only where one of these is another now is the lesson run again.
New words in a text, and new scripts or styles of the player, are put into the stored notebook without running a cell.
(So a fresh clone builds nothing; and the record need not be believed: `make test` runs every notebook again and
compares what it shows.) Cell ids come from the cells' text, and nothing in a notebook tells the time or the machine,
so that building an unchanged lesson changes nothing. A notebook that holds work of your own is not touched without
--force. A text or a notebook that cannot be read stops its own lesson and no other. What was stored is written down in
`built.json`: those notebooks, and no others, `make lab` trusts. At the end the README's table of lessons is written.
"""

import argparse
import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from origins import ROOT, TELL, WATCH, changed, digest_of, prints

from diffusion_lab.controls import VIEW
from diffusion_lab.coursework.lessons import title
from diffusion_lab.errors import LabError
from diffusion_lab.files import whole

LESSONS = ROOT / "lessons"
BUILT = LESSONS / "text" / "built.json"
MODULES = ROOT / "diffusion_lab" / "coursework" / "lessons"
PICTURE = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]*")
ADDRESS = re.compile(r"<[\w.]+( object)? at 0x[0-9a-f]+>")
SECONDS_A_CELL = 300
ELSEWHERE = "Run this cell: it looks at your machine, not at the one where this page was made.\n"
SLIDE_TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
TABLE = re.compile(r"(?<=<!-- lessons -->\n).*?(?=<!-- end of lessons -->)", re.S)


class LessonError(Exception):
    """A lesson that must not be stored: what went wrong, and in which cell."""


@contextmanager
def readable(path: Path, remedy: str) -> Iterator[None]:
    """Within it, a file that cannot be read, or does not hold what it should, is a LessonError that names it."""
    try:
        yield
    except LessonError:
        raise
    except Exception as error:  # a file may hold anything: half of itself, a merge conflict, another format
        said = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise LessonError(f"{path.name} cannot be read ({said}); {remedy}") from None


def texts(numbers=()) -> list[Path]:
    """The lessons' texts in order, all or those whose number is named."""
    found = sorted((LESSONS / "text").glob("[0-9][0-9]_*.md"))
    return [path for path in found if not numbers or path.name[:2] in numbers]


def notebook_path(text: Path) -> Path:
    return LESSONS / f"{text.stem}.ipynb"


def cells_from(text: Path) -> nbformat.NotebookNode:
    """The notebook that a text stands for, not yet run: cells with stable ids, and a kernel that needs no choice."""
    with readable(text, "mend the text"):
        notebook = jupytext.read(text, fmt="md:myst")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        slide = cell.metadata.setdefault("slideshow", {"slide_type": "-"})  # "-" continues the slide before it
        if not isinstance(slide, dict) or slide.get("slide_type") not in SLIDE_TYPES:
            raise LessonError(f'as "slideshow" {{"slide_type": ...}} was expected, one of {SLIDE_TYPES}; {slide!r} '
                              f"came from the cell\n\n{cell.source}")
        if slide["slide_type"] == "notes":
            cell.source = f"<!-- speaker notes\n\n{cell.source}\n\n-->"
        digest = digest_of(f"{cell.cell_type}{cell.source}")[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run every cell in a fresh kernel, in the lessons' folder; refuse errors and whatever reaches stderr."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ["DIFFUSION_LAB_PROGRESS"] = os.path.join(os.devnull, "nowhere")  # as before the first lesson
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    client = NotebookClient(
        notebook, timeout=SECONDS_A_CELL, kernel_name="python3", record_timing=False, coalesce_streams=True,
        store_widget_state=False, extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(LESSONS)}},
    )  # fmt: skip
    try:
        files = _run(client, notebook)
    except CellExecutionError as error:
        raise LessonError(f"a cell failed with {error.ename}: {error.evalue}\n{_where(notebook)}") from None
    except CellTimeoutError:
        raise LessonError(f"a cell ran for more than {SECONDS_A_CELL} s\n{_last(notebook)}") from None
    except (DeadKernelError, AssertionError):  # nbclient asserts something of the kernel while it says that it died
        raise LessonError(f"the kernel died\n{_last(notebook)}") from None
    _refuse(notebook)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["built"] = {"from": prints(notebook, files)}
    nbformat.validate(notebook)
    return notebook


def _run(client: NotebookClient, notebook: nbformat.NotebookNode) -> dict[str, list[str]]:
    """Run the cells; returns the files that the kernel loaded, showed and read."""
    def aside(source: str) -> str:
        notebook.cells.append(nbformat.v4.new_code_cell(source))
        done = client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1, store_history=False)
        notebook.cells.pop()
        return "".join(output.text for output in done.outputs)

    with client.setup_kernel():
        aside(WATCH)
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index, execution_count=client.code_cells_executed)  # WATCH was one
        return json.loads(aside(TELL))


def _refuse(notebook: nbformat.NotebookNode) -> None:
    """Raise LessonError for an output that no learner should see, or that is another one at every run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "your-machine" in cell.metadata.get("tags", []):
            cell.outputs = [nbformat.v4.new_output("stream", text=ELSEWHERE)]
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(VIEW, None)  # of a control the words stay that stand in its place
            if output.get("name") == "stderr":
                raise LessonError(f"a learner would see this on stderr:\n{output.text}\nfrom the cell\n\n{cell.source}")
            if found := ADDRESS.search(PICTURE.sub("", json.dumps(output))):
                raise LessonError(f"this is another one at every run: {found.group()}\nfrom the cell\n\n{cell.source}")


def _where(notebook: nbformat.NotebookNode) -> str:
    """The cell that failed, and the last lines of its traceback."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
                trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback)).replace("Traceback", "trace")
                return "\n".join([*trace.splitlines()[-12:], "", "in the cell", "", cell.source])
    return ""


def _last(notebook: nbformat.NotebookNode) -> str:
    """The cell that was running: the first code cell without an execution count."""
    waiting = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None]
    return f"in the cell\n\n{waiting[0]}" if waiting else ""


# --- storing -----------------------------------------------------------------------------------------------------


def sealed(notebook: nbformat.NotebookNode) -> str:
    """The notebook as it is stored, with a seal that tells whether somebody has worked in it since."""
    notebook.metadata["built"]["seal"] = seal_of(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def stored(path: Path) -> nbformat.NotebookNode:
    """The notebook in a file; raises LessonError for a file that holds none."""
    remedy = f"take the one that git keeps (git checkout lessons/{path.name}), or build it anew with --force"
    with readable(path, remedy):
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(notebook)
        record = notebook.metadata.get("built", {})
        dict(record.get("from") or {}), record.get("seal")  # what it was built from can be read, too
    return notebook


def store(path: Path, after: str) -> None:
    """Write a notebook, where it is another one, and write down that it was built here."""
    if not path.is_file() or path.read_bytes() != after.encode():
        written(path, after)
    with readable(BUILT, f"delete lessons/text/{BUILT.name} and build with --force"):
        known = json.loads(BUILT.read_text(encoding="utf-8")) if BUILT.exists() else {}
        now = {name: digest for name, digest in known.items() if (LESSONS / name).exists()}
    now = dict(sorted({**now, path.name: hashlib.sha256(after.encode()).hexdigest()}.items()))
    if now != known:
        written(BUILT, json.dumps(now, indent=1) + "\n")


def written(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the line ends that git keeps."""
    try:
        with whole(path) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    except LabError as error:
        raise LessonError(str(error)) from None


def seal_of(notebook: nbformat.NotebookNode) -> str:
    return digest_of(json.dumps(notebook.cells, sort_keys=True))


def is_edited(path: Path, old: nbformat.NotebookNode) -> bool:
    """Does a notebook hold work of somebody's own: neither what was built nor what git keeps?"""
    if seal_of(old) == old.metadata.get("built", {}).get("seal"):
        return False
    git = ["git", "status", "--porcelain", "--", str(path)]
    told = subprocess.run(git, cwd=ROOT, capture_output=True, text=True).stdout
    return bool(told) and not told.startswith("??")


def renewed(fresh: nbformat.NotebookNode, old: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, list[str]]:
    """A lesson's cells with the stored outputs of the same code, in today's scripts and styles; no cell is run.

    Returns the notebook, and the names of scripts that cannot read the stored data: their lesson must be run again.
    """
    unreadable = []
    ran = iter([cell for cell in old.cells if cell.cell_type == "code"])
    for cell in fresh.cells:
        if cell.cell_type == "code":
            before = next(ran)
            cell.outputs, cell.execution_count = before.outputs, before.execution_count
            for output in cell.outputs:
                html = output.get("data", {}).get("text/html", "")
                if "data-lab=" in html:
                    from diffusion_lab import figures, player, templates, touch

                    parts = (*player.parts(), *figures.parts(), *touch.parts())
                    output.data["text/html"], left = templates.renew(html, parts)
                    unreadable += left
    fresh.metadata["built"] = old.metadata.get("built", {})
    return fresh, unreadable


def build(text: Path, force: bool) -> str:
    """Build one lesson; return what was done."""
    target, fresh = notebook_path(text), cells_from(text)
    old = stored(target) if target.exists() and not force else None
    before = target.read_bytes() if target.is_file() else b""
    why = ["--force"] if force else ["it is new"] if old is None else changed(fresh, old)
    if old is not None:
        if is_edited(target, old):
            raise LessonError("the notebook holds changes of its own (saved in JupyterLab?); keep a copy of what you "
                              "want, then build with --force")
        if not why and seal_of(old) != old.metadata.built.get("seal"):
            why = ["it was changed by hand"]
        if not why:
            fresh, why = renewed(fresh, old)
    after = sealed(executed(cells_from(text)) if why else fresh)
    store(target, after)
    same = after.encode() == before
    if why:
        return f"run again{', the same' if same else ''} ({', '.join(why[:3])})"
    return "unchanged" if same else "renewed"


# --- the README's table ------------------------------------------------------------------------------------------


def table() -> str:
    """The README's rows: number, title as the text has it, and the first sentences of the lesson's module."""
    rows = ""
    for text in texts():
        with readable(text, "mend the text"):
            _, name = title(text.read_text(encoding="utf-8"))
        if not name:
            raise LessonError(f"{text.name}: a title was expected, a line that begins with `# `; give it one")
        rows += f"| {text.name[:2]} | [{name}](lessons/{text.stem}.ipynb) | {about(text)} |\n"
    return rows


def about(text: Path) -> str:
    """The first line of the docstring of a lesson's module; nothing where there is no module."""
    module = MODULES / f"lesson_{text.name[:2]}.py"
    if not module.exists():
        return ""
    with readable(module, "mend the module"):
        said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not said:
        raise LessonError(f"{module.name}: a docstring of one sentence was expected, for the README; write it")
    return said.splitlines()[0]


def tell_readme() -> None:
    path = ROOT / "README.md"
    if path.exists():
        before = path.read_text(encoding="utf-8")
        after = TABLE.sub(lambda _: f"\n| | | |\n|---|---|---|\n{table()}\n", before)
        if after != before:
            written(path, after)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the lessons whose code, or whose part of the package, changed.")
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="only these lessons, such as 01")
    parser.add_argument("--force", action="store_true", help="build even what did not change")
    args = parser.parse_args()
    failures = []
    known = {path.name[:2] for path in texts()}
    if unknown := sorted(number for number in args.numbers if number.zfill(2) not in known):
        sys.exit(f"the number of a lesson was expected, one of {', '.join(sorted(known))}; {', '.join(unknown)} came")
    for text in texts([number.zfill(2) for number in args.numbers]):
        try:
            print(f"{text.stem}: {build(text, args.force)}", flush=True)
        except LessonError as error:
            failures.append(f"{text.stem}: {error}")
    try:
        tell_readme()
    except LessonError as error:
        failures.append(f"README.md: {error}")
    sys.exit("\n\n".join(failures) or None)


if __name__ == "__main__":
    main()
