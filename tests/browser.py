"""A real Chromium for tests, cut off from the network: everything but the loopback interface and files is refused."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
REQUIRED = os.environ.get("DIFFUSION_LAB_REQUIRE_BROWSER") == "1"


def chromium() -> str | None:
    """Where a Chromium is, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def missing(what: str) -> None:
    """Skip a test by name, or fail where browsers are required (DIFFUSION_LAB_REQUIRE_BROWSER=1)."""
    (pytest.fail if REQUIRED else pytest.skip)(f"{what} is not here")


@contextmanager
def browser():
    """A running Chromium, driven by Playwright."""
    path = chromium()
    if path is None:
        missing("a Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        engine = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield engine
        engine.close()


@contextmanager
def page(engine, width: int = 1280, height: int = 720, **context):
    """A page whose `refused` lists every address outside this machine that it asked for, and `errors` its mistakes."""
    opened = engine.new_context(viewport={"width": width, "height": height}, **context)
    refused, errors = [], []

    def guard(route):
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data", "blob", "about") or address.hostname in ("localhost", "127.0.0.1", "::1"):
            return route.continue_()
        refused.append(route.request.url)
        return route.abort()

    opened.route("**/*", guard)
    tab = opened.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.refused, tab.errors = refused, errors
    yield tab
    opened.close()


def live(tab, place: str = ".dl-player") -> None:
    """Wait until the script has replaced the static strip."""
    tab.wait_for_selector(f'{place}[data-live="yes"]', timeout=30_000)


def address(path: Path) -> str:
    return Path(path).resolve().as_uri()
