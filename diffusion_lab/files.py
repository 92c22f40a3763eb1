"""Files written whole or not at all, files read or refused in one sentence, and paths as a person writes them."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open

from .errors import LabError


def expanded(path: str | Path) -> Path:
    """The path with its ~ spelt out; raises LabError for what is no path, and for the ~ of nobody."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, TypeError):
        raise LabError(f"the path of a file or a folder was expected; {path!r} came; write the whole path") from None


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a place to write to; what was written there becomes `path`, on the disk itself, when all went well.

    The place lies in a folder of its own beside `path` (which is made where it is missing), under a name that nobody
    can guess and that no one else may enter. So a kill at any moment, or a full disk, leaves the file that was there
    before. Raises LabError where the disk refuses.
    """
    path = expanded(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=path.parent) as own:
            part = Path(own) / path.name
            yield part
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    except (OSError, SafetensorError) as error:
        raise LabError(f"{path} was to be written; the disk refused ({getattr(error, 'strerror', None) or error}), and "
                       "what was there before is untouched; make room, or name another place") from None


@contextmanager
def new_file(path: Path, suffixes: tuple[str, ...], force: bool) -> Iterator[Path]:
    """As `whole`, for a file that a command makes: never over another one unless told.

    Raises LabError, before anything is computed, where `path` is taken and not `force`, has no suffix of `suffixes`
    or lies in no folder that can be written to; and afterwards where the disk refused.
    """
    path = expanded(path)
    if path.suffix.lower() not in suffixes:
        raise LabError(f"a file name that ends in {' or '.join(suffixes)} was expected; {str(path)!r} came; rename it")
    with _refused(path, "a file to write", "give another name with --out"):
        if path.is_dir() or (path.exists() and not force):
            raise LabError(f"{path} exists already; give another name with --out or add --force to replace it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise LabError(f"a folder to write into was expected; {path.parent.absolute()} is none; make it or give "
                       "another --out")  # fmt: skip
    with whole(path) as part:
        yield part


def read_json(path: str | Path, what: str, remedy: str) -> dict:
    """The object in a JSON file; raises LabError ("`what` was expected ...; `remedy`") where there is none."""
    path = expanded(path)
    with _refused(path, what, remedy):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
    return content


def read_tensors(path: str | Path, what: str, remedy: str) -> tuple[dict, dict[str, str]]:
    """The tensors in a safetensors file by name, and its metadata; raises LabError as `read_json` does."""
    path = expanded(path)
    with _refused(path, what, remedy), safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


def tensor_names(path: str | Path, what: str, remedy: str) -> list[str]:
    """The names of the tensors in a safetensors file, none of them read; raises LabError as `read_json` does."""
    path = expanded(path)
    with _refused(path, what, remedy), safe_open(path, framework="np") as file:
        return list(file.keys())


@contextmanager
def _refused(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Within it, a file that cannot be had is one sentence: what was expected, where it was looked for, what to do."""
    try:
        yield
    except LabError:
        raise
    except FileNotFoundError:
        fault = f"{path.name} is missing in {path.absolute().parent}"
    except OSError as error:
        fault = f"it cannot be opened ({error.strerror or error})"
    except (SafetensorError, ValueError) as error:
        fault = f"the file is cut short or broken ({' '.join(str(error).split())[:120]})"
    else:
        return
    raise LabError(f"{what} was expected in {path.absolute()}; {fault}; {remedy}")
