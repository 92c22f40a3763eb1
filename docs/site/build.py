"""The course as a site of static pages: `make site` writes it to build/site, from the stored notebooks, offline.

    python docs/site/build.py [--out build/site]

What Sphinx reads is put together in build/pages: the pages beside this file, every lesson without its speaker notes and
with its long code folded as on slides, a page of the package's reference for each public module, the model cards. The
site has relative addresses only: any folder of any host serves it. Where the extra `web` and ONNX Runtime Web are
installed, a page that draws is among them (drawing.py); elsewhere a line says what it lacks.
"""

import argparse
import functools
import re
import shutil
import sys
from html import escape
from pathlib import Path

import drawing
import nbformat
from sphinx.cmd.build import build_main

from diffusion_lab.commands import copies
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.coursework.lessons import title
from diffusion_lab.coursework.slides import decks
from diffusion_lab.errors import LabError
from diffusion_lab.places import WEIGHTS

HERE, PAGES = Path(__file__).parent, ROOT / "build" / "pages"
WALK = re.compile(r"<<walk ([\d -]+)>>")
TRY = {
    "00": ("Type a sentence of your own", "prompt=a+cat+riding+a+skateboard&seed=1"),
    "06": ("Turn up the prompt's pull", "prompt=a+penguin+on+mars&guidance=6"),
    "07": ("See the latents of every step", "prompt=an+astronaut+riding+a+horse+on+mars"),
    "08": ("Drive the same loop with other samplers", "prompt=a+robot+in+the+city&sampler=ddim&steps=20"),
    "11": ("Draw with four calls, with three, with two", "prompt=an+astronaut+riding+a+horse+on+mars&steps=4"),
}  # where the page that draws shows what a lesson tells: what one does there, and what it begins with
MOVED = re.compile(r'(<p class="dl-moved"[^>]*>[^<]*\(prompt, (?:seed|w)\)[^<]*)</p>')
WRITTEN = ("*.html", "_images", "_sources", "_static", "draw", "lessons", "models", "notebooks", "reference", "slides")
TABLE = re.compile(r"<!-- lessons -->\n(.*?)<!-- end of lessons -->", re.S)
START = re.compile(r"## Start\n(.*?)\n## ", re.S)
DRAWN = """## Draw something now

A small Stable Diffusion runs in your browser, and [every step of it](draw.md) can be looked at.

```{raw} html
<<compact>>
```"""
# A page takes nothing from elsewhere and sends nothing there; its scripts may compile WebAssembly, and no text.
POLICY = ("default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
          "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'")  # fmt: skip
ONLY_THERE = re.compile(r"\*How to run a cell:")  # what makes sense in a notebook only


def main() -> None:
    """Put the pages together, let Sphinx write the site, take notebooks and slides along; a warning is an error."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    out = given.parse_args().out
    with drawing.alone(PAGES, "a build of the site"):
        build(out)
    print(out / "index.html")


def build(out: Path) -> None:
    """The site, written into `out`."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(HERE, PAGES, ignore=shutil.ignore_patterns("[!c]*.py", "__pycache__", "draw"))
    for folder in ("_static", "lessons", "models", "reference", "extra/notebooks", "extra/slides"):
        (PAGES / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(decks.ASSETS / "tex-svg.js", PAGES / "_static")
    lessons = copies.lessons()
    lacks = drawing.missing()
    for path in lessons:
        lesson(path, draws=not lacks)
    index(lessons, draws=not lacks)
    if lacks:
        (PAGES / "draw.md").unlink()
    else:
        brought = drawing.bring(PAGES / "extra" / "draw")
        fill("draw.md", **brought)
        fill("index.md", **brought)
    teaching(lessons)
    for path in sorted(WEIGHTS.glob("*/README.md")):
        card(path)
    for name in modules():
        reference(name)
    forget(out)
    failed = build_main(["-q", "-W", "--keep-going", "-d", str(ROOT / "build" / "doctrees"), str(PAGES), str(out)])
    if failed:
        sys.exit(failed)
    terse(out / "_static" / "searchtools.js")
    for path in out.rglob("*.js"):
        path.write_text(drawing.escaped(path.read_text(encoding="utf-8")), encoding="ascii")
    for path in (path for path in out.rglob("*.html") if path.parent.name != "slides"):
        path.write_text(for_everyone(path.read_text(encoding="utf-8")), encoding="utf-8")
    if lacks:
        (out / "draw.html").unlink(missing_ok=True)  # of an earlier build
        (out / "offline.js").unlink(missing_ok=True)
        shutil.rmtree(out / "draw", ignore_errors=True)
        print(f"without the page that draws: {lacks}")
    else:
        (out / "offline.js").write_text(drawing.offline(out), encoding="utf-8")


def forget(out: Path) -> None:
    """Take an earlier build of this site away, of which a page may be one no longer; what else lies there stays."""
    listed = out / "objects.inv"
    if not listed.is_file() or b"\n# Project: diffusion_lab\n" not in listed.read_bytes()[:200]:
        return
    for path in (path for name in WRITTEN for path in out.glob(name)):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def lesson(path: Path, draws: bool) -> None:
    """A lesson's page; beside it its notebook, its slides and its notes, to be taken away."""
    notebook, above = nbformat.read(path, as_version=4), ""
    notebook.cells = [cell for cell in notebook.cells
                      if decks.slide_type(cell) != "notes" and not ONLY_THERE.match(cell.source)]  # fmt: skip
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if settled(output)]
            if decks.folded(cell, above):
                cell.metadata.tags = ["hide-input"]
        above = cell.source if cell.cell_type == "markdown" else ""
    if draws and path.stem[:2] in ("00", "08"):  # whose controls ask the model of the page that draws
        typed(notebook.cells)
    heading, _, text = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{heading}\n\n{here(path, draws)}\n{text}"
    nbformat.write(notebook, PAGES / "lessons" / path.name)
    shutil.copy(path, PAGES / "extra" / "notebooks")
    decks.write(path, PAGES / "extra" / "slides")


