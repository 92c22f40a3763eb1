"""Files written whole or not at all, files read or refused in one sentence, and paths as a person writes them."""

import glob
import json
import os
import platform
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import psutil
from safetensors import SafetensorError, safe_open

from .errors import LabError

HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # two machines may share a folder, and count processes apart


def expanded(path: str | Path) -> Path:
    """The path with its ~ spelt out; raises LabError for what is no path or no text, and for the ~ of nobody."""
    try:
        place = Path(path).expanduser()
        if "\0" in str(place) or path == "":
            raise TypeError
        os.fsencode(place)
        return place
    except (RuntimeError, TypeError, UnicodeError):
        raise LabError(f"the path of a file or a folder was expected; {path!r} came; write the whole path") from None


def where(path: Path) -> str:
    """The whole path as text, for a message; as it came where the folder that one works in is gone."""
    try:
        return os.path.abspath(path)
    except OSError:
        return str(path)


@contextmanager
def whole(path: str | Path, new: bool = False) -> Iterator[Path]:
    """Yield a place to write to; what was written there becomes `path`, on the disk itself, when all went well.

    The place lies in a folder of its own beside `path` (which is made where it is missing), under a name that nobody
    can guess and that no one else may enter. So a kill at any moment, or a full disk, leaves the file that was there
    before; the folder that a kill leaves is taken away by the next one that writes this file. A link is followed.
    Within such a place the file itself is written, for it becomes another's part. Raises LabError where the disk
    refuses, where `path` is no file, and with `new` where somebody was there first.
    """
    path = expanded(path)
    if any(folder.name.startswith(".") and folder.suffix == ".part" for folder in path.parents):
        yield path
        return
    try:
        place = Path(os.path.realpath(path))
        if os.path.exists(place) and not os.path.isfile(place):
            raise OSError("something that is no file is there")
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        own = f"{_mark(place)}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=own, suffix=".part", dir=place.parent) as folder:
            part = Path(folder) / path.name
            yield part
            _open_to_all(part)
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            (_put if new else os.replace)(part, place)
    except (OSError, SafetensorError) as error:
        raise _refused(path, error) from None


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """As `whole`, for a folder of one's own making: at any moment all of it is there, or none of it."""
    place = Path(os.path.realpath(expanded(path)))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        own = f"{_mark(place)}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=own, suffix=".part", dir=place.parent) as folder:
            made, before = Path(folder) / "new", Path(folder) / "old"
            made.mkdir()
            yield made
            _open_to_all(*(file for file in made.rglob("*") if file.is_file()))
            if place.exists():
                os.replace(place, before)
            os.replace(made, place)
    except (OSError, SafetensorError) as error:
        raise _refused(path, error) from None


def _open_to_all(*files: Path) -> None:
    """Give files the mode that any new file has here: safetensors writes its own for their owner alone, and a class
    shares a folder."""
    with tempfile.TemporaryDirectory() as folder:
        usual = Path(folder) / "any"
        usual.touch()
        for file in files:
            file.chmod(usual.stat().st_mode)


def _refused(path: str | Path, error: Exception) -> LabError:
    return LabError(f"{path} was to be written; the disk refused ({getattr(error, 'strerror', None) or error}), and "
                    "what was there before is untouched; make room, or name another place")  # fmt: skip


def _put(part: Path, place: Path) -> None:
    """Move a file to where none is; raises FileExistsError where one came meanwhile."""
    try:
        os.link(part, place)
    except FileExistsError:
        raise
    except OSError:  # a disk without links: the name is taken first
        open(place, "xb").close()
        os.replace(part, place)


def _mark(place: Path) -> str:
    """How the names of the places begin that processes of this machine write a file in."""
    return f".{place.name[:40]}.{HOST}-"


