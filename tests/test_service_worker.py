"""The service worker of the site, its host, network and disk played by a test: what it asks, keeps and serves."""

import gzip
import hashlib
import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from diffusion_lab.commands.environment import ROOT

SCRIPT = ROOT / "docs" / "site" / "draw" / "offline.js"
HERE = "http://host/site/"
# A browser with one disk; `build(version, files)` begins a worker there. `site` is what the host has, by its way: a
# text, {status, text} or {to}, or a promise of one; `network` whether it is reached, `full` whether the disk is;
# `asked` what was fetched.
STAGE = """import fs from "fs";
import vm from "vm";
const { script, here, site, prints } = JSON.parse(fs.readFileSync(0, "utf8"));
let fetched = () => undefined; // what the host has instead, of a name and past which cache
const disk = new Map(), asked = [], set = { network: true, full: false, open: [1] };
class Kept extends Map {
    async match(key) { return this.get(String(key.url ?? key))?.clone(); }
    async put(key, answer) {
        if (set.full) throw new DOMException("no room", "QuotaExceededError");
        this.set(String(key.url ?? key), answer);
    }
}
const caches = {
    open: async (name) => disk.get(name) ?? (disk.set(name, new Kept()), disk.get(name)),
    keys: async () => [...disk.keys()],
    delete: async (name) => disk.delete(name),
    match: async (key) => (await Promise.all([...disk.values()].map((one) => one.match(key)))).find(Boolean),
};
async function fetch(request, { cache } = {}) {
    const [name, print] = new URL(request.url ?? request).href.replace(here, "").split("?is=");
    asked.push(name + (print ? "?" : "") + (cache === "reload" ? " anew" : ""));
    if (!set.network) throw new TypeError("Failed to fetch");
    const had = fetched(name, cache) ?? (await site[name]);
    const { status = 200, text = had, to } = had?.text || had?.to ? had : {};
    const answer = new Response(to ? site[to] : text, { status: had === undefined ? 404 : status });
    if (to) Object.defineProperties(answer, { redirected: { value: true }, clone: { value: () => answer } });
    return answer;
}
function build(version, files) {
    const on = {}, registration = { scope: here, unregister: async () => said.push("gone") };
    const browser = { URL, Response, Blob, DecompressionStream, crypto, AbortSignal, Uint8Array };
    const text = script.replace("{{version}}", version).replace("{{files}}", JSON.stringify(files));
    const own = { caches, fetch, registration, setTimeout, addEventListener: (name, act) => (on[name] = act),
                  clients: { matchAll: async () => set.open }, skipWaiting: async () => said.push("takes over") };
    vm.runInNewContext(text, { ...browser, ...own });
    const wait = (name) => new Promise((done, no) => on[name]({ waitUntil: (act) => act.then(done, no) }));
    // What a page gets: the text, or the kind of an error; null where the worker leaves it to the browser.
    const get = async (name, more = {}) => {
        let answer = null;
        const usual = { method: "GET", mode: "no-cors", cache: "default", referrer: here };
        const request = { url: new URL(name, here).href, ...usual, ...more };
        on.fetch({ request, respondWith: (came) => (answer = came) });
        answer = await answer;
        return answer && (answer.type === "error" ? "error" : answer.text());
    };
    const hear = (data) => new Promise((done) => on.message({ data, waitUntil: done }) || done());
    return { get, hear, install: () => wait("install"), activate: () => wait("activate") };
}
const names = () => Object.fromEntries([...disk].map(([name, kept]) =>
    [name.split("#")[1], [...kept.keys()].map((url) => url.replace(here, "").split("?")[0]).sort()]));
const said = [], took = () => asked.splice(0).sort();
%s
console.log(JSON.stringify(said));
"""
SITE = {"index.html": "start", "draw.html": "draw", "draw/page.js": "page", "draw/unet.bin": "weights",
        "lesson.html": "lesson", "_static/style.css": "style", "offline.js": "worker",
        "old.html": {"to": "lesson.html"}, "soon.html": {"status": 202, "text": "soon"}}  # fmt: skip
ASKED = ("index.html", "draw.html", "draw/page.js", "draw/unet.bin?", "_static/style.css")  # as the page asks for them
FILES = ("index.html", "draw.html", "draw/page.js", "draw/unet.bin", "_static/style.css")


