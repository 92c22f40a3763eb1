"""What the tests of the site share: it, built once, its address, and a browser."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from browser import browser
from built_site import Quiet
from filelock import FileLock

from diffusion_lab.commands.environment import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Built by whichever worker comes first, in a copy of its own place, so that nothing of an earlier build helps."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    out = base / "a folder" / "site"
    with FileLock(base / "site.lock"):
        if out.exists():
            return out
        half = out.with_name("half built")
        build = [sys.executable, ROOT / "docs" / "site" / "build.py", "--out", half]
        run = subprocess.run(build, capture_output=True, text=True)
        if run.returncode == 0:
            half.rename(out)  # one that ended in the middle is nobody's
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stderr == "" and run.stdout.splitlines()[-1] == str(half / "index.html")
    assert (out / "draw.html").exists() or run.stdout.startswith("without the page that draws: ")
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
def engine(request):
    with browser(getattr(request, "param", "chromium")) as found:
        yield found
