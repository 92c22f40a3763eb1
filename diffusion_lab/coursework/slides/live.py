"""A lesson as live slides inside JupyterLab (jupyterlab-slideshow's Deck mode): a copy, made to be presented.

The lesson itself stays as it is, whatever is run, typed or broken in front of the class. In the copy every subslide is
a slide, and one key walks through all of them; notes are left out (they are for the speaker); code that is on no slide
stays, out of sight; long code and lone calls of a player are folded; and one more cell, on every slide, holds what the
Deck mode lacks: sizes for a projector, content shrunk to fit, a way out and back, and arrow keys that come back from a
player. The commands `slides:turn` and `slides:run` are those of the course's own extension of JupyterLab
(commands/jupyter/labextensions): a cell is run after those above it that were not run yet.
"""

import json
from pathlib import Path

import nbformat

from ...templates import fill
from .decks import ASSETS, HEIGHT, WIDTH, folded, slide_type, titled

WALKING = ".jp-Deck.jp-NotebookPanel .jp-Notebook.jp-mod-commandMode:not(.jp-mod-readWrite) :focus"
TYPING = ".jp-Deck.jp-NotebookPanel .jp-Notebook.jp-mod-editMode"
TURNS = {"ArrowRight": 1, "Space": 1, "PageDown": 1, "ArrowLeft": -1, "Shift Space": -1, "PageUp": -1}
SHORTCUTS = [  # a slide at a time, whatever can be run on it; and running a cell must not turn it before it was seen
    *({"keys": [key], "command": "slides:turn", "args": {"by": by}, "selector": WALKING} for key, by in TURNS.items()),
    {"keys": ["Shift Enter"], "command": "slides:run", "selector": WALKING},
    {"keys": ["Shift Enter"], "command": "slides:run", "selector": TYPING},
]


def live_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook to present."""
    copy = titled(notebook)
    copy.cells = [cell for cell in copy.cells if slide_type(cell) not in ("notes", "skip") or cell.cell_type == "code"]
    above = ""
    for cell in copy.cells:
        kind = {"subslide": "slide", "notes": "skip"}.get(slide_type(cell), slide_type(cell))
        cell.metadata.pop("slideshow", None)
        if kind in ("slide", "skip"):
            cell.metadata["slideshow"] = {"slide_type": kind}
        if cell.cell_type == "code" and folded(cell, above):
            cell.metadata["jupyter"] = {"source_hidden": True}
        above = cell.source if cell.cell_type == "markdown" else ""
    copy.cells.insert(1, _stage())
    return copy


def _stage() -> nbformat.NotebookNode:
    """The cell that stands on every slide."""
    slide, page = ((ASSETS / name).read_text(encoding="utf-8") for name in ("slide.js", "live.html"))
    html = fill(page, width=WIDTH, height=HEIGHT, slide=slide)
    output = nbformat.v4.new_output("display_data", {"text/html": html})
    cell = nbformat.v4.new_code_cell("# This cell carries the look of the slides; leave it here.", outputs=[output])
    cell.id, cell.execution_count = "dl-stage", 1
    cell.metadata = {"jupyterlab-slideshow": {"layer": "deck"},
                     "jupyter": {"source_hidden": True}, "editable": False, "deletable": False, "tags": ["stage"]}
    return nbformat.from_dict(cell)


def settings(folder: Path) -> None:
    """Write the JupyterLab settings of a presentation into its own folder: Deck mode on, and a clicker's keys."""
    files = {
        "jupyterlab-slideshow/plugin": {"active": True},
        "@jupyterlab/shortcuts-extension/shortcuts": {"shortcuts": SHORTCUTS},
        "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/notebook-extension/tracker": {"autoStartDefaultKernel": True},
    }
    for name, values in files.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")
