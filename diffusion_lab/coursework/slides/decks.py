"""A lesson as one HTML file of slides that opens from a USB stick, and its speaker notes as a page to print.

The notebook is what is shown: its stored outputs, its cells in their slides (slide metadata, where every slide and
subslide is one step to the right), its notes in reveal.js's speaker view (key s). Everything is inside the file:
reveal.js, MathJax, the players. Nothing is fetched, and nothing is run.
"""

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import nbformat
from nbconvert.filters import Highlight2HTML, markdown2html

from ...errors import LabError
from ...files import whole
from ...templates import fill
from ..lessons import title

ASSETS = Path(__file__).parent / "assets"
WIDTH, HEIGHT = 1280, 720
LONG = 6  # a code cell with more lines is folded: on a projector a figure matters more than how it is drawn
DRAWS = re.compile(r"\b(alt|ask)=|NBVAL_")  # so is one that draws with words for the blind, or gives a guess away
ASKS = re.compile(r"= \.\.\.|\btodo\(\)")  # what a class writes into is never folded
POINTS = re.compile(r"\blines\b.*\Z")  # nor is what the last words above it point at
DRAWN = re.compile(r"<figure|dl-player")
WAITS = re.compile(r"^.* \.\.\.\n", re.M)  # what a cell says while it works is over on a slide
HEADING = re.compile(r"^#{1,2} +(.+)$", re.M)
LEAD = re.compile(r"^\*\*(.+?)\.?\*\* +")
NOTE = re.compile(r"^<!-- speaker notes\s*(.*?)\s*-->$", re.S)
MOVED = re.compile(r'<p class="dl-moved".*?</p>', re.S)  # where controls stand while a kernel runs
IDS = re.compile(r"<!-- formula: [\w-]+ -->\n?")
ANCHOR = re.compile(r'<a class="anchor-link".*?</a>')
MINUTES = re.compile(r"(\d+) minutes?\b")


@dataclass
class Slide:
    """One slide: its cells as pieces of HTML, what the speaker wants to say (Markdown), the number of its group."""

    group: int
    pieces: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        found = re.search(r"<h[12][^>]*>(.*?)</h[12]>", "".join(self.pieces), re.S)
        return re.sub(r"<[^>]+>", "", found[1]).strip() if found else ""

    @property
    def minutes(self) -> int:
        return sum(int(found) for note in self.notes for found in MINUTES.findall(note)[:1])


def slides(notebook: nbformat.NotebookNode) -> list[Slide]:
    """The slides of a notebook in their order; raises LabError where it has none."""
    found: list[Slide] = []
    above = ""
    for cell in titled(notebook).cells:
        kind = slide_type(cell)
        if kind in ("slide", "subslide"):
            found.append(Slide((found[-1].group if found else -1) + (kind == "slide" or not found)))
        if kind == "skip" or not found:
            continue
        if kind == "notes":
            found[-1].notes.append(_note(cell.source))
        else:
            words = cell.cell_type == "markdown"
            found[-1].pieces.append(_markdown(cell.source) if words else _code(cell, above))
            above = cell.source if words else ""
    if not found:
        raise LabError("a lesson with slides was expected; no cell of this notebook begins one; "
                       "give a cell the slide type \"slide\"")
    return found