def settled(output: nbformat.NotebookNode) -> bool:
    """Take from what a cell printed that it is at work; is anything left of it?"""
    if output.output_type == "stream":
        output.text = decks.WAITS.sub("", output.text)
    return output.get("text") != ""


def typed(cells: list[nbformat.NotebookNode]) -> None:
    """Where controls of a prompt stand still, the page that draws does not."""
    drawn = r'\1 Without one, <a href="../draw.html">the page that draws</a> does.</p>'
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        if html := output.get("data", {}).get("text/html"):
            output.data["text/html"] = MOVED.sub(drawn, html)


def here(path: Path, draws: bool) -> str:
    """What a page of the site can do that a lesson cannot, and what it cannot."""
    does, asked = TRY.get(path.stem[:2], ("", "")) if draws else ("", "")
    drawn = f' {does} in <a href="../draw.html#{escape(asked)}">the page that draws</a>.' if does else ""
    there = f'<a href="../notebooks/{path.name}" download>the notebook</a>'
    own = '<a href="../index.html#on-your-own-computer">open it on your computer</a>'
    return (f'<p class="away">A page to read: its code has been run, its players answer, and what '
            f'needs Python to answer says so. Where the text '
            f'says to run or to write a cell, take {there} and {own}; to show the lesson, take '
            f'<a href="../slides/{path.stem}.html">the slides</a>.{drawn}</p>')  # fmt: skip


def index(lessons: list[Path], draws: bool) -> None:
    """The first page, with what the README says of the course and of how to begin; it leads to the page that draws."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shutil.copy(ROOT / "docs" / "from_static.webp", PAGES)
    table = "\n".join(TABLE.search(readme)[1].strip().splitlines()[2:])
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    listed = "\n".join(f"- **{number} {name}.** {asks}" for number, name, asks in rows)
    page = (PAGES / "index.md").read_text(encoding="utf-8")
    (PAGES / "index.md").write_text(WALK.sub(lambda found: walk(found[1], lessons), page), encoding="utf-8")
    fill("index.md", lessons=listed, start=START.search(readme)[1],
         draw="draw" if draws else "", drawn=DRAWN if draws else "",
         files="\n".join(f"lessons/{path.stem}" for path in lessons))  # fmt: skip


def walk(named: str, lessons: list[Path]) -> str:
    """Lessons by their numbers, "00 01 06" or "00-06", as links, and how many hours they take to tell."""
    first, to, last = named.partition("-")
    paths = [path for path in lessons if (first <= path.stem[:2] <= last if to else path.stem[:2] in named.split())]
    links = [f"[{told(path)[0]}](lessons/{path.name})" for path in paths]
    half_hours = round(sum(told(path)[1] for path in paths) / 30)
    hours = f"{half_hours // 2}{'½' * (half_hours % 2)} hours"
    return f"{f'{links[0]} to {links[-1]}' if to else ', '.join(links)}. *{hours}*"


@functools.cache
def told(path: Path) -> tuple[str, int]:
    """A lesson's number and title, and how many minutes it takes to tell, as its notes say."""
    notebook = decks.read(path)
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return " ".join(title(words)), sum(slide.minutes for slide in decks.slides(notebook))


def teaching(lessons: list[Path]) -> None:
    """The teachers' page: the slides of every lesson, its notes, and how long it takes to tell."""
    lines = ["| Lesson | Slides | Notes | To tell |", "|---|---|---|---|"]
    for path in lessons:
        links = f"<a href=\"slides/{path.stem}.html\">Slides</a> | <a href=\"slides/{path.stem}_notes.html\">Notes</a>"
        name, minutes = told(path)
        lines.append(f"| [{name}](lessons/{path.name}) | {links} | {minutes} minutes |")
    fill("teaching.md", decks="\n".join(lines))


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


def terse(path: Path) -> None:
    """What a found page says of itself is its text: nothing of what is not searched, nor of code that is folded."""
    script, left_out = path.read_text(encoding="utf-8"), '[".headerlink", "script", "style"]'
    if left_out not in script:
        raise LabError(f"Sphinx's search was expected to leave out {left_out}; it no longer does; look at {path}")
    more = left_out.replace("]", ', ".no-search", "details.hide"]')
    path.write_text(script.replace(left_out, more), encoding="utf-8")


def for_everyone(html: str) -> str:
    """A page with three faults of the theme's mended for those who hear it or use a keyboard: headings without a level,
    folds with another name than is seen, and code that scrolls but cannot have the focus. Where an output points at a
    lesson's notebook, it points at its page. And with the policy, which a host need not send then."""
    html = html.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">', 1)
    html = re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="\1.html"', html)
    html = html.replace("<h1>diffusion_lab.", "<h1>diffusion_lab.<wbr>")
    html = html.replace('role="heading">', 'role="heading" aria-level="2">')
    return html.replace(' aria-label="Toggle hidden content"', "").replace("<pre>", '<pre tabindex="0">')


if __name__ == "__main__":
    main()
