"""Files that a command writes: never over another one unless told, and whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusion_lab.errors import LabError
from diffusion_lab.files import whole


@contextmanager
def new_file(path: Path, suffixes: tuple[str, ...], force: bool) -> Iterator[Path]:
    """Yield a place to write to, in the folder of `path`; what was written there becomes `path` when all went well.

    Raises LabError, before anything is computed, where `path` is taken and not `force`, has no suffix of `suffixes`
    or lies in no folder that can be written to; and afterwards where the disk refused.
    """
    if path.suffix.lower() not in suffixes:
        raise LabError(f"a file name that ends in {' or '.join(suffixes)} was expected; {str(path)!r} came; rename it")
    if path.is_dir() or (path.exists() and not force):
        raise LabError(f"{path} exists already; give another name with --out or add --force to replace it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise LabError(f"a folder to write into was expected; {path.parent} is none; make it or give another --out")
    with whole(path) as part:
        yield part