def slide_type(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def titled(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy in which every subslide has a title: its bold first words, or else the title of the slide before it."""
    copy = nbformat.reads(nbformat.writes(notebook), as_version=4)
    title = ""
    for cell in copy.cells:
        if cell.cell_type != "markdown" or slide_type(cell) in ("notes", "skip"):
            continue
        if slide_type(cell) == "subslide" and not HEADING.search(cell.source):
            lead = LEAD.match(cell.source)
            name, text = (lead[1], cell.source[lead.end():]) if lead else (title, cell.source)
            cell.source = f"## {name}\n\n{text}" if name else text
        title = ([*HEADING.findall(cell.source)] or [title])[0]
    return copy


def folded(cell: nbformat.NotebookNode, above: str = "") -> bool:
    """Is the code of a cell folded on a slide, below the words `above` it? (A lone `Player(path)` says no more than its
    player.)"""
    lines, outputs = cell.source.count("\n") + 1, cell.get("outputs", [])
    speaks = lines == 1 or DRAWS.search(cell.source) is not None
    draws = any(DRAWN.search(output.get("data", {}).get("text/html", "")) for output in outputs)  # pictures need room
    return not _needed(cell, above) and (lines > LONG or draws or (bool(outputs) and speaks))


def _needed(cell: nbformat.NotebookNode, above: str) -> bool:
    return bool(ASKS.search(cell.source) or POINTS.search(above.rstrip()))


def _note(source: str) -> str:
    """Notes stand in an HTML comment, so that they are no part of what a learner reads."""
    found = NOTE.match(source.strip())
    return found[1] if found else source


def _markdown(source: str) -> str:
    return ANCHOR.sub("", markdown2html(IDS.sub("", source)))


def _code(cell: nbformat.NotebookNode, above: str) -> str:
    code = Highlight2HTML(pygments_lexer="ipython3")(cell.source, language="ipython3") if cell.source.strip() else ""
    if folded(cell, above):
        code = f"<details class='code'><summary>The code</summary>{code}</details>"
        code *= "\n" in cell.source  # nothing can be run here: one line is not worth a fold
    return code + "".join(map(_output, cell.get("outputs", [])))


def _output(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        text = WAITS.sub("", output.text)
        return f"<pre class='out'>{escape(text)}</pre>" if text else ""
    if output.output_type == "error":
        return f"<pre class='out'>{escape(output.ename)}: {escape(output.evalue)}</pre>"
    data = output.data
    if "text/html" in data:
        html = MOVED.sub("<p class='dl-moved'>(live in the notebook)</p>", data["text/html"])
        return f"<div class='out'>{html}</div>"
    if "text/markdown" in data or "text/latex" in data:
        return f"<div class='out'>{_markdown(data.get('text/markdown') or data['text/latex'])}</div>"
    return f"<pre class='out'>{escape(data.get('text/plain', ''))}</pre>"


def deck(notebook: nbformat.NotebookNode, title: str) -> str:
    """The whole deck as one HTML page."""
    every = slides(notebook)
    sections = "\n".join(
        f"<section><div class='fit'>{''.join(slide.pieces)}</div><aside class='notes'>"
        f"{''.join(map(_markdown, _said(slide, every)))}</aside></section>" for slide in every)
    page = (ASSETS / "deck.html").read_text(encoding="utf-8")
    parts = {
        "title": escape(title), "sections": sections, "width": WIDTH, "height": HEIGHT,
        "css": _asset("reveal.css") + _asset("deck.css"), "pygments": _pygments(),
        "slide": _asset("slide.js"), "reveal": _script("reveal.js"), "notes": _script("notes.js"),
        "mathjax": _script("tex-svg.js"),
    }
    return fill(page, **parts)


def _said(slide: Slide, every: list[Slide]) -> list[str]:
    """What is said to a slide: its notes, or where it has none those of its group, of the slide before it first."""
    group = [other for other in every if other.group == slide.group]
    k = next(i for i, other in enumerate(group) if other is slide)
    return next((other.notes for other in (*group[k::-1], *group[k:]) if other.notes), [])


def notes_page(notebook: nbformat.NotebookNode, title: str) -> str:
    """The speaker notes on a page to print: number, title and time of each slide, and what to say."""
    every = slides(notebook)
    rows = "\n".join(
        f"<section><h2>{i}. {slide.title}</h2>{''.join(map(_markdown, _said(slide, every)))}"
        "</section>" for i, slide in enumerate(every, 1))
    total = sum(slide.minutes for slide in every)
    return (f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Notes: {escape(title)}</title>"
            f"<style>{_asset('notes.css')}</style></head><body><main><h1>{escape(title)}</h1>"
            f"<p>{len(every)} slides, about {total} minutes.</p>\n{rows}\n</main></body></html>\n")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    """A script that may stand inside a page: none of its strings ends the element."""
    return re.sub(r"</(script)", r"<\\/\1", _asset(name), flags=re.I).replace("<!--", "<\\!--")


def _pygments() -> str:
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style="xcode").get_style_defs(".highlight")


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook in a file; raises LabError where it is cut, holds a merge conflict, or is no notebook at all."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            slide_type(cell)
    except Exception as error:  # nbformat raises whatever its own lines run into
        said = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise LabError(f"a notebook was expected in {path}; it cannot be read ({said}); take the course's own: "
                       f"git checkout lessons/{path.name}") from None
    return notebook


def write(notebook_path: Path, folder: Path) -> tuple[Path, Path]:
    """Write a lesson's deck and its notes into a folder; returns both paths."""
    notebook = read(notebook_path)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    name = " · ".join(filter(None, title(text))) or notebook_path.stem
    paths = folder / f"{notebook_path.stem}.html", folder / f"{notebook_path.stem}_notes.html"
    for path, text in zip(paths, (deck(notebook, name), notes_page(notebook, name)), strict=True):
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")
    return paths
