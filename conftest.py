"""What all tests share: no network, and a notebook check that sees a display's last state."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in make lab: threads on busy cores do not spin
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # what is promised to the bit is promised on the CPU
os.environ["DIFFUSION_LAB_PROGRESS"] = os.path.join(os.devnull, "nowhere")  # a learner's own notes stay as they are
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel `python3` is this environment's
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT / "tests" / "loopback"), *filter(None, [os.environ.get("PYTHONPATH")])]
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background of a shell: what is tested hears Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    _let_nbval_follow_display_updates()


def pytest_collection_modifyitems(items):
    """The longest files first, so that two workers end together: notebooks, browsers, what starts processes, the rest.

    (xdist hands out files in this order with --no-loadscope-reorder; on its own it counts tests, and a notebook of a
    minute, or a Lab that starts, would come last and alone.)
    """
    files = {}
    for item in items:
        files.setdefault(item.path, []).append(item)

    def rank(path):
        browser = any(item.get_closest_marker("browser") for item in files[path])
        starts = path.suffix == ".py" and "subprocess" in path.read_text(encoding="utf-8")
        return path.suffix != ".ipynb", not browser, not starts, -len(files[path])

    items[:] = [item for path in sorted(files, key=rank) for item in files[path]]


def _let_nbval_follow_display_updates():
    """Teach nbval what a front end does with `update_display_data`: the display it names shows the new content.

    nbval 0.11 drops that message, so a display that counts while it works and ends as a picture would be compared
    in its first state.
    """
    from nbformat import from_dict
    from nbval.plugin import IPyNbFile

    plain = IPyNbFile.get_kernel_message

    def get_kernel_message(self, timeout=None, stream="iopub"):
        shown = self.__dict__.setdefault("_displays", {})
        while True:
            message = plain(self, timeout=timeout, stream=stream)
            kind, content = message["msg_type"], message["content"]
            name = content.get("transient", {}).get("display_id")
            if kind == "display_data" and name:
                content.update(from_dict({"data": content["data"], "metadata": content["metadata"]}))
                shown[name] = content  # as notebook nodes, nbval keeps the very objects: changed here, changed there
            if kind != "update_display_data":
                return message
            if name in shown:
                for part in ("data", "metadata"):
                    shown[name][part].clear()
                    shown[name][part].update(content[part])

    IPyNbFile.get_kernel_message = get_kernel_message


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
