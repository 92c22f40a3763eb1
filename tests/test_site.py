"""The site: built from the stored notebooks with no network, whole, and for everyone."""

import importlib
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from browser import PACKAGES, missing, page, until
from built_site import AXE, pages, serious

from diffusion_lab.commands import copies
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.coursework.slides import decks

BUILD = ROOT / "docs" / "site" / "build.py"
pytestmark = [pytest.mark.slow, pytest.mark.browser]


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
                if there == site / "draw.html" and "=" in parts.fragment:
                    continue  # what it shall draw
                if parts.fragment and there.suffix == ".html" and there in read:
                    assert unquote(parts.fragment) in read[there].names, f"{path.relative_to(site)}: {target}"


def test_scripts_are_read_the_same_whatever_character_set_a_host_claims(site):
    assert [path for path in site.rglob("*.js") if not path.read_bytes().isascii()] == []


def test_every_lesson_is_there_with_its_notebook_its_slides_and_no_notes(site):
    for path in copies.lessons():
        text = (site / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "| :--" not in text, "a table that nobody drew"
        assert "<!-- speaker notes" not in text and f"notebooks/{path.name}" in text
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        for name in (path.stem, f"{path.stem}_notes"):
            assert (site / "slides" / f"{name}.html").stat().st_size > 1000
            assert f"slides/{name}.html" in (site / "teaching.html").read_text(encoding="utf-8")


def test_the_first_page_leads_through_the_course(site):
    """Its ways are links to lessons, each with the time that the notes of its lessons add up to."""
    text = (site / "index.html").read_text(encoding="utf-8")
    told = {path.stem[:2]: sum(slide.minutes for slide in decks.slides(decks.read(path))) for path in copies.lessons()}
    ways = re.findall(r"<li><p><strong>([^<]+)</strong>(.*?)<em>([\d½]+) hours</em>", text, re.S)
    assert len(ways) == 9 and "<<" not in text and "&lt;&lt;" not in text
    for name, way, hours in ways:
        numbers = re.findall(r'href="lessons/(\d\d)_\w+\.html"', way)
        if " to <a" in way:
            numbers = [number for number in told if numbers[0] <= number <= numbers[-1]]
        assert len(numbers) > 2 and abs(float(hours.replace("½", ".5")) * 60 - sum(map(told.get, numbers))) <= 15, name


def test_a_lessons_page_says_what_it_can_do(site):
    draws = (site / "draw.html").exists()
    for path in copies.lessons():
        text = (site / "lessons" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert "How to run a cell" not in text and "takes a while ...\n" not in text
        assert text.count('class="away"') == 1 and 'href="../index.html#on-your-own-computer"' in text
        assert ('href="../draw.html#prompt=' in text) == (draws and path.stem[:2] in ("00", "06", "07", "08", "11"))
        assert text.count("<b>… An exercise</b>") == path.read_text(encoding="utf-8").count("<b>… Not yet</b>")
        asks = "Not yet</b>|in the place of <code>|not at the one where|Run this cell in a notebook|>0 of |checked yet"
        assert re.findall(asks, text) == [], "what only a notebook can do"
        typed = draws and path.stem[:2] in ("00", "08")
        assert ('follows them. Without one, <a href="../draw.html">' in text) == typed


def test_the_first_page_says_where_the_course_is(site, monkeypatch):
    monkeypatch.syspath_prepend(BUILD.parent)
    build, readme = importlib.import_module("build"), (ROOT / "README.md").read_text(encoding="utf-8")
    assert "Whoever keeps this site knows the address; without" in (site / "index.html").read_text(encoding="utf-8")
    told = build.start(readme, "https://example.org/course")
    assert "git clone --depth 1 https://example.org/course diffusion_lab\n" in told and "where you found" not in told
    run = subprocess.run([sys.executable, BUILD, "--address", "a place"], capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.startswith("an address that anybody can clone from was expected")


def test_no_signature_of_the_reference_shows_how_python_writes_a_function(site):
    for path in (site / "reference").glob("*.html"):
        assert not re.search("&lt;function|&lt;lambda| at 0x", path.read_text(encoding="utf-8")), path


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
        tab.emulate_media(media="print")
        assert not tab.locator(".skip-to-content").is_visible()  # a fixed line would lie on every sheet
        assert tab.refused == [] and tab.errors == []
        assert [url for url in asked if url.startswith("http") and not url.startswith(address)] == []


def test_the_search_finds_words_of_the_text_and_shows_no_others(engine, site, address):
    """What players say is neither found nor shown, nor is code that is folded."""
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert '"guidanc"' in index and '"cosin"' in index and "decodedblue" not in index
    with page(engine) as tab:
        for word, lesson in (("guidance", "06_text_guidance"), ("cosine", "01_from_image_to_noise")):
            tab.goto(address + f"search.html?q={word}")
            found = tab.locator(f"#search-results li:has(a[href*='{lesson}'])")
            found.locator("p.context").wait_for()
            assert found.count() == 1
            told = found.locator("p.context").inner_text()
            assert word in told.lower() and "import " not in told and "dotted: noise" not in told, told
        first = {"x0": "lessons/", "guidance": "06_text", "v-prediction": "03_train", "U-Net": "05_pixels"}
        for asked, lesson in first.items():
            tab.goto(address + f"search.html?q={asked}")
            until(lambda: tab.locator(".search-summary").inner_text(), lambda said: "finished" in said)
            found = tab.locator("#search-results li > a:first-child").evaluate_all("all => all.map(one => one.href)")
            inside = ["/lessons/" in one for one in found]
            assert lesson in found[0] and inside == sorted(inside, reverse=True), found  # the lessons first
            until(lambda: tab.locator("#search-results li:has(a[href*='/lessons/']):not(:has(p.context))").count(), 0)
            told = " ".join(tab.locator("p.context").all_inner_texts())
            assert "\\(" not in told and "\\bar" not in told, told
            marked = {one.lower() for one in tab.locator("p.context .highlighted").all_inner_texts()}
            assert marked <= {"x0", "guidance", "prediction", "v-prediction", "u-net"}
        assert tab.refused == [] and tab.errors == []


def test_what_is_wider_than_a_phone_says_so_and_scrolls(engine, address):
    with page(engine, 390, 844) as tab:
        tab.goto(address + "lessons/02_from_noise_to_image.html")
        figure = tab.locator("figure[tabindex]:has(figcaption:has-text('Lines as thick'))")
        until(lambda: figure.get_attribute("class"), "wide more-right")
        figure.evaluate("one => one.scrollLeft = one.scrollWidth")
        until(lambda: figure.get_attribute("class"), "wide more-left")
        assert tab.evaluate("""() => [...document.querySelectorAll('article figure')].every((one) =>
            one.scrollWidth - one.clientWidth < 2 || one.matches('.wide, .dl-moves *, .dl-player *'))""")
        tab.set_viewport_size({"width": 1280, "height": 720})
        until(lambda: figure.get_attribute("class"), "")


CUT = """() => [...document.querySelectorAll('.highlight pre')].filter((one) => one.scrollWidth - one.clientWidth > 1)
    .map((one) => one.textContent.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(engine, site, address, scheme):
    if not AXE.exists():
        missing(f"axe-core ({PACKAGES})")
    every = [path.relative_to(site).as_posix() for path in pages(site)]
    few = [name for name in every if re.match(r"index|teaching|draw|lessons/0[03]", name)]
    some = every if scheme == "light" else few
    with page(engine) as tab:
        tab.emulate_media(color_scheme=scheme)
        for name in some:
            tab.goto(address + name)
            until(lambda: tab.locator(".dl-player:not([data-live=yes])").count() == 0)  # each in the page's colours
            assert tab.evaluate(CUT) == [], f"{name}: lines of code that end beyond the edge"
            tab.evaluate(AXE.read_text(encoding="utf-8"))
            until(lambda name=name: [name, *serious(tab)], [name])  # once what comes in has come


WATCH = """window.broken = []; document.addEventListener('securitypolicyviolation',
    (event) => window.broken.push(`${event.effectiveDirective} ${event.blockedURI}`));"""
TRIES = """async () => { const tried = [];
    await fetch('http://localhost:9/').catch(() => tried.push('fetch'));
    await new Promise((done) => setTimeout(() => { try { eval('1'); } catch { tried.push('eval'); } done(); }));
    await new Promise((done) => Object.assign(new Image(), { src: 'http://localhost:9/a', onerror: done }));
    return tried; }"""


def test_the_pages_keep_their_policy_and_it_keeps_them_from_all_that_is_elsewhere(engine, address, site):
    policy = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\''
    assert [path for path in pages(site) if policy not in path.read_text(encoding="utf-8")] == []
    ready = {"lessons/01_from_image_to_noise.html": '.dl-player[data-live="yes"]',
             "lessons/03_train_a_denoiser.html": "mjx-container svg",
             "search.html?q=guidance": "#search-results li a", "index.html": "h1",
             "draw.html": "#draw[data-state=drawn]"}  # fmt: skip
    with page(engine) as tab:
        tab.add_init_script(WATCH)
        for name, seen in ready.items():
            if not (site / name.partition("?")[0]).exists():
                continue
            tab.goto(address + name)
            tab.locator(seen).first.wait_for(state="attached")
            assert tab.evaluate("window.broken") == [], name
            assert tab.evaluate(TRIES) == ["fetch", "eval"]
            until(lambda: sorted({one.split()[0] for one in tab.evaluate("window.broken")}),
                  ["connect-src", "img-src", "script-src"])  # fmt: skip
