"""The site: built from the stored notebooks with no network, whole, and for everyone."""

import functools
import http.server
import re
import subprocess
import sys
import threading
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import browser, missing, page, until

from diffusion_lab.commands import copies
from diffusion_lab.commands.environment import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.browser]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Targets(HTMLParser):
    """What a page points at, and the names in it that can be pointed at."""

    def __init__(self, text: str):
        super().__init__()
        self.to, self.names, self.pictures = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}
        self.to |= {given[name] for name in ("href", "src") if given.get(name)}
        if tag == "img":
            self.pictures.append(given.get("alt"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Built in a copy of its own place, so that nothing of an earlier build helps."""
    out = tmp_path_factory.mktemp("site") / "a folder" / "site"
    run = subprocess.run([sys.executable, ROOT / "docs/site/build.py", "--out", out], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stderr == "" and run.stdout.strip() == str(out / "index.html")
    return out


@pytest.fixture(scope="module")
def address(site):
    """Served below a folder, as a static host does."""
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/site/"
        server.shutdown()


@pytest.fixture(scope="module")
def engine():
    with browser() as found:
        yield found


def pages(site: Path) -> list[Path]:
    return [path for path in site.rglob("*.html") if path.parent.name != "slides"]


def test_every_link_and_picture_is_there_and_nothing_points_off_the_site_but_to_read_on(site):
    read = {path: Targets(path.read_text(encoding="utf-8")) for path in pages(site)}
    assert len(read) > 40
    for path, found in read.items():
        assert None not in found.pictures, f"{path}: a picture without alt text"
        for target in found.to:
            parts = urlsplit(unescape(target))
            if parts.scheme in ("http", "https"):
                assert f'href="{target}"' in path.read_text(encoding="utf-8"), f"{path} fetches {target}"
            elif parts.scheme != "data" and not parts.scheme:
                there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert there.exists(), f"{path.relative_to(site)}: {target}"
                if parts.fragment and there.suffix == ".html" and there in read:
                    assert unquote(parts.fragment) in read[there].names, f"{path.relative_to(site)}: {target}"


def test_every_lesson_is_there_with_its_notebook_its_slides_and_no_notes(site):
    for path in copies.lessons():
        text = (site / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "<!-- speaker notes" not in text and f"notebooks/{path.name}" in text
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        for name in (path.stem, f"{path.stem}_notes"):
            assert (site / "slides" / f"{name}.html").stat().st_size > 1000
            assert f"slides/{name}.html" in (site / "teaching.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("wide", [1280, 390])
def test_a_lesson_is_alive_and_fetches_nothing(engine, address, wide):
    with page(engine, wide, 844) as tab:
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(address + "lessons/01_from_image_to_noise.html")
        tab.wait_for_selector('.dl-player[data-live="yes"]')
        slider = tab.locator(".dl-player input[type=range]").first
        slider.focus()
        before = slider.input_value()
        tab.keyboard.press("ArrowRight")
        until(lambda: slider.input_value() != before)
        tab.wait_for_selector("mjx-container svg", state="attached")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert tab.refused == [] and tab.errors == []
        assert [url for url in asked if url.startswith("http") and not url.startswith(address)] == []


def test_the_search_finds_guidance(engine, address):
    with page(engine) as tab:
        tab.goto(address + "search.html?q=guidance")
        tab.wait_for_selector("#search-results li a")
        until(lambda: "06_text_guidance" in "".join(
            tab.locator("#search-results a").evaluate_all("all => all.map(a => a.href)")))
        assert tab.refused == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(engine, site, address, scheme):
    if not AXE.exists():
        missing("axe-core (npm install --no-save axe-core@4)")
    every = [path.relative_to(site).as_posix() for path in pages(site)]
    some = every if scheme == "light" else [name for name in every if re.match(r"index|teaching|lessons/0[03]", name)]
    with page(engine) as tab:
        tab.emulate_media(color_scheme=scheme)
        for name in some:
            tab.goto(address + name)
            tab.evaluate(AXE.read_text(encoding="utf-8"))
            found = tab.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
            serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
            assert serious == [], f"{name}: {serious}"
