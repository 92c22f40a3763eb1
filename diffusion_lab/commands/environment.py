"""The course's own environment: `.venv` beside the lessons, made once, found ready ever after.

Only the standard library, and nothing that an old Python cannot read: this runs before anything is installed.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from diffusion_lab.errors import LabError

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = VENV / "diffusion_lab.json"
LOG = VENV / "install.log"
NEEDED_GB = 3


def add_arguments(parser):
    parser.add_argument("--test", action="store_true", help="also what `make test` and `make lessons` need")


def run(args):
    ensure("test" if args.test else "")


def ensure(extra=""):
    """Return the Python that the course runs with, after setting `.venv` up where that has not been done yet.

    A virtual or conda environment that `pip install` prepared for the course is used as it is. Raises LabError
    where something is missing.
    """
    if not (ROOT / "pyproject.toml").is_file():
        raise LabError(
            "expected the course's folder around the package, with pyproject.toml and lessons/; "
            f"found none at {ROOT}; clone the repository and run the command in it"
        )
    if _is_prepared_elsewhere():
        return Path(sys.executable)
    done = _read_stamp()
    extras = sorted(set(done.get("extras", [])) | ({extra} if extra else set()))
    if done.get("key") == _key() and done.get("extras") == extras and os.access(str(_python()), os.X_OK) and not lost():
        return _python()
    _install(extras)
    return _python()


def _python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _is_prepared_elsewhere():
    here = Path(sys.prefix).resolve()
    own = sys.prefix != sys.base_prefix or (here / "conda-meta").is_dir()
    if not own or here == VENV.resolve():
        return False
    return any(Path(sysconfig.get_path("purelib")).glob("diffusion_lab-*.dist-info"))


def _key():
    """What the environment depends on: a change here, or a moved folder, means another install."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [project["dependencies"], project["optional-dependencies"], project["requires-python"], str(ROOT)]
    pins = (ROOT / "constraints.txt").read_bytes()
    return hashlib.sha256(json.dumps(wanted).encode() + pins).hexdigest()


def _read_stamp():
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def _site():
    """The folder that packages are installed in."""
    return next(iter(VENV.glob("Lib/site-packages" if os.name == "nt" else "lib/python3*/site-packages")), VENV)


def _installed():
    """What lies in the environment, a name each, those of metadata without the version."""
    names = {re.sub(r"-[^-]+(\.dist-info)$", r"\1", path.name) for path in _site().glob("[!_.]*")}
    return sorted(name for name in names if name != "diffusion_lab.egg-link")


def lost():
    """What the set-up put into the environment and is gone, folders and modules by name."""
    return sorted(set(_read_stamp().get("installed", [])) - set(_installed()))


def _forget(gone):
    """Take away the metadata of packages that lost something: else pip believes that they are there."""
    for info in _site().glob("*.dist-info"):
        try:
            record = (info / "RECORD").read_text(encoding="utf-8")
            files = {line.split(",")[0].split("/")[0] for line in record.splitlines()}
        except (OSError, ValueError):
            files = set(gone)
        if files & set(gone):
            shutil.rmtree(str(info), ignore_errors=True)


def _install(extras):
    _check_machine()
    maker = sys.executable
    if Path(sys.prefix).resolve() == VENV.resolve():  # that one may have to go
        maker = getattr(sys, "_base_executable", maker)
    gone = lost()
    if gone:
        print("Mending .venv, which lost " + ", ".join(gone) + ".", flush=True)
    else:
        print("Setting up the course in .venv: once, a few minutes (README.md says what it weighs).", flush=True)
    if not _works(_python()):
        shutil.rmtree(str(VENV), ignore_errors=True)
        _call([maker, "-m", "venv", str(VENV)], "the environment could not be made")
    _forget(gone)
    what = ".[{}]".format(",".join(extras)) if extras else "."
    _call(
        [str(_python()), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
         "--progress-bar", "off", "--retries", "2", "--constraint", "constraints.txt", "--editable", what],
        "the course's packages could not be installed",
    )  # fmt: skip
    STAMP.write_text(json.dumps({"key": _key(), "extras": extras, "installed": _installed()}), encoding="utf-8")
    print("The environment is ready.")


def _check_machine():
    if not os.access(str(VENV if VENV.exists() else ROOT), os.W_OK):
        raise LabError(
            f"expected a folder of your own to set the course up in; {ROOT} may not be written by you; clone the "
            "course into a folder of yours and try again"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise LabError(
            "expected Python's venv module to make .venv; this Python comes without it; install it and "
            "try again (on Debian and Ubuntu: sudo apt install python3-venv)"
        )
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if free < NEEDED_GB and not STAMP.exists():
        raise LabError(
            f"expected {NEEDED_GB} GB of free disk for .venv; {free:.1f} GB are free at {ROOT}; "
            "make room and try again"
        )


def _works(python):
    """Does the environment's Python start, and has it pip? An interrupted set-up leaves half of one."""
    if not python.exists():
        return False
    call = [str(python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.call(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def _call(command, failure):
    """Run one step: name the large files that come, log every line, turn a failure into one sentence."""
    env = dict(os.environ, PYTHONUNBUFFERED="1")
    env.pop("PYTHONHOME", None)
    lines = []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "universal_newlines": True, "errors": "replace"}
    with subprocess.Popen(command, cwd=str(ROOT), env=env, **pipes) as process:
        for line in process.stdout:
            lines.append(line)
            large = re.search(r"Downloading (\w+)-\S+ \((\d\d+\.\d MB)\)", line)
            if large:
                print(f"  fetching {large.group(1)} ({large.group(2)})", flush=True)
            elif line.startswith("Installing collected packages"):
                print("  unpacking {} packages".format(line.count(",") + 1), flush=True)
    if VENV.is_dir():
        with open(str(LOG), "a", encoding="utf-8") as log:
            log.writelines(lines)
    if process.returncode:
        raise LabError("{}: {}".format(failure, _reason("".join(lines))))


def _reason(text):
    """The cause of a failed step in words, read from what the tool printed."""
    if "No space left" in text:
        return f"the disk is full; make room (about {NEEDED_GB} GB, three times that with CUDA) and try again"
    if re.search("NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|ProxyError", text):
        return "the package index did not answer; the first set-up needs the network; connect and try again"
    if "ensurepip" in text:
        return "this Python lacks ensurepip; install it (on Debian and Ubuntu: sudo apt install python3-venv)"
    errors = [line for line in text.splitlines() if line.strip().upper().startswith("ERROR")]
    last = (errors or text.strip().splitlines() or ["no message"])[-1].strip()
    return f"{last} (all of it: {LOG})"
