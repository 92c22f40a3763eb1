"""The one process that talks to the hub: `python -m diffusion_lab.stable_diffusion.loading.fetch`.

Its arguments are REPO REVISION PARTS MOST, the last one the bytes of weights that it may fetch, 0 for any number. It
prints what it does as one JSON object a line and never a traceback, so that whoever started it can watch it, and end it
when no byte comes: {"plan": ...}, then {"checking": name} again and again while it reads what came, and at last
{"folder": ...} or {"fault": kind, "detail": text}.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...places import stranger

PATIENCE = 5.0  # seconds until the hub's first answer
TRIES = 5  # how often a connection that broke off is taken up again where nothing came meanwhile
CHUNK = 2**24  # bytes that are read between two signs of life: a slow disk is no silent network
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
KINDS = {
    "GatedRepoError": "gated",
    "RepositoryNotFoundError": "gone",
    "HFValidationError": "gone",
    "RevisionNotFoundError": "revision",
    "OfflineModeIsEnabled": "offline",
    "UnsupportedProtocol": "endpoint",
    "InvalidURL": "endpoint",
    "JSONDecodeError": "portal",
    "FileMetadataError": "portal",
    "TooManyRedirects": "portal",
    "ProxyError": "proxy",
    "SSLError": "certificate",
    "ConnectTimeout": "silent",
    "ReadTimeout": "silent",
    "ConnectError": "no network",
    "RemoteProtocolError": "cut",
    "ReadError": "cut",
    "HfHubHTTPError": "server",
    "PermissionError": "locked",
    "LookupError": "portal",
    "TypeError": "portal",
    "AttributeError": "portal",
}


class Fault(Exception):
    """What the fetching process itself finds: a `kind` of hub.SENTENCES, and its detail."""

    def __init__(self, kind: str, detail: str):
        super().__init__(detail)
        self.kind = kind


def fault_of(error: BaseException) -> tuple[str, str]:
    """The kind of a failure and its last words, read from the names of the errors along its chain of causes.

    By name, for the libraries underneath change theirs, and the outermost error nearly always hides the true one.
    """
    chain = list(_chain(error))
    detail = " ".join(str(chain[-1]).split())[:200] or type(chain[-1]).__name__
    if isinstance(error, Fault):
        return error.kind, detail
    numbers = {one.errno for one in chain if isinstance(one, OSError)}
    if numbers & {*FULL, errno.EROFS}:
        return ("locked" if errno.EROFS in numbers else "full"), detail
    names = {base.__name__ for one in chain for base in type(one).__mro__}
    kind = next((kind for name, kind in KINDS.items() if name in names), "unknown")
    if kind in ("silent", "no network", "unknown") and (proxy := proxy_of(os.environ.get("HF_ENDPOINT", ""))):
        return "proxy", f"{proxy}: {detail}"
    status = next((one.response.status_code for one in chain if getattr(one, "response", None) is not None), None)
    if kind == "server" and status is not None:
        return ("refused" if status in (401, 403) else "server"), str(status)
    return kind, detail


def proxy_of(endpoint: str) -> str:
    """The proxy that the hub is asked through, as the environment names it but without a password; "" for none."""
    place = urlsplit(endpoint or "https://huggingface.co")
    proxies = urllib.request.getproxies()
    proxy = "" if urllib.request.proxy_bypass(place.netloc) else proxies.get(place.scheme, proxies.get("all", ""))
    return re.sub("//[^/]*@", "//", proxy)


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


def damaged(folder: Path, checking: Callable[[str], None] = lambda name: None, large: bool = True) -> list[Path]:
    """The files of a snapshot, the `large` ones among them or not, whose content is not the one that their name in the
    cache promises: the SHA-256 of a large one, the SHA-1 that git gives a small one.

    `checking` hears the name of the file that is being read after each CHUNK of it.
    """
    bad = []
    for path in sorted(folder.rglob("*")):
        blob = path.resolve()
        if not path.is_file() or not re.fullmatch("[0-9a-f]{40}" + "|[0-9a-f]{64}" * large, blob.name):
            continue
        small = len(blob.name) == 40
        digest = hashlib.sha1(b"blob %d\0" % blob.stat().st_size) if small else hashlib.sha256()
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


def fetch(repo: str, revision: str, parts: Sequence[str], most: int = 0) -> None:
    """Ask, look at the cheap file first, plan, download, check."""
    from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache

    info = HfApi().model_info(repo, revision=revision, timeout=PATIENCE, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings}

    cache = Path(constants.HF_HUB_CACHE)
    blobs = cache / f"models--{repo.replace('/', '--')}" / "blobs"

    def had(name: str) -> bool:
        return isinstance(try_to_load_from_cache(repo, name, revision=revision), str)

    def brought(name: str) -> Path:
        if not had(name):
            bring(repo, name, revision, blobs)
        return Path(hf_hub_download(repo, name, revision=revision, etag_timeout=2 * PATIENCE))  # gives it its name

    name = "model_index.json"
    index = json.loads(brought(name).read_text(encoding="utf-8")) if name in sizes else {}
    if not isinstance(index, dict):
        raise Fault("another", f"its {name} holds a {type(index).__name__} and names no parts; check the address")
    if what := stranger(list(sizes), index.get("_class_name", "")):
        raise Fault("another", "; ".join(what))
    if not index:
        raise Fault("incomplete", f"{name} is {'empty' if name in sizes else 'missing'}")
    names = wanted(list(sizes), parts)
    weights = sum(sizes[name] for name in names if name.endswith(".safetensors"))
    if 0 < most < weights:
        raise Fault("slow", f"{weights / 1e9:.1f} GB of weights")
    cache.mkdir(parents=True, exist_ok=True)
    free, kept = shutil.disk_usage(cache).free, sum(path.stat().st_size for path in blobs.glob("*.part"))
    todo = max(0, sum(sizes[name] for name in names if not had(name)) - kept)
    _tell(plan={"bytes": todo, "free": free, "blobs": str(blobs)})
    if todo > free:
        raise OSError(errno.ENOSPC, f"{todo / 1e9:.1f} GB to download, {free / 1e9:.1f} GB free")
    for name in names:
        path = brought(name)
    folder = path.parents[len(Path(name).parts) - 1]
    if bad := damaged(folder, lambda name: _tell(checking=name)):
        remove(bad)
        raise Fault("damaged", ", ".join(path.relative_to(folder).as_posix() for path in bad))
    _tell(folder=str(folder))


def bring(repo: str, name: str, revision: str, blobs: Path) -> None:
    """Download a file to its place in the hub's cache. Each byte is on the disk as it comes, in a file beside it,
    so that a slow network is seen to move, and a later call goes on where this one broke off."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import WeakFileLock

    url = hf_hub_url(repo, name, revision=revision)
    about = get_hf_file_metadata(url, timeout=2 * PATIENCE)
    blob, part = blobs / about.etag, blobs / f"{about.etag}.part"
    lock = blobs.parent.parent / ".locks" / blobs.parent.name / f"{about.etag}.lock"  # the library's own
    for folder in (blobs, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        left, size = TRIES, -1
        while not blob.exists():
            try:
                _receive(url, part, about.size)
                os.replace(part, blob)
            except Exception as error:
                kind, _ = fault_of(error)
                if kind == "full":
                    part.unlink(missing_ok=True)
                now = part.stat().st_size if part.exists() else 0
                left, size = (TRIES if now > size else left - 1), now
                if kind not in ("cut", "silent", "no network") or not left:
                    raise
                time.sleep(1)


def _receive(url: str, part: Path, size: int | None) -> None:
    """Append to a file what it lacks of `size` bytes; a server that knows no ranges sends all of it again."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    have = part.stat().st_size if part.exists() else 0
    if have and have == size:
        return
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={have}-"} if 0 < have < (size or 0) else {}
    with get_session().stream("GET", url, headers=headers, timeout=2 * PATIENCE) as answer:
        hf_raise_for_status(answer)
        with part.open("ab" if answer.status_code == 206 else "wb") as file:
            for piece in answer.iter_raw():
                file.write(piece)
                file.flush()


def _tell(**facts) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Run one fetch; a request to end is an orderly exit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    repo, revision, parts, most = sys.argv[1:5]
    try:
        fetch(repo, revision, parts.split(","), int(most))
    except Exception as error:  # the network edge: the libraries raise nearly every type here
        kind, detail = fault_of(error)
        _tell(fault=kind, detail=detail)


if __name__ == "__main__":
    main()
