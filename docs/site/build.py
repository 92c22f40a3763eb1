"""The course as a site of static pages: `make site` writes it to build/site, from the stored notebooks, offline.

    python docs/site/build.py [--out build/site] [--address https://...]

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
from pathlib import Path

import drawing
import nbformat
import reading
from sphinx.cmd.build import build_main

from diffusion_lab.commands import colab, copies
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.coursework.lessons import title
from diffusion_lab.coursework.slides import decks
from diffusion_lab.errors import LabError
from diffusion_lab.places import WEIGHTS

HERE, PAGES = Path(__file__).parent, ROOT / "build" / "pages"
WALK = re.compile(r"<<walk ([\d -]+)>>")
WRITTEN = ("*.html", "_images", "_sources", "_static", "draw", "lessons", "models", "notebooks", "reference", "slides")
SEARCH = {'".headerlink", "script"': '".headerlink", ".no-search", "details.hide", ".math", "script"',
          "el.remove();": 'el.replaceWith(el.matches(".math") ? "…" : "");',
          "(term) => term.length > 2,": "(term) => term,",
          "textLower.indexOf(k.toLowerCase())": r'textLower.search(RegExp("\\b" + _escapeRegExp(k.toLowerCase())))',
          "highlightTerms.add(": "if (queryTermLower.length > 1) highlightTerms.add("}  # fmt: skip
TABLE = re.compile(r"<!-- lessons -->\n(.*?)<!-- end of lessons -->", re.S)
ANY, WHERE = "<address>", re.compile(r"The address is the one where you found the course;")
START = re.compile(r"## Start\n(.*?)\n## ", re.S)
DRAWN = """## Draw something now

A small Stable Diffusion runs in your browser, and [every step of it](draw.md) can be looked at.

```{raw} html
<<compact>>
```"""
# A page takes nothing from elsewhere and sends nothing there; its scripts may compile WebAssembly, and no text.
POLICY = ("default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
          "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'")  # fmt: skip


def main() -> None:
    """Put the pages together, let Sphinx write the site, take notebooks and slides along; a warning is an error."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    given.add_argument("--address", default=ANY, help="where the site tells its visitors to clone the course from")
    out, address = given.parse_args().out, given.parse_args().address
    if address != ANY and not colab.ADDRESS.fullmatch(address):
        sys.exit(f"an address that anybody can clone from was expected, https://...; {address!r} came")
    with drawing.alone(PAGES, "a build of the site"):
        build(out, address)
    print(out / "index.html")


def build(out: Path, address: str) -> None:
    """The site, written into `out`; visitors clone the course from `address`."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(HERE, PAGES, ignore=shutil.ignore_patterns("[!c]*.py", "__pycache__", "draw"))
    for folder in ("_static", "lessons", "models", "reference", "extra/notebooks", "extra/slides"):
        (PAGES / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(decks.ASSETS / "tex-svg.js", PAGES / "_static")
    lessons = copies.lessons()
    lacks = drawing.missing()
    for path in lessons:
        lesson(path, draws=not lacks)
    index(lessons, draws=not lacks, address=address)
    if lacks:
        (PAGES / "draw.md").unlink()
    else:
        brought = drawing.bring(PAGES / "extra" / "draw")
        fill("draw.md", **brought)
        fill("index.md", **brought)
    teaching(lessons, address)
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
    nbformat.write(reading.page(path, draws), PAGES / "lessons" / path.name)
    shutil.copy(path, PAGES / "extra" / "notebooks")
    decks.write(path, PAGES / "extra" / "slides")


def index(lessons: list[Path], draws: bool, address: str) -> None:
    """The first page, with what the README says of the course and of how to begin; it leads to the page that draws."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shutil.copy(ROOT / "docs" / "from_static.webp", PAGES)
    table = "\n".join(TABLE.search(readme)[1].strip().splitlines()[2:])
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    listed = "\n".join(f"- **{number} {name}.** {asks}" for number, name, asks in rows)
    page = (PAGES / "index.md").read_text(encoding="utf-8")
    (PAGES / "index.md").write_text(WALK.sub(lambda found: walk(found[1], lessons), page), encoding="utf-8")
    fill("index.md", lessons=listed, start=start(readme, address),
         draw="draw" if draws else "", drawn=DRAWN if draws else "",
         files="\n".join(f"lessons/{path.stem}" for path in lessons))  # fmt: skip


def start(readme: str, address: str) -> str:
    """How to begin, as the README says, from the address that the site's owner gave."""
    whose = "Whoever keeps this site knows the address" if address == ANY else "The address is the course's own"
    return WHERE.sub(f"{whose};", START.search(readme)[1]).replace(ANY, address)


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


def teaching(lessons: list[Path], address: str) -> None:
    """The teachers' page: the slides of every lesson, its notes, and how long it takes to tell; whence to clone it."""
    lines = ["| Lesson | Slides | Notes | To tell |", "|---|---|---|---|"]
    for path in lessons:
        links = f"<a href=\"slides/{path.stem}.html\">Slides</a> | <a href=\"slides/{path.stem}_notes.html\">Notes</a>"
        name, minutes = told(path)
        lines.append(f"| [{name}](lessons/{path.name}) | {links} | {minutes} minutes |")
    fill("teaching.md", decks="\n".join(lines), address=address)


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
    """What a found page says of itself is its text: nothing of what is not searched, nor of code that is folded, and of
    a formula that there is one; it begins where a word begins with what was asked. A page has all that was asked, a
    single letter too, which is not marked, as it stands in nearly every word."""
    script = path.read_text(encoding="utf-8")
    for theirs, ours in SEARCH.items():
        if theirs not in script:
            raise LabError(f"Sphinx's search was expected to say {theirs}; it no longer does; look at {path}")
        script = script.replace(theirs, ours)
    path.write_text(script, encoding="utf-8")


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