def prints(**changed: str) -> dict[str, str]:
    """A build's files by their SHA-256; `changed` have other texts than SITE says."""
    return {name: hashlib.sha256(changed.get(name, SITE[name]).encode()).hexdigest() for name in FILES}


def plays(script: str, tmp_path: Path) -> list:
    """What a script says at the end, `one` being a worker of the build that SITE is."""
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    begun = 'const one = build("one", prints);\n'
    (tmp_path / "stage.mjs").write_text(STAGE % (begun + script), encoding="utf-8")
    given = {"script": SCRIPT.read_text(encoding="utf-8"), "here": HERE, "site": SITE, "prints": prints()}
    run = subprocess.run(["node", "stage.mjs"], cwd=tmp_path, input=json.dumps(given), capture_output=True, text=True,
                         encoding="utf-8", timeout=120)  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_new_build_fetches_what_has_changed_and_nothing_else(tmp_path):
    newer = json.dumps(prints(**{"draw.html": "new"}))
    first, second, after = plays(f"""
        await one.install();
        said.push(took());
        await one.get("lesson.html");
        took();
        site["draw.html"] = "new";
        const two = build("two", {newer});
        await two.install();
        said.push(took());
        await two.activate();
        said.push(names());
    """, tmp_path)  # fmt: skip
    assert first == sorted(ASKED) and second == ["draw.html"]
    assert after == {"two": sorted(FILES), "seen": ["lesson.html"]}


@pytest.mark.parametrize("there", ["undefined", '"half"'])
def test_where_one_file_is_missing_nothing_is_put_to_use(tmp_path, there):
    said = plays(f"""
        site["draw/page.js"] = {there};
        await one.install().catch((error) => said.push(error.message));
        site["draw/page.js"] = "page";
        took();
        await one.install();
        said.push(took());
    """, tmp_path)  # fmt: skip
    assert said == ["draw/page.js is not that of this build", sorted(ASKED[2:])]


def test_what_is_kept_is_served_without_asking_and_the_rest_comes_from_the_site(tmp_path):
    said = plays("""
        await one.install();
        took();
        said.push(await one.get("draw/page.js"), await one.get("draw/unet.bin?is=1"), await one.get(""), took());
        said.push(await one.get("lesson.html"), took(), names().seen);
        set.network = false;
        said.push(await one.get("lesson.html?q=x"), await one.get("never.html"), await one.get("draw.html"));
    """, tmp_path)  # fmt: skip
    assert said[:4] == ["page", "weights", "start", []]
    assert said[4:] == ["lesson", ["lesson.html"], ["lesson.html"], "lesson", "error", "draw"]


def test_a_file_that_was_taken_from_the_disk_comes_from_the_site(tmp_path):
    said = plays("""
        await one.install();
        disk.clear();
        took();
        said.push(await one.get("draw/page.js"), took());
    """, tmp_path)
    assert said == ["page", ["draw/page.js"]]


def test_what_moved_and_what_is_not_ready_is_shown_but_not_kept(tmp_path):
    said = plays("""
        await one.install();
        for (const name of ["old.html", "soon.html", "never.html"]) said.push(await one.get(name));
        said.push(names().seen ?? []);
    """, tmp_path)
    assert said == ["lesson", "soon", "", []]


def test_where_the_disk_is_full_the_page_is_shown_all_the_same(tmp_path):
    said = plays("""
        await one.install();
        set.full = true;
        said.push(await one.get("lesson.html"), await one.get("draw/page.js", { cache: "reload" }), names().seen);
        disk.clear();
        await build("two", prints).install().catch((error) => said.push(error.name));
    """, tmp_path)
    assert said == ["lesson", "page", [], "QuotaExceededError"]


@pytest.mark.parametrize("request_", ['"", { method: "POST" }', '"http://other/site/draw.html"', '"http://host/another/"'])
def test_what_is_not_its_own_is_left_to_the_browser(tmp_path, request_):
    assert plays(f"await one.install(); took(); said.push(await one.get({request_}), took());", tmp_path) == [None, []]


