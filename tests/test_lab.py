"""JupyterLab as `make lab` opens it, in a real browser: nothing asks, nothing is fetched, Run All works."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from browser import PATIENCE, browser, free_port, live, page, until

ROOT = Path(__file__).resolve().parents[1]
FIRST = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.ipynb"))[0]
IN_THE_WAY = ".jp-Dialog, .Toastify__toast"
TROUBLE = ".jp-RenderedText[data-mime-type*='stderr'], .jp-RenderedText[data-mime-type*='error']"


APART = """import sys; from diffusion_lab.commands import copies; from diffusion_lab.__main__ import main
copies.OWN = {own!r}; sys.exit(main(sys.argv[2:]))"""


class Lab:
    """A running `make lab`: its address, and all that it has said. Its copies of the lessons are in a folder of their
    own: what a learner made of theirs is nothing to a test, and the other way round."""

    def __init__(self):
        (ROOT / "build").mkdir(exist_ok=True)
        self.own = Path(tempfile.mkdtemp(prefix="my-lessons-", dir=ROOT / "build"))
        python, code = self.own / "python", APART.format(own=self.own.relative_to(ROOT).as_posix())
        python.write_text(f'#!/bin/sh\nshift\nexec {shlex.join([sys.executable, "-c", code])} "$@"\n')
        python.chmod(0o755)
        words = ["make", "--no-print-directory", "lab", f"PYTHON={python}", "BROWSER=none",
                 f"PORT={free_port()}"]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=self.log, stderr=self.log, start_new_session=True)

    @property
    def address(self) -> str:
        found = re.search(r"http://\S+token=\w+", self.said())
        return found.group() if found else ""

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def stop(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.wait(PATIENCE)
        shutil.rmtree(self.own, ignore_errors=True)


@pytest.fixture(scope="module")
def lab():
    running = Lab()
    try:
        until(lambda: running.address or running.process.poll() is not None, bool)
        yield running if running.address else pytest.fail(f"make lab gave no address: {running.said()}")
    finally:
        running.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def opened(lab):
    """The start page in a workspace of the test's own, so that a learner's open tabs stay as they are."""
    with browser() as engine, page(engine, 1280, 900) as tab:
        tab.goto(lab.address.replace("/lab/tree/", "/lab/workspaces/tests/tree/") + "&reset")
        tab.wait_for_selector(".jp-Notebook .jp-Cell")
        tab.wait_for_selector(".jp-Dialog, .jp-Toolbar-kernelName:has-text('Python 3')")
        tab.wait_for_selector(".jp-NotebookPanel-toolbar [data-status=idle]")
        tab.wait_for_load_state("networkidle")  # it has asked for all that it wants to know
        yield tab


@pytest.mark.browser
def test_lab_opens_on_the_first_lesson(lab, opened):
    assert f"/build/{lab.own.name}/{FIRST.name}" in lab.address
    assert opened.locator(".jp-NotebookPanel:visible").count() == 1
    assert opened.get_by_role("tab", name=FIRST.name).is_visible()


@pytest.mark.browser
def test_nothing_stands_before_the_first_cell(opened):
    """No question about news, trust or a kernel, no toast, no warning; shipped pictures are described and alive."""
    assert opened.locator(IN_THE_WAY).all_inner_texts() == []
    assert opened.locator(".jp-Toolbar-kernelName").inner_text().startswith("Python 3")
    opened.wait_for_selector(".jp-OutputArea img[alt]", state="attached")
    if opened.locator(".dl-player").count():
        live(opened)
    assert opened.locator(TROUBLE).all_inner_texts() == []


@pytest.mark.browser
def test_the_lesson_has_the_page_to_itself(opened):
    """The file browser starts folded, and prose is as large as the boxes."""
    assert not opened.locator("#jp-left-stack").is_visible()
    size = "(e) => getComputedStyle(e).fontSize"
    assert opened.locator(".jp-Notebook .jp-RenderedMarkdown p").first.evaluate(size) == "16px"


MARKED = "() => document.querySelector('.jp-Notebook .jp-CodeCell').classList.contains('jp-mod-active')"  # the first


@pytest.mark.browser
def test_shift_enter_runs_the_first_code_cell_at_once_and_stops_at_nothing_that_is_not_seen(opened):
    opened.wait_for_function(MARKED)
    opened.locator(".jp-Notebook h1").first.click()
    opened.wait_for_function(f"!({MARKED})()")
    for _ in range(2):  # the title, and how to run a cell; then come notes, which nobody sees
        opened.keyboard.press("Shift+Enter")
    opened.wait_for_function(MARKED)


WATCHED = """() => {
  window.lost = [];
  for (const cell of document.querySelectorAll(".jp-Notebook .jp-CodeCell")) {
    const before = cell.offsetHeight;
    new ResizeObserver(() => {
      const now = cell.offsetHeight;
      if (cell.classList.contains("dl-working") && now < before - 1) lost.push([before, now]);
    }).observe(cell);
  }
}"""


@pytest.mark.browser
def test_run_all_works(opened):
    before = FIRST.read_bytes()
    opened.evaluate(WATCHED)
    opened.get_by_role("menuitem", name="Run", exact=True).click()
    opened.get_by_role("menuitem", name="Run All Cells", exact=True).first.click()
    waiting = "[...document.querySelectorAll('.jp-InputArea-prompt')].some((e) => e.textContent.includes('*'))"
    idle = "document.querySelector('.jp-NotebookPanel-toolbar [data-status=idle]')"
    opened.wait_for_function(f"() => {waiting}")
    opened.wait_for_selector(".jp-CodeCell.dl-working")
    opened.wait_for_function(f"() => !{waiting} && {idle}", timeout=240_000)
    opened.wait_for_function("() => !document.querySelector('.dl-working')")
    assert opened.evaluate("lost") == [], "an output lost its height while it ran again, and the page jumped"
    assert opened.locator(".jp-Notebook .jp-WindowedPanel-outer").evaluate("(e) => e.scrollTop") == 0
    assert opened.locator(TROUBLE).all_inner_texts() == []
    assert opened.locator(IN_THE_WAY).all_inner_texts() == []
    assert opened.locator(".jp-OutputArea img:not([alt]), .jp-OutputArea img[alt='']").count() == 0
    assert opened.refused == [] and opened.errors == []
    assert FIRST.read_bytes() == before, "a learner's run changed the lesson itself and not their copy of it"


@pytest.mark.browser
def test_the_terminal_shows_the_address_and_nothing_else(lab, opened):
    lines = [line for line in lab.said().splitlines() if line.strip()]
    assert len(lines) == 2, lab.said()


def test_ctrl_c_closes_it_quietly(lab):
    """Also where a page is open and a lesson has run, as after the tests above."""
    lab.stop(signal.SIGINT)
    said = lab.said()
    assert "Traceback" not in said and len(said.splitlines()) < 9, said
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("127.0.0.1", int(re.search(r":(\d+)/", lab.address).group(1)))) != 0
