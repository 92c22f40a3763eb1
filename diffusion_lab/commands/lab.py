"""JupyterLab on the lessons, with nothing between the learner and the first cell.

The settings, trust records and history of this Lab live inside the environment: a learner's own Jupyter is neither
read nor changed. Only the standard library until the environment is there.
"""

import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from pathlib import Path

from diffusion_lab.commands import copies, environment
from diffusion_lab.errors import LabError

BUILT = copies.LESSONS / "text" / "built.json"  # by name, each notebook's fingerprint as it was shipped or built
SETTINGS = Path(__file__).parent / "jupyter"
CLAIMS = []  # sockets that hold a port for this process


def add_arguments(parser):
    parser.add_argument("--port", type=int, help="where to listen (default: the first free one from 8888)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(args):
    """Set the environment up where needed, step into it, and serve until Ctrl-C."""
    left = step_inside(["lab"], args)
    if left is not None:
        return left
    port = free_port(args.port)
    state = state_folder("diffusion_lab_jupyter")
    keep_apart(state)
    _trust(state)
    copies.follow()
    return serve(_start_page(), port, not args.no_browser)


def step_inside(words, args):
    """Set the environment up where needed; where this process is not in it, run the command `words` again inside.

    Returns the exit code of that run, or None where this process is inside already.
    """
    python = environment.ensure()
    prefix = python.parent.parent if python != Path(sys.executable) else Path(sys.prefix)
    if Path(sys.prefix).resolve() == prefix.resolve():
        return None
    options = (["--port", str(args.port)] if args.port else []) + (["--no-browser"] if args.no_browser else [])
    command = [str(python), "-m", "diffusion_lab"] + words + options
    os.chdir(str(environment.ROOT))
    if os.name == "nt":
        return subprocess.call(command)
    os.execv(command[0], command)


def free_port(wanted):
    """The port that was asked for, or the first free one from 8888; raises LabError where there is none.

    Until Jupyter listens there, seconds later, a UDP socket of the same number tells another `make lab` that it is
    taken; the system closes it with this process.
    """
    for port in [wanted] if wanted else range(8888, 8988):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket() as probe:
            if os.name != "nt":  # there it would call a taken port free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                claim.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
                CLAIMS.append(claim)
                return port
            except (OSError, OverflowError):
                claim.close()
    raise LabError(
        "expected a free port for JupyterLab; {} is taken or not allowed; give another one with PORT=8899 "
        "or --port 8899".format(f"port {wanted}" if wanted else "every port from 8888 to 8987")
    )


def state_folder(name):
    """Where Jupyter's settings, data and history lie: inside the environment, or at home where that is another's."""
    inside = Path(sys.prefix) / name
    if os.access(str(inside if inside.exists() else inside.parent), os.W_OK):
        return inside
    return Path.home() / ".cache" / name / hashlib.sha256(str(environment.ROOT).encode()).hexdigest()[:8]


def keep_apart(state):
    """From here on Jupyter's settings, data and history are those in `state`, with a quiet kernel; JupyterLab takes
    the course's own extension (a page that holds still) from beside its settings."""
    for name in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "JUPYTER_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update({
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTER_CONFIG_PATH": str(SETTINGS),
        "JUPYTER_PATH": str(SETTINGS),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(state / "ipython"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "npm_config_cache": str(state / "npm"),
    })  # fmt: skip


def _start_page():
    """The address of the first lesson below the course's folder that can be opened, 00 where there is one."""
    found = [copies.opened_from() / path.name for path in copies.lessons()]
    whole = (path for path in found if copies.contents(path))
    first = next(whole, found[0] if found else copies.LESSONS)
    return first.relative_to(environment.ROOT).as_posix()


def _trust(state):
    """Sign the lessons that changed since the last start and are as they were built, so that their players are alive at
    once. Whatever else lies there is neither signed nor in the way: one file at a time, and none is needed to go on."""
    record = state / "trusted.json"
    known, built = copies.contents(record), copies.contents(BUILT)
    tried = {}
    for path in copies.lessons():
        try:
            tried[path.name] = path.stat().st_mtime_ns
            if known.get(path.name) != tried[path.name] and built.get(path.name) == copies.digest(path):
                _sign(path, state / "data")
        except Exception:  # unreadable, another format, a full disk: Jupyter shows it as it shows any other notebook
            tried.pop(path.name, None)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(tried), encoding="utf-8")
    except OSError:
        pass  # they are tried again at the next start


def _sign(path, data):
    import nbformat
    from nbformat.sign import NotebookNotary

    data.mkdir(parents=True, exist_ok=True)
    NotebookNotary(data_dir=str(data)).sign(nbformat.read(path, as_version=4))


def without_controls(model, **_):
    """Before a notebook is saved: a control is kept by no file (it would be a dead one), the words in its place are."""
    from diffusion_lab.controls import VIEW

    if model["type"] == "notebook":
        model["content"]["metadata"].pop("widgets", None)
        for cell in model["content"]["cells"]:
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                if "text/html" in data:
                    data.pop(VIEW, None)


def serve(start_page, port, browse):
    """Run JupyterLab until Ctrl-C; once it answers, print the address of `start_page`, a path below the course's
    folder, and open it in a browser where `browse`."""
    import warnings

    token = secrets.token_hex(16)
    threading.Thread(target=_announce, args=(port, start_page, token, browse), daemon=True).start()
    warnings.simplefilter("ignore")
    sys.modules["rfc3987_syntax"] = None  # an optional check of addresses whose grammar takes a second to build
    from jupyterlab.labapp import LabApp

    os.chdir(str(environment.ROOT))
    LabApp.launch_instance(
        [
            "--Application.log_level=40",
            f"--ServerApp.root_dir={environment.ROOT}",
            f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}",
        ]
    )
    return 0


def _announce(port, start_page, token, browse):
    base = f"http://127.0.0.1:{port}"
    while True:
        try:
            with urllib.request.urlopen(base + "/api/status?token=" + token, timeout=5):
                break  # it is this one: another's server knows the token not
        except OSError:
            time.sleep(0.1)
    address = f"{base}/lab/tree/{start_page}?token={token}"
    print("JupyterLab is running at this address; Ctrl-C stops it.\n\n    " + address + "\n", flush=True)
    if browse:
        webbrowser.open(address)