def _sweep(place: Path) -> None:
    """Remove the places of a file that processes of this machine left when they were killed."""
    mine = _mark(place)
    for left in place.parent.glob(f"{glob.escape(mine)}*.part"):
        process = left.name.removeprefix(mine).split("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def made(folder: str | Path) -> Path:
    """A folder to write into, which is made where it is missing; raises LabError where it cannot be."""
    folder = expanded(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"a folder to write into was expected; the disk refused {where(folder)} "
                       f"({error.strerror or error}); give another") from None
    return folder


@contextmanager
def alone(path: str | Path, what: str, remedy: str = "wait for it, or give another --out") -> Iterator[None]:
    """Within it no other process may work on `path` (its folder is made where it is missing).

    The system itself holds the lock, a file beside `path`, and lets go of it when the process ends, however it ends.
    What one that was killed had half written is taken away.
    Raises LabError where another process holds it (`what` says at what, `remedy` what to do then), and where the disk
    refuses.
    """
    lock = expanded(path).with_suffix(".lock")
    made(lock.parent)
    try:
        file = open(lock, "ab")
    except OSError as error:
        raise LabError(f"a folder to write into was expected; the disk refused {lock.parent} "
                       f"({error.strerror or error}); give another --out") from None
    with file:
        try:
            _hold(file)
        except OSError:
            raise LabError(f"a folder of its own was expected; another process is at {what} in {lock.parent}; "
                           f"{remedy}") from None
        _sweep(expanded(path))
        try:
            yield
        finally:
            if os.name == "nt":  # where nothing can be removed while it is open, by whomever
                file.close()
            with suppress(OSError):
                lock.unlink()


def _hold(file) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def new_file(path: Path, suffixes: tuple[str, ...], force: bool) -> Iterator[Path]:
    """As `whole`, for a file that a command makes: never over another one unless told.

    Raises LabError, before anything is computed, where `path` is taken and not `force`, has no suffix of `suffixes`
    or lies in no folder that can be written to; and afterwards where the disk refused, or the name was taken meanwhile.
    """
    path = expanded(path)
    if path.suffix.lower() not in suffixes:
        raise LabError(f"a file name that ends in {' or '.join(suffixes)} was expected; {str(path)!r} came; rename it")
    with read_as(path, "a file to write", "give another name with --out"):
        taken = path.is_dir() or (path.exists() and not force)
    if taken:
        raise LabError(f"{path} exists already; give another name with --out or add --force to replace it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        what = "may not be written by you" if path.parent.is_dir() else "is none; make it"
        raise LabError(f"a folder to write into was expected; {where(path.parent)} {what}, or name another place")
    with whole(path, new=not force) as part:
        yield part


def read_json(path: str | Path, what: str, remedy: str) -> dict:
    """The object in a JSON file; raises LabError ("`what` was expected ...; `remedy`") where there is none."""
    path = expanded(path)
    with read_as(path, what, remedy):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
    return content


def read_tensors(path: str | Path, what: str, remedy: str) -> tuple[dict, dict[str, str]]:
    """The tensors in a safetensors file by name, and its metadata; raises LabError as `read_json` does.

    They are copies: safetensors' own lie in the open file, which then changes them when it changes, and on Windows can
    be neither replaced nor removed while one of them lives.
    """
    path = expanded(path)
    with read_as(path, what, remedy), _seen(path), safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata() or {}


def tensor_shapes(path: str | Path, what: str, remedy: str) -> dict[str, list[int]]:
    """The shapes of the tensors in a safetensors file by name, none of them read; LabError as `read_json` raises it."""
    path = expanded(path)
    with read_as(path, what, remedy), _seen(path), safe_open(path, framework="np") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}


def _seen(path: Path) -> BinaryIO:
    """The file opened by Python too: safetensors opens it where no audit hook hears of it, and a lesson's record is
    made of what is heard."""
    return open(path, "rb")


@contextmanager
def read_as(path: Path, what: str, remedy: str, broken: str = "the file is cut short or broken") -> Iterator[None]:
    """Within it, a file that cannot be had, or that nothing can be built from, is one sentence: what was expected,
    where it was looked for, what to do."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OSError("it is no file")  # a pipe would be waited for
        yield
    except FileNotFoundError:
        fault = f"{path.name} is missing in {Path(where(path)).parent}"
    except OSError as error:
        fault = f"it cannot be opened ({error.strerror})" if error.strerror else f"{broken} ({error})"
    except (SafetensorError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError,
            RuntimeError) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
        fault = f"{broken} ({' '.join(said.split())[:200]})"
    else:
        return
    raise LabError(f"{what} was expected in {where(path)}; {fault}; {remedy}")
