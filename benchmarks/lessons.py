"""How long a lesson takes in a fresh kernel, and how soon its live controls answer in a real JupyterLab.

    python benchmarks/lessons.py [NUMBER ...]

Seconds from the start of a kernel to the end of the first cell that imports the package, to the first picture that
comes out of it, and to the end of the last cell. Then the lesson is run in Lab, and each slider and each box of its
live controls is moved 40 times, or a full stop typed behind a text and taken away: milliseconds from the key to the new
picture in the page, p50 and p95, the pause that a control waits for among them. Run it with nothing beside it.
"""

import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import browser  # noqa: E402

MOVES = 40
HANDLES = ".noUi-handle, .jupyter-widgets input[type=checkbox], .jupyter-widgets input[type=text]"
CHANGED = """(at) => {
  const cell = document.querySelectorAll(".jp-Notebook .jp-CodeCell")[at];
  const html = [...cell.querySelectorAll('.jp-OutputArea-output[data-mime-type="text/html"]')].at(-1).innerHTML;
  const before = window.dlBefore ??= html;
  if (html === before || /opacity: ?0.35/.test(html) || !/<img|<svg/.test(html)) return false;
  delete window.dlBefore;
  return true;
}"""


class Clock(NotebookClient):
    """Runs a notebook and writes down when what came."""

    def process_message(self, message, cell, index):
        data = message.get("content", {}).get("data", {})
        if not self.picture and ("image/png" in data or "<img" in data.get("text/html", "")):
            self.picture = time.monotonic()
        return super().process_message(message, cell, index)


def run(path: Path) -> tuple[float, float, float]:
    """Seconds to the package, to the first picture, and to the end."""
    book, ends = nbformat.read(path, as_version=4), {}
    client = Clock(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}},
                   on_cell_executed=lambda cell, cell_index, execute_reply: ends.setdefault(cell_index,
                                                                                            time.monotonic()))
    client.picture, began = 0.0, time.monotonic()
    client.execute()
    first = next(i for i, cell in enumerate(book.cells) if cell.cell_type == "code" and "diffusion_lab" in cell.source)
    return ends[first] - began, client.picture - began, time.monotonic() - began


def answers(engine, lab: str, path: Path) -> None:
    """Move each live control of a lesson and print how soon its picture follows."""
    sources = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    with browser.page(engine, 1280, 900) as tab:
        tab.goto(f"{lab}/lab/tree/{path.name}?reset")
        tab.wait_for_selector(".jp-Toolbar-kernelName:has-text('Python 3')", state="attached")
        tab.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
        tab.locator(".lm-MenuBar-itemLabel:text-is('Run')").click()
        tab.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").first.click()
        counted = "() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map((p) => p.innerText)"
        browser.until(lambda: tab.evaluate(counted), lambda all: all and all[-1].strip("[]: ").isdigit())
        for at in (i for i, source in enumerate(sources) if "\nlive(" in f"\n{source}"):
            cell = tab.locator(".jp-Notebook .jp-CodeCell").nth(at)
            cell.scroll_into_view_if_needed()
            cell.locator(".jupyter-widgets").first.wait_for()
            for handle in cell.locator(HANDLES).all():
                waits = [moved(tab, at, handle, k) for k in range(MOVES)]
                row = handle.locator("xpath=ancestor::*[contains(@class, 'jupyter-widgets')][1]")
                name = " ".join(row.inner_text().replace("\u200b", "").split())
                p50, p95 = np.percentile(waits[1:], [50, 95])
                print(f"  {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, max {max(waits[1:]):.0f} ms", flush=True)


def moved(tab, at: int, handle, k: int) -> float:
    """Milliseconds from one key on a control to another picture."""
    tab.evaluate(CHANGED, at)
    kind = handle.get_attribute("type")
    keys = {"checkbox": ("Space",), "text": (".", "Backspace")}.get(kind, ("ArrowRight",) * 2 + ("ArrowLeft",) * 2)
    handle.focus()
    if kind == "text":
        tab.keyboard.press("End")
    began = time.monotonic()
    tab.keyboard.press(keys[k % len(keys)])
    tab.wait_for_function(CHANGED, arg=at, polling="raf", timeout=15_000)
    return 1000 * (time.monotonic() - began)


def main() -> None:
    lessons = [path for path in sorted((ROOT / "lessons").glob("[0-9]*.ipynb"))
               if not sys.argv[1:] or path.name[:2] in sys.argv[1:]]
    with browser.browser() as engine, tempfile.TemporaryDirectory() as folder:
        shelf = Path(folder) / "lessons"
        shelf.mkdir()
        for path in lessons:
            copy = shelf / path.name
            copy.write_bytes(path.read_bytes())
            imported, picture, whole = run(copy)
            print(f"{path.stem}: import {imported:.1f} s, first picture {picture:.1f} s, whole {whole:.1f} s",
                  flush=True)
        with browser.jupyter_lab(shelf) as lab:
            for path in lessons:
                print(path.stem, flush=True)
                answers(engine, lab, shelf / path.name)


if __name__ == "__main__":
    main()