@pytest.mark.parametrize("doubt", ["reload", "no-cache"])
def test_who_doubts_a_file_gets_it_anew_if_it_is_still_that_of_the_build(tmp_path, doubt):
    said = plays(f"""
        const cache = "{doubt}";
        await one.install();
        const kept = [...disk.values()][0], key = [...kept.keys()].find((url) => url.includes("page.js"));
        kept.set(key, new Response("rubbish"));
        said.push(await one.get("draw/page.js"), await one.get("draw/page.js", {{ cache }}));
        site["draw/page.js"] = "newer";
        said.push(await one.get("draw/page.js", {{ cache }}), await one.get("draw/page.js"));
    """, tmp_path)
    assert said == ["rubbish", "page", "page", "page"]


def test_a_page_of_the_newest_build_is_not_dressed_by_an_older_one(tmp_path):
    said = plays("""
        await one.install();
        site["_static/style.css"] = "newer";
        site["draw/page.js"] = "newer";
        for (const referrer of [here + "lesson.html", here + "draw.html", "http://other/", ""])
            said.push(await one.get("_static/style.css", { referrer }));
        said.push(await one.get("draw/page.js", { referrer: here + "lesson.html" }));
    """, tmp_path)
    assert said == ["newer", "style", "style", "style", "page"]


@pytest.mark.parametrize(("host", "expected"), [
    ('site["offline.js"] = undefined; site[""] = "another";', ["gone", "another", {"kept": []}]),
    ('site["offline.js"] = { status: 500, text: "x" };', ["start"]), ("set.network = false;", ["start"])])  # fmt: skip
def test_it_leaves_with_all_it_keeps_where_the_site_has_no_such_worker(tmp_path, host, expected):
    said = plays(f"""
        await one.install();
        await caches.open("another#kept");
        {host}
        const page = await one.get("", {{ mode: "navigate" }}), left = names();
        said.push(page, ...(left.one ? [] : [left]));
    """, tmp_path)  # fmt: skip
    assert said == expected


def test_what_was_on_its_way_when_it_left_is_not_kept(tmp_path):
    said = plays("""
        await one.install();
        let come;
        site["lesson.html"] = new Promise((done) => (come = done));
        const late = one.get("lesson.html");
        site["offline.js"] = undefined;
        await one.get("", { mode: "navigate" });
        come("lesson");
        said.push(await late, names());
    """, tmp_path)
    assert said == ["gone", "lesson", {}]


@pytest.mark.parametrize(("pages", "asked", "expected"), [
    (1, "now", ["takes over"]), (2, "now", []), (0, "now", []), (1, "soon", [])])  # fmt: skip
def test_a_newer_build_takes_over_where_no_other_page_is_open(tmp_path, pages, asked, expected):
    assert plays(f"set.open = Array({pages}); await one.hear({json.dumps(asked)});", tmp_path) == expected


def test_where_the_network_hangs_what_was_seen_is_shown_and_kept_anew_once_it_comes(tmp_path):
    said = plays("""
        await one.install();
        await one.get("lesson.html");
        let come;
        site["lesson.html"] = new Promise((done) => (come = done));
        said.push(await one.get("lesson.html"));
        come("newer");
        await new Promise((done) => setTimeout(done, 0));
        set.network = false;
        said.push(await one.get("lesson.html"));
    """, tmp_path)
    assert said == ["lesson", "newer"]


def test_without_a_network_a_page_that_nobody_has_here_says_so(tmp_path):
    said = plays("""
        await one.install();
        set.network = false;
        said.push(await one.get("never.html", { mode: "navigate" }), await one.get("never.png"));
    """, tmp_path)
    assert "This page was not looked at before" in said[0] and f'href="{HERE}"' in said[0] and said[1] == "error"


def test_a_file_that_the_browsers_cache_has_broken_is_asked_for_once_more(tmp_path):
    """Packed with gzip, and cut off."""
    weights = b"weights" * 100
    whole, print_ = b64encode(gzip.compress(weights)).decode(), hashlib.sha256(weights).hexdigest()
    said = plays(f"""
        const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const whole = bytes("{whole}");
        site["draw/unet.bin"] = {{ text: whole.slice(0, -9) }};
        const packed = build("packed", {{ ...prints, "draw/unet.bin": "{print_}" }});
        fetched = (name, cache) => name === "draw/unet.bin" && cache === "reload" ? {{ text: whole }} : undefined;
        await packed.install();
        said.push(took().filter((name) => name.includes("bin")));
    """, tmp_path)  # fmt: skip
    assert said == [["draw/unet.bin?", "draw/unet.bin? anew"]]
