"""The one process that talks to the hub: `python -m diffusion_lab.stable_diffusion.loading.fetch`.

Its arguments are REPO REVISION PARTS. It prints what it does as one JSON object a line and never a traceback, so that
whoever started it can watch it, and end it when no byte comes: {"plan": ...}, then {"checking": name} again and again
while it reads what came, and at last {"folder": ...} or {"fault": kind, "detail": text}.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PATIENCE = 5.0  # seconds until the hub's first answer
CHUNK = 2**24  # bytes that are read between two signs of life: a slow disk is no silent network
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
KINDS = {
    "GatedRepoError": "gated",
    "RepositoryNotFoundError": "gone",
    "RevisionNotFoundError": "revision",
    "OfflineModeIsEnabled": "offline",
    "JSONDecodeError": "portal",
    "FileMetadataError": "portal",
    "ConnectTimeout": "silent",
    "ReadTimeout": "silent",
    "ConnectError": "no network",
    "RemoteProtocolError": "cut",
    "ReadError": "cut",
    "HfHubHTTPError": "server",
    "PermissionError": "locked",
}


def fault_of(error: BaseException) -> tuple[str, str]:
    """The kind of a failure and its last words, read from the names of the errors along its chain of causes.

    By name, for the libraries underneath change theirs, and the outermost error nearly always hides the true one.
    """
    chain = list(_chain(error))
    detail = " ".join(str(chain[-1]).split())[:200] or type(chain[-1]).__name__
    if any(isinstance(one, OSError) and one.errno in FULL for one in chain):
        return "full", detail
    names = {base.__name__ for one in chain for base in type(one).__mro__}
    kind = next((kind for name, kind in KINDS.items() if name in names), "unknown")
    statuses = [str(one.response.status_code) for one in chain if getattr(one, "response", None) is not None]
    return kind, statuses[0] if kind == "server" and statuses else detail


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def wanted(names: Sequence[str], parts: Sequence[str]) -> list[str]:
    """The files to fetch: each part's settings, and its weights once, in float16 where there are such."""
    chosen = ["model_index.json"] if "model_index.json" in names else []
    for part in parts:
        own = [name for name in names if Path(name).parent.as_posix() == part]
        weights = [name for name in own if name.endswith(".safetensors") and "non_ema" not in name]
        halves = [name for name in weights if ".fp16." in name]
        chosen += [name for name in own if name.endswith((".json", ".txt")) and ".index." not in name]
        chosen += halves or weights
    return chosen


def damaged(folder: Path, checking: Callable[[str], None] = lambda name: None) -> list[Path]:
    """The large files of a snapshot whose content is not the one that their name in the cache promises.

    `checking` hears the name of the file that is being read after each CHUNK of it.
    """
    bad = []
    for path in sorted(folder.rglob("*.safetensors")):
        blob = path.resolve()
        if re.fullmatch("[0-9a-f]{64}", blob.name):
            digest = hashlib.sha256()
            with blob.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    checking(path.name)
            if digest.hexdigest() != blob.name:
                bad.append(path)
    return bad


def remove(paths: Sequence[Path]) -> None:
    """Delete files of a snapshot together with what they point to: the only repair that the hub's cache knows."""
    for path in paths:
        blob = path.resolve()
        path.unlink()
        blob.unlink(missing_ok=True)


def fetch(repo: str, revision: str, parts: Sequence[str]) -> None:
    """Ask, plan, download, check."""
    from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache

    info = HfApi().model_info(repo, revision=revision, timeout=PATIENCE, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings}
    names = wanted(list(sizes), parts)
    missing = [name for name in names if not isinstance(try_to_load_from_cache(repo, name, revision=revision), str)]
    todo = sum(sizes[name] for name in missing)
    cache = Path(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    blobs = cache / f"models--{repo.replace('/', '--')}" / "blobs"
    _tell(plan={"bytes": todo, "free": free, "blobs": str(blobs), "files": len(names)})
    if todo > free:
        raise OSError(errno.ENOSPC, f"{todo / 1e9:.1f} GB to download, {free / 1e9:.1f} GB free")
    for name in names:
        path = hf_hub_download(repo, name, revision=revision, etag_timeout=2 * PATIENCE)
    folder = Path(path).parents[len(Path(name).parts) - 1]
    if bad := damaged(folder, lambda name: _tell(checking=name)):
        remove(bad)
        _tell(fault="damaged", detail=", ".join(path.relative_to(folder).as_posix() for path in bad))
    else:
        _tell(folder=str(folder))


def _tell(**facts) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Run one fetch; a request to end is an orderly exit, so that no half-written file stays."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    repo, revision, parts = sys.argv[1:4]
    try:
        fetch(repo, revision, parts.split(","))
    except Exception as error:  # the network edge: the libraries raise nearly every type here
        kind, detail = fault_of(error)
        _tell(fault=kind, detail=detail)


if __name__ == "__main__":
    main()
