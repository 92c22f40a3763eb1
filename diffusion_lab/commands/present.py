"""A lesson as live slides in JupyterLab: code runs, players answer, and the lesson itself stays untouched."""

import os
import secrets
import shutil
import sys
import threading
from pathlib import Path

from diffusion_lab.commands import environment, lab


def add_arguments(parser):
    parser.add_argument("lesson", metavar="NUMBER", help="the lesson to present, such as 04")
    parser.add_argument("--port", type=int, help="where to listen (default: the first free one from 8888)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(args):
    """Make the copy to present, then serve it with settings of its own: `make lab` afterwards is as it was."""
    python = environment.ensure()
    port = lab._free_port(args.port)
    if Path(sys.prefix).resolve() != lab._prefix(python):
        options = ["--port", str(port)] + (["--no-browser"] if args.no_browser else [])
        return lab._step_into([str(python), "-m", "diffusion_lab", "present", args.lesson] + options)
    state = Path(sys.prefix) / "diffusion_lab_present" / str(port)  # so that two lessons may be shown at once
    shutil.rmtree(str(state), ignore_errors=True)
    os.environ.update(lab._jupyter_environment(state))
    os.environ["JUPYTERLAB_SETTINGS_DIR"] = str(state / "settings")
    os.environ["JUPYTERLAB_WORKSPACES_DIR"] = str(state / "workspaces")
    copy = prepare(args.lesson, state)
    token = secrets.token_hex(16)
    base = f"http://127.0.0.1:{port}"
    address = f"{base}/lab/tree/{copy.relative_to(environment.ROOT).as_posix()}?token={token}"
    threading.Thread(target=lab._announce, args=(base, address, not args.no_browser), daemon=True).start()
    return lab._serve(port, token)


def prepare(number, state):
    """Write the lesson's copy to build/present/, signed, and the settings beside Jupyter's state; return the copy."""
    import nbformat
    from nbformat.sign import NotebookNotary

    from diffusion_lab.commands.slides import notebooks
    from diffusion_lab.coursework import live

    (lesson,) = notebooks([number])
    copy = environment.ROOT / "build" / "present" / lesson.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(live.live_copy(nbformat.read(lesson, as_version=4)), copy)
    data = state / "data"
    data.mkdir(parents=True, exist_ok=True)
    NotebookNotary(data_dir=str(data)).sign(nbformat.read(copy, as_version=4))
    live.settings(state / "settings")
    return copy
