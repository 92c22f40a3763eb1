"""The course as a site of static pages: `make site` writes it to build/site, from the stored notebooks, offline.

    python docs/site/build.py [--out build/site]

What Sphinx reads is put together in build/pages: the pages beside this file, every lesson without its speaker notes and
with its long code folded as on slides, a page of the package's reference for each public module, the model cards. The
site has relative addresses only: any folder of any host serves it. Where the extra `web` and ONNX Runtime Web are
installed, a page that draws is among them (drawing.py); elsewhere a line says what it lacks.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

import drawing
import nbformat
from sphinx.cmd.build import build_main

from diffusion_lab.commands import copies
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.coursework.lessons import title
from diffusion_lab.coursework.slides import decks
from diffusion_lab.places import WEIGHTS

HERE, PAGES = Path(__file__).parent, ROOT / "build" / "pages"
TABLE = re.compile(r"<!-- lessons -->\n(.*?)<!-- end of lessons -->", re.S)
START = re.compile(r"## Start\n(.*?)\n## ", re.S)
DRAWN = """## Draw something now

A small Stable Diffusion runs in your browser, and [every step of it](draw.md) can be looked at.

```{raw} html
<<compact>>
```"""
PICTURE = re.compile(r"!\[([^]]*)\]\((docs/[^)]+)\)")


def main() -> None:
    """Put the pages together, let Sphinx write the site, take notebooks and slides along; a warning is an error."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    out = given.parse_args().out
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(HERE, PAGES, ignore=shutil.ignore_patterns("build.py", "drawing.py", "__pycache__", "draw"))
    for folder in ("_static", "lessons", "models", "reference", "extra/notebooks", "extra/slides"):
        (PAGES / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(decks.ASSETS / "tex-svg.js", PAGES / "_static")
    lessons = copies.lessons()
    for path in lessons:
        lesson(path)
    lacks = drawing.missing()
    index(lessons, draws=not lacks)
    if lacks:
        (PAGES / "draw.md").unlink()
    else:
        told = drawing.bring(PAGES / "extra" / "draw")
        fill("draw.md", **told)
        fill("index.md", **told)
    teaching(lessons)
    for path in sorted(WEIGHTS.glob("*/README.md")):
        card(path)
    for name in modules():
        reference(name)
    failed = build_main(["-q", "-W", "--keep-going", "-d", str(ROOT / "build" / "doctrees"), str(PAGES), str(out)])
    if failed:
        sys.exit(failed)
    for path in (path for path in out.rglob("*.html") if path.parent.name != "slides"):
        path.write_text(for_everyone(path.read_text(encoding="utf-8")), encoding="utf-8")
    if lacks:
        (out / "draw.html").unlink(missing_ok=True)  # of an earlier build
        shutil.rmtree(out / "draw", ignore_errors=True)
        print(f"without the page that draws: {lacks}")
    print(out / "index.html")


def lesson(path: Path) -> None:
    """A lesson's page; beside it its notebook, its slides and its notes, to be taken away."""
    notebook, above = nbformat.read(path, as_version=4), ""
    notebook.cells = [cell for cell in notebook.cells if decks.slide_type(cell) != "notes"]
    for cell in notebook.cells:
        if cell.cell_type == "code" and decks.folded(cell, above):
            cell.metadata.tags = ["hide-input"]
        above = cell.source if cell.cell_type == "markdown" else ""
    away = (f'<p class="away">All of it has been run; players and sliders answer here. To write the code yourself, '
            f'take <a href="../notebooks/{path.name}" download>the notebook</a>; to show it, '
            f'<a href="../slides/{path.stem}.html">the slides</a>.</p>')  # fmt: skip
    heading, _, text = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{heading}\n\n{away}\n{text}"
    nbformat.write(notebook, PAGES / "lessons" / path.name)
    shutil.copy(path, PAGES / "extra" / "notebooks")
    decks.write(path, PAGES / "extra" / "slides")


def index(lessons: list[Path], draws: bool) -> None:
    """The first page, with what the README says of the course and of how to begin; it leads to the page that draws."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    alt, picture = PICTURE.search(readme).groups()
    shutil.copy(ROOT / picture, PAGES)
    table = "\n".join(TABLE.search(readme)[1].strip().splitlines()[2:])
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    listed = "\n".join(f"- **{number} {name}.** {asks}" for number, name, asks in rows)
    fill("index.md", alt=alt, picture=Path(picture).name, lessons=listed, start=START.search(readme)[1],
         draw="draw" if draws else "", drawn=DRAWN if draws else "",
         files="\n".join(f"lessons/{path.stem}" for path in lessons))  # fmt: skip


def teaching(lessons: list[Path]) -> None:
    """The teachers' page: the slides of every lesson, its notes, and how long it takes to tell."""
    lines = ["| Lesson | Slides | Notes | To tell |", "|---|---|---|---|"]
    for path in lessons:
        notebook = decks.read(path)
        minutes = sum(slide.minutes for slide in decks.slides(notebook))
        links = f"<a href=\"slides/{path.stem}.html\">Slides</a> | <a href=\"slides/{path.stem}_notes.html\">Notes</a>"
        lines.append(f"| [{' '.join(titled(notebook))}](lessons/{path.name}) | {links} | {minutes} minutes |")
    fill("teaching.md", decks="\n".join(lines))


def titled(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """A lesson's number and title."""
    return title("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"))


def fill(name: str, **texts: str) -> None:
    """Put texts into the places of a page that are called <<so>>."""
    page = (PAGES / name).read_text(encoding="utf-8")
    for place, text in texts.items():
        page = page.replace(f"<<{place}>>", text)
    (PAGES / name).write_text(page, encoding="utf-8")


def card(path: Path) -> None:
    """A model card, without what is meant for a hub."""
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
    (PAGES / "models" / f"{path.parent.name}.md").write_text(text, encoding="utf-8")


def modules() -> list[str]:
    """The public modules of the package, as its list of names says."""
    listed = (ROOT / "diffusion_lab" / "__init__.pyi").read_text(encoding="utf-8")
    return re.findall(r"^from \. import (\w+) as", listed, re.M)


def reference(name: str) -> None:
    """The page of a module: its docstrings."""
    title = f"diffusion_lab.{name}"
    (PAGES / "reference" / f"{name}.rst").write_text(
        f"{title}\n{'=' * len(title)}\n\n.. automodule:: {title}\n", encoding="utf-8"
    )


def for_everyone(html: str) -> str:
    """A page with three faults of the theme's mended for those who hear it or use a keyboard: headings without a level,
    folds with another name than is seen, and code that scrolls but cannot have the focus. Where an output points at a
    lesson's notebook, it points at its page."""
    html = re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="\1.html"', html)
    html = html.replace('role="heading">', 'role="heading" aria-level="2">')
    return html.replace(' aria-label="Toggle hidden content"', "").replace("<pre>", '<pre tabindex="0">')


if __name__ == "__main__":
    main()
