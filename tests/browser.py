"""Real browsers for tests, cut off from the network: everything but the loopback interface and files is refused.

No test sleeps, and none reads a page in the instant after an action: `press` waits until the page has drawn, `until`
until something is so, on a slow machine as on a fast one.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

HERE = ("127.0.0.1", "localhost")
BROWSERS = {"chromium": ("chromium", "chromium-browser", "google-chrome", "chrome"),
            "firefox": ("firefox-esr", "firefox")}  # fmt: skip
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--host-resolver-rules=MAP * ~NOTFOUND" + "".join(f", EXCLUDE {host}" for host in HERE)]  # fmt: skip
PATIENCE = 300  # seconds until what is waited for is missing; long, as a test that passes never waits so long
REQUIRED = os.environ.get("DIFFUSION_LAB_REQUIRE_BROWSER") == "1"
PACKAGES = "npm install --no-save axe-core@4 onnxruntime-web@1.30.0"  # both at once: npm takes away what it is not told


def where(name: str) -> str | None:
    """Where a Chromium, or a Firefox, is, or None."""
    return next((path for path in map(shutil.which, BROWSERS[name]) if path), None)


def missing(what: str) -> None:
    """Skip a test by name, or fail where browsers are required (DIFFUSION_LAB_REQUIRE_BROWSER=1)."""
    (pytest.fail if REQUIRED else pytest.skip)(f"{what} is not here")


@contextmanager
def browser(name: str = "chromium"):
    """A running Chromium, or Firefox, driven by Playwright."""
    path = where(name)
    if path is None:
        missing(f"a {name.title()} (Debian: apt-get install {BROWSERS[name][0]})")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        engine = _firefox(playwright, path) if name == "firefox" else playwright.chromium.launch(
            executable_path=path, args=FLAGS)  # fmt: skip
        engine.idle = []
        yield engine
        engine.close()


def _firefox(playwright, path: str):
    pythons = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # firefox.py runs with this one
    return playwright.firefox.launch(
        channel="moz-firefox", executable_path=Path(__file__).with_name("firefox.py"),
        env=os.environ | {"FIREFOX": path, "PATH": pythons},
        proxy={"server": "http://127.0.0.1:9", "bypass": ",".join(HERE)},  # nobody listens there
    )  # fmt: skip


@contextmanager
def page(engine, width: int = 1280, height: int = 720, **context):
    """A page whose `refused` lists every address outside this machine that it asked for, and `errors` its mistakes.

    One that showed a file is used again: a new one costs Chromium more than most tests do with it.
    """
    tab = engine.idle.pop() if engine.idle and not context else _tab(engine, context)
    tab.set_viewport_size({"width": width, "height": height})
    tab.set_default_timeout(PATIENCE * 1000)
    tab.refused, tab.errors = [], []
    yield tab
    if context or not tab.url.startswith("file:"):
        return tab.context.close()
    for other in tab.context.pages:
        if other is not tab:
            other.close()
    tab.goto("about:blank")
    tab.mouse.move(0, 0)
    tab.emulate_media(media="null", color_scheme="light")
    engine.idle.append(tab)


def _tab(engine, context: dict):
    opened = engine.new_context(**context)
    tab = opened.new_page()

    def seen(request):
        address = urlsplit(request.url)
        if address.scheme not in ("file", "data", "blob", "about") and address.hostname not in HERE:
            tab.refused.append(request.url)

    opened.on("request", seen)
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    return tab


def live(tab, place: str = ".dl-player") -> None:
    """Wait until the script has replaced the static strip."""
    tab.wait_for_selector(f'{place}[data-live="yes"]')


FRAMES = "() => new Promise((done) => { let n = 3; const on = () => n-- ? requestAnimationFrame(on) : done(); on(); })"


def painted(tab) -> None:
    """Wait until the page has drawn three frames more: sizes, focus and observers have followed what was done."""
    tab.evaluate(FRAMES)


def press(tab, *keys: str) -> None:
    """Press keys, one after the other, and wait until the page has followed each."""
    for key in keys:
        tab.keyboard.press(key)
        painted(tab)


def until(read, wanted=True, seconds: float = PATIENCE):
    """Wait until `read()` is `wanted`, or until `wanted(read())` holds; return what was read, or fail and say it."""
    holds = wanted if callable(wanted) else lambda found: found == wanted
    end = time.monotonic() + seconds
    while not holds(found := read()):
        assert time.monotonic() < end, f"after {seconds:.0f} s it still is {found!r}, not {wanted!r}"
        time.sleep(0.02)
    return found


def run_cell(tab, n: int) -> None:
    """Run the n-th code cell, again where Lab dropped it or asked for a kernel because its own had not answered."""
    from playwright.sync_api import TimeoutError as TooLong

    tab.wait_for_selector(".jp-Toolbar-kernelName:has-text('Python 3')", state="attached")
    tab.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
    started = "(n) => document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[n].innerText !== '[ ]:'"
    for _ in range(PATIENCE // 3):
        tab.locator(".jp-CodeCell .jp-InputArea-editor").nth(n).click()
        tab.keyboard.press("Control+Enter")
        try:
            return tab.wait_for_function(started, arg=n, timeout=3000)
        except TooLong:
            press(tab, *["Escape"] * tab.locator(".jp-Dialog").count())
    raise TimeoutError(f"cell {n} did not start")


def address(path: Path) -> str:
    return Path(path).resolve().as_uri()


@contextmanager
def jupyter_lab(folder: Path):
    """A JupyterLab that serves `folder` and keeps its settings and signatures beside it; yields its address."""
    state = Path(folder).parent / "jupyter_state"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    environment |= {f"JUPYTER_{name}_DIR": str(state / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment |= {"JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": str(state / "ipython")}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(state / "settings")}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces")}
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0",
               "--ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
               f"--ServerApp.root_dir={folder}", "--allow-root",
               "--LabApp.news_url=None"]  # fmt: skip
    with open(Path(folder).parent / "jupyter.log", "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _answers(f"http://127.0.0.1:{port}/api/status", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE)


def trust(book, folder: Path) -> None:
    """Sign a notebook for the Lab that `jupyter_lab(folder)` starts."""
    from nbformat.sign import NotebookNotary

    data = Path(folder).parent / "jupyter_state" / "data"
    data.mkdir(parents=True, exist_ok=True)
    NotebookNotary(data_dir=str(data)).sign(book)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(address: str, process, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"no answer from {address}")
