"""How soon the page that draws answers, in each browser that is here, and what a first visit fetches.

    make site; python benchmarks/draw_page.py [--keys 40] [--steps 4]

A first visit in a fresh browser: the bytes that the host sends until the first picture stands there, and the seconds.
Then a word is typed letter by letter behind a prompt, as many keys as asked for, each once the page has answered the
one before: milliseconds from the key to the new picture, p50 and p95. Run it with nothing beside it.
"""

import argparse
import functools
import http.server
import sys
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
SITE = ROOT / "build" / "site"
# From the key to the frame in which the picture stands: prompts that differ by a word, each of them drawn anew.
ANSWER = """async (prompt) => {
    const root = document.getElementById("draw"), field = root.querySelector("[data-is=prompt]");
    const done = new Promise((done) => new MutationObserver((_, seen) => {
        if (root.dataset.state === "drawn") { seen.disconnect(); requestAnimationFrame(() => done(performance.now())); }
    }).observe(root, { attributes: true, attributeFilter: ["data-state"] }));
    field.value = prompt;
    const began = performance.now();
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return await done - began;
}"""
WORDS = ("cat", "dog", "robot", "penguin", "frog", "rabbit", "panda", "astronaut")


class Counting(http.server.SimpleHTTPRequestHandler):
    sent = 0

    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        Counting.sent += Path(source.name).stat().st_size
        super().copyfile(source, outputfile)


def measured(name: str, address: str, keys: int, steps: int) -> str:
    """One browser's line."""
    from browser import browser, page

    with browser(name) as engine, page(engine, 1280, 800) as tab:
        Counting.sent, began = 0, time.perf_counter()
        tab.goto(f"{address}draw.html#prompt=a+cat&steps={steps}")
        tab.wait_for_selector("#draw[data-state=drawn]")
        first, sent = time.perf_counter() - began, Counting.sent
        spent = [tab.evaluate(ANSWER, f"a {WORDS[k % len(WORDS)]} on mars") for k in range(keys)]
    p50, p95 = np.percentile(spent, (50, 95))
    return (f"{name:9} key to picture at {steps} steps: p50 {p50:4.0f} ms, p95 {p95:4.0f} ms ({keys} keys); "
            f"first picture after {first:4.1f} s and {sent / 1e6:4.1f} MB")  # fmt: skip


def main() -> None:
    """Print a line for each browser."""
    from browser import BROWSERS, where

    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--keys", type=int, default=40)
    given.add_argument("--steps", type=int, default=4)
    options = given.parse_args()
    if not (SITE / "draw.html").is_file():
        sys.exit("the site with the page that draws was expected in build/site; write: make site")
    handler = functools.partial(Counting, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in filter(where, BROWSERS):
            print(measured(name, f"http://127.0.0.1:{server.server_port}/", options.keys, options.steps), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
