"""Build the lessons: text (jupytext's MyST Markdown) in, executed notebook out.

    python lessons/text/build.py [NUMBER ...] [--force]

A notebook is built again when its text, the package or the pinned versions changed since this machine built it. Cell
ids come from the cells' text, and nothing in a notebook tells the time or the machine, so that building an unchanged
lesson changes nothing. Where a machine builds a lesson for the first time and only the pixels come out differently,
the stored notebook stays. A notebook that holds work of your own is not touched without --force.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[2]
LESSONS = ROOT / "lessons"
PICTURE = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]*")
ADDRESS = re.compile(r"<[\w.]+( object)? at 0x[0-9a-f]+>")
SECONDS_A_CELL = 300


class LessonError(Exception):
    """A lesson that must not be stored: what went wrong, and in which cell."""


def texts(numbers=()) -> list[Path]:
    """The lessons' texts in order, all or those whose number is named."""
    found = sorted((LESSONS / "text").glob("[0-9][0-9]_*.md"))
    return [path for path in found if not numbers or path.name[:2] in numbers]


def notebook_path(text: Path) -> Path:
    return LESSONS / f"{text.stem}.ipynb"


def cells_from(text: Path) -> nbformat.NotebookNode:
    """The notebook that a text stands for, not yet run: cells with stable ids, and a kernel that needs no choice."""
    notebook = jupytext.read(text, fmt="md:myst")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        slide = cell.metadata.setdefault("slideshow", {"slide_type": "-"})  # "-" continues the slide before it
        if slide["slide_type"] == "notes":
            cell.source = f"<!-- speaker notes\n\n{cell.source}\n\n-->"
        digest = hashlib.sha256(f"{cell.cell_type}{cell.source}".encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run every cell in a fresh kernel, in the lessons' folder; refuse errors and whatever reaches stderr."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    client = NotebookClient(
        notebook, timeout=SECONDS_A_CELL, kernel_name="python3", record_timing=False, coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"], resources={"metadata": {"path": str(LESSONS)}},
    )  # fmt: skip
    try:
        client.execute()
    except CellExecutionError as error:
        raise LessonError(f"a cell failed with {error.ename}: {error.evalue}\n{_where(notebook)}") from None
    except CellTimeoutError:
        raise LessonError(f"a cell ran for more than {SECONDS_A_CELL} s\n{_last(notebook)}") from None
    except (DeadKernelError, AssertionError):  # nbclient asserts something of the kernel while it says that it died
        raise LessonError(f"the kernel died\n{_last(notebook)}") from None
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise LessonError(f"a learner would see this on stderr:\n{output.text}\nfrom the cell\n\n{cell.source}")
            if found := ADDRESS.search(PICTURE.sub("", json.dumps(output))):
                raise LessonError(f"this is another one at every run: {found.group()}\nfrom the cell\n\n{cell.source}")
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.validate(notebook)
    return notebook


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


def stored(notebook: nbformat.NotebookNode) -> str:
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def digest_of(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_edited(notebook: Path, before: str, known: str | None) -> bool:
    """Does a notebook hold work of somebody's own: neither what was built here nor what git keeps?"""
    if not before or digest_of(before.encode()) == known:
        return False
    git = ["git", "status", "--porcelain", "--", str(notebook)]
    told = subprocess.run(git, cwd=ROOT, capture_output=True, text=True).stdout
    return bool(told) and not told.startswith("??")


def state(text: Path) -> str:
    """What a notebook depends on, as one digest."""
    package = ROOT / "diffusion_lab"
    away = {"commands", "__pycache__", "__main__.py"}
    parts = [p for p in sorted(package.rglob("*")) if p.is_file() and not away & set(p.relative_to(package).parts)]
    files = [text, Path(__file__), ROOT / "constraints.txt", *parts]
    return digest_of(*(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() for path in files))


def build(text: Path, built: dict[str, list[str]], force: bool) -> str:
    """Build one lesson; return what was done. `built` holds the state and the notebook's digest of each."""
    target = notebook_path(text)
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    known = built.get(text.stem, [None, None])
    if not force and known == [state(text), digest_of(before.encode())]:
        return "unchanged"
    if not force and is_edited(target, before, known[1]):
        raise LessonError("the notebook holds changes of its own (saved in JupyterLab?); keep a copy of what you want, "
                          "then build with --force")  # fmt: skip
    after = stored(executed(cells_from(text)))
    same_but_pixels = PICTURE.sub("", after) == PICTURE.sub("", before)
    if same_but_pixels and text.stem not in built and not force:
        after = before
    if after != before:
        target.write_text(after, encoding="utf-8")
    built[text.stem] = [state(text), digest_of(after.encode())]
    return "built" if after != before else "the same again"


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the lessons whose text or package changed.")
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="only these lessons, such as 01")
    parser.add_argument("--force", action="store_true", help="build even what did not change")
    args = parser.parse_args()
    record = Path(os.environ.get("DIFFUSION_LAB_BUILT", Path(sys.prefix) / "lessons_built.json"))
    built = json.loads(record.read_text()) if record.exists() else {}
    failures = []
    for text in texts(args.numbers):
        try:
            print(f"{text.stem}: {build(text, built, args.force)}", flush=True)
        except LessonError as error:
            failures.append(f"{text.stem}: {error}")
        record.write_text(json.dumps(built, indent=1))
    sys.exit("\n\n".join(failures) or None)


if __name__ == "__main__":
    main()
