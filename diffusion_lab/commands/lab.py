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

from diffusion_lab.commands import environment
from diffusion_lab.errors import LabError

LESSONS = environment.ROOT / "lessons"
BUILT = LESSONS / "text" / "built.json"  # by name, the fingerprint of each notebook that was shipped or built here
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
    _copy_lessons()
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


def lessons():
    """The lessons' notebooks in their order: those that a text of the same name is there for. A copy, or a notebook of
    the learner's own, is none."""
    texts = LESSONS / "text"
    return [path for path in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")) if (texts / (path.stem + ".md")).is_file()]


def _start_page():
    """The address of the first lesson below the course's folder that can be opened, 00 where there is one."""
    found = [opened_from() / path.name for path in lessons()]
    whole = (path for path in found if _json(path))
    first = next(whole, found[0] if found else LESSONS)
    return first.relative_to(environment.ROOT).as_posix()


def own_lessons():
    """The folder of a learner's own copies, which no update of the course touches."""
    return LESSONS.parent / "my-lessons"


def opened_from():
    """The folder whose notebooks a learner opens: their own copies, where there are some."""
    own = own_lessons()
    return own if any((own / path.name).is_file() for path in lessons()) else LESSONS


def _copy_lessons():
    """Each lesson that a learner has no copy of is copied to `my-lessons`; a copy that is as it was made follows the
    course's own; one that was worked in is left alone, and a newer edition of it is told. Best effort, one at a time:
    where the disk refuses, the lessons are opened where they are."""
    record = own_lessons() / ".made.json"  # by name, the fingerprint of each copy as it was made
    found = _json(record)
    made, newer = dict(found), []
    for path in lessons():
        try:
            own, today = own_lessons() / path.name, digest(path)
            if own.exists() and digest(own) not in (today, made.get(path.name)):
                if made.get(path.name) not in (today, None):
                    newer.append(path.name[:2])
                continue
            if not own.exists() or digest(own) != today:
                _whole(own, path.read_bytes())
            made[path.name] = today
        except Exception:  # unreadable, a full disk, a folder of somebody else's
            continue
    try:
        if made != found:
            _whole(record, json.dumps(made, indent=1).encode())
    except Exception:
        pass  # it is found out again at the next start
    if newer:
        print("A newer edition of lesson {} is there; your copy is left as it is. `python -m diffusion_lab reset {}` "
              "brings it, and keeps yours.".format(", ".join(newer), newer[0]), flush=True)


def _whole(path, content):
    from diffusion_lab.files import whole

    with whole(path) as part:
        part.write_bytes(content)


def bring_back(lesson):
    """A fresh copy of a lesson in `my-lessons`. Returns the name under which a copy that was worked in is kept beside
    it, or "" where there was none. Raises LabError where the disk refuses."""
    own, kept = own_lessons() / lesson.name, ""
    try:
        if own.exists() and digest(own) != digest(lesson):
            kept = time.strftime("{} (mine, until %Y-%m-%d %H.%M.%S).ipynb").format(own.stem)
            os.replace(own, own.with_name(kept))
        content = lesson.read_bytes()
    except OSError as error:
        raise LabError(f"a fresh copy of {lesson.name} was to be made in {own.parent}; the disk refused "
                       f"({error.strerror or error}); nothing is lost; mend the folder's rights") from None
    _whole(own, content)
    record = own.with_name(".made.json")
    _whole(record, json.dumps(dict(_json(record), **{lesson.name: digest(lesson)}), indent=1).encode())
    return kept


def _json(path):
    """The object in a JSON file, an empty one where there is none: then nothing is known of it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _trust(state):
    """Sign the lessons that changed since the last start and are as they were built, so that their players are alive at
    once. Whatever else lies there is neither signed nor in the way: one file at a time, and none is needed to go on."""
    record = state / "trusted.json"
    known, built = _json(record), _json(BUILT)
    tried = {}
    for path in lessons():
        try:
            tried[path.name] = path.stat().st_mtime_ns
            if known.get(path.name) != tried[path.name] and built.get(path.name) == digest(path):
                _sign(path, state / "data")
        except Exception:  # unreadable, another format, a full disk: Jupyter shows it as it shows any other notebook
            tried.pop(path.name, None)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(tried), encoding="utf-8")
    except OSError:
        pass  # they are tried again at the next start


def digest(path):
    """The fingerprint of a notebook's text, whatever its line ends, as `lessons/text/built.json` has it."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


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
