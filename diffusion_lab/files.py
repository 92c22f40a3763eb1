"""Files that are written whole or not at all, and one sentence where the disk refuses them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from .errors import LabError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a place beside `path`; what was written there becomes `path`, on the disk itself, when all went well.

    So a kill at any moment, or a full disk, leaves the file that was there before. Raises LabError where the disk
    refuses.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        raise LabError(f"{path} was to be written; the disk refused ({getattr(error, 'strerror', None) or error}), and "
                       "what was there before is untouched; make room, or name another place") from None
    finally:
        part.unlink(missing_ok=True)
