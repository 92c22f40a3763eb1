"""The commands: `python -m diffusion_lab COMMAND`. Each is loaded when it is asked for."""

import os
import sys

if __name__ == "__main__" and os.path.isdir(sys.path[0]) and os.path.samefile(sys.path[0], os.curdir):
    sys.path.pop(0)  # the folder that one works in: a random.py of the learner's own is no part of the course

import shutil
import signal
import subprocess
import threading

COMMANDS = {
    "lab": "open the lessons in JupyterLab (sets the environment up first)",
    "present": "a lesson as live slides in JupyterLab",
    "slides": "lessons as slides that need no Jupyter, and pages of speaker notes",
    "doctor": "what this machine can do, and what is missing",
    "noise": "the forward process of your own picture, as one HTML file",
    "draw": "a picture from a prompt",
    "edit": "a picture of your own redrawn, or a part of it",
    "outpaint": "a picture of your own that goes on beyond its edge",
    "train": "train a model of the course from scratch",
    "evaluate": "measure a model",
    "export-web": "a Stable Diffusion as files that a web page draws with",
    "colab": "a lesson for Google Colab, whose first cell brings the course",
    "progress": "what you have done in the lessons, and a certificate of it",
    "reset": "a lesson as it was, beside your own copy of it",
    "setup": "only set the environment up",
}
OLDEST = (3, 11)
ENDED = []  # the exit code, once somebody has asked for the end
# Threads that wait for each other sleep: spinning, two of them on busy cores cost tens of times the work itself.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(argv=None):
    """Run one command and return its exit code; what a user can cause ends in one sentence.

    Whoever reads what it says may stop reading (`| head`): that ends it quietly. What they cannot spell is escaped.
    """
    for name in ("stdout", "stderr"):  # `>&-` leaves None there
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)
    try:
        try:
            return _answer(argv)
        except Exception:
            if ENDED:  # what an ending tears, such as an import half made, has nothing to tell
                sys.exit(ENDED[0])
            raise
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would try once more at its end
        quiet = isinstance(error, BrokenPipeError)
        return 141 if quiet else _fail(f"what the command says was to be written; {error}; send it elsewhere")


def _end(number, frame):
    """A request to end is an ending like any other: what was begun is tidied up, and no more is said."""
    ENDED.append(128 + number)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")
    sys.exit(ENDED[0])


def _answer(argv):
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: python -m diffusion_lab COMMAND [options]\n")
        print("\n".join(f"  {name:10} {text}" for name, text in COMMANDS.items()))
        print("\n`python -m diffusion_lab COMMAND --help` names a command's options.")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        return _fail("expected a command, one of {}; came {!r}".format(", ".join(COMMANDS), name))
    from diffusion_lab.errors import LabError

    try:
        return _run(name, argv[1:]) or 0
    except LabError as error:
        return _fail(error)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("diffusion_lab"):
            raise
        return _fail(f"the course's own Python was expected; {sys.executable} came, which lacks {error.name}; write "
                     ".venv/bin/python (make doctor makes it, and tells what it lacks)")
    except KeyboardInterrupt:
        return 130


def _run(name, rest):
    import argparse
    import importlib

    home = {"setup": "environment", "train": "recipe", "evaluate": "recipe", "outpaint": "edit",
            "export-web": "export_web"}.get(name, name)  # fmt: skip
    module = importlib.import_module(f"diffusion_lab.commands.{home}")
    parser = argparse.ArgumentParser(prog="python -m diffusion_lab " + name, description=COMMANDS[name])
    module.add_arguments(parser)
    return module.run(parser.parse_args(rest))


def _fail(sentence):
    print(str(sentence), file=sys.stderr)
    return 2


def _newer_python():
    """The first newer Python on the path that runs, for machines whose `python3` is an old one: a name may be there
    for a version that is switched off (pyenv's are)."""
    for path in map(shutil.which, [f"python3.{minor}" for minor in (14, 13, 12, 11)]):
        question = [path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        if path and not subprocess.call(question, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            return path
    return None


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        newer = _newer_python()
        if newer:
            os.execv(newer, [newer, "-m", "diffusion_lab"] + sys.argv[1:])
        sys.exit(
            f"expected Python 3.11 or newer; this one is {sys.version.split()[0]}; install a newer "
            "Python and try again (make takes another one with PYTHON=python3.12)"
        )
    sys.exit(main())
