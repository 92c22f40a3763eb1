"""A lesson as live slides in JupyterLab: code runs, players answer, and the lesson itself stays untouched."""

import os
import shutil

from diffusion_lab.commands import environment, lab


def add_arguments(parser):
    parser.add_argument("lesson", metavar="NUMBER", help="the lesson to present, such as 04")
    lab.add_arguments(parser)


def run(args):
    """Make the copy to present, then serve it with settings of its own: `make lab` afterwards is as it was."""
    left = lab.step_inside(["present", args.lesson], args)
    if left is not None:
        return left
    port = lab.free_port(args.port)
    state = lab.state_folder("diffusion_lab_present") / str(port)  # so that two lessons may be shown at once
    shutil.rmtree(str(state), ignore_errors=True)
    lab.keep_apart(state)
    os.environ["JUPYTERLAB_SETTINGS_DIR"] = str(state / "settings")
    os.environ["JUPYTERLAB_WORKSPACES_DIR"] = str(state / "workspaces")
    copy = prepare(args.lesson, state)
    return lab.serve(copy.relative_to(environment.ROOT).as_posix(), port, not args.no_browser)


def prepare(number, state):
    """Write the lesson's copy to build/present/, signed, and the settings beside Jupyter's state; return the copy."""
    import nbformat
    from nbformat.sign import NotebookNotary

    from diffusion_lab.commands.slides import notebooks
    from diffusion_lab.coursework.slides import decks, live
    from diffusion_lab.files import whole

    lesson = notebooks([number])[0]
    copy = environment.ROOT / "build" / "present" / lesson.name
    shown = live.live_copy(decks.read(lesson))
    with whole(copy) as part:
        nbformat.write(shown, part)
    data = state / "data"
    data.mkdir(parents=True, exist_ok=True)
    NotebookNotary(data_dir=str(data)).sign(nbformat.read(copy, as_version=4))
    live.settings(state / "settings")
    return copy
