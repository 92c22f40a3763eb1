"""Where weights that are not shipped come from: the cache, or the hub; and what stood in the way, in one sentence."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import LabError
from ...places import ROLES, WEIGHTS, Role
from .fetch import damaged, remove
from .folders import SMALL, check_folder, size_of

Say = Callable[[str], None]
SILENCE = 15.0  # seconds without a byte that end the wait
PARTS = ("scheduler", "tokenizer", "text_encoder", "unet", "vae")
CHECKER = ("safety_checker", "feature_extractor")
NEXT_HOME = ("gone", "gated", "refused", "revision", "incomplete", "another")  # another address may still have it
SENTENCES = {
    "gated": "{repo} opens only to those who accepted its terms; accept them at huggingface.co/{repo}, then run "
             "`hf auth login`",
    "gone": "there is no model at {repo} any more, or it is private; check the address",
    "revision": "{repo} has no revision {revision!r}; leave the revision out",
    "offline": "HF_HUB_OFFLINE is set and {repo} is not in the cache; unset it and load once with a network",
    "portal": "the network answered for {repo} with a page of its own, not the hub's{at}; sign in to this "
              "network first",
    "endpoint": "HF_ENDPOINT is no address of a hub ({detail}); unset it, or write one that begins with https://",
    "proxy": "the proxy of this network did not let {repo} through ({detail}); set HTTPS_PROXY right, or unset it",
    "certificate": "{repo} was answered for with a certificate that is not trusted here ({detail}); set the clock "
                   "right, or name the certificate of this network's proxy in SSL_CERT_FILE",
    "silent": "{repo} does not answer; a firewall may hold it back: try another network",
    "stalled": "no byte came from {repo} for {silence:.0f} s; a firewall may hold it back: try another network; what "
               "came is kept",
    "no network": "{repo} cannot be reached; check the network connection, then try again",
    "cut": "the connection to {repo} broke off; try again: what came is kept",
    "server": "the hub refused {repo} with status {detail}; wait a few minutes, then try again",
    "refused": "the hub refused {repo} with status {detail}; it asks for a right: run `hf auth login`, or take another",
    "locked": "the cache may not be written ({detail}); set HF_HOME to a folder of your own",
    "full": "the disk has no room for {repo} ({detail}); free some, or set HF_HOME to another disk",
    "damaged": "{detail} of {repo} arrived damaged and was deleted; try again",
    "incomplete": "{repo} does not hold all parts of a model ({detail}); check the address",
    "another": "a Stable Diffusion was expected at {repo}; {detail}",
    "slow": "no GPU here, and {repo} has {detail}; give device='cpu' to have it all the same",
    "unknown": "{repo} could not be fetched ({detail}); try again later",
}  # fmt: skip


class Unreachable(LabError):
    """A model's weights could not be had; `kind`, of SENTENCES, says why."""

    def __init__(self, kind: str, **words):
        endpoint = os.environ.get("HF_ENDPOINT", "")
        super().__init__(SENTENCES[kind].format(**{"at": f" at {endpoint}" if endpoint else "", **words}))
        self.kind = kind


@dataclass(frozen=True)
class Source:
    """What is looked for: a role, the words that the user asked with, a revision, whether the checker comes too, and
    the most bytes of weights that are wanted (0: any number)."""

    role: Role
    asked: str = ""
    revision: str = "main"
    checker: bool = False
    most: int = 0


def find_or_stand_in(source: Source, slow: bool, say: Say) -> tuple[Path, Role]:
    """The folder and the role found: Tiny SD's where the weights cannot be reached, or would be too `slow` here.

    Raises Unreachable where what was asked for is not what lies there: an address or a revision of the user's own that
    is mistyped, locked or no Stable Diffusion.
    """
    role, tiny, known = source.role, ROLES["tiny-sd"], source.role in ROLES.values()
    shipped = WEIGHTS / tiny.shipped
    if not (shipped / "model_index.json").is_file():
        return find(source, say), role
    if slow and known:
        say(f"no GPU here: {tiny.title} stands in for {role.title}, which needs {role.needs}")
        return shipped, tiny
    try:
        return find(replace(source, most=SMALL if slow else 0), say), role
    except Unreachable as error:
        if error.kind == "revision" or error.kind in NEXT_HOME and not known:
            raise
        say(f"{error}; {tiny.title} stands in for {role.title}")
        return shipped, tiny


def find(source: Source, say: Say) -> Path:
    """The folder with a role's weights: cached, or downloaded now.

    `say` is told, one line each, what is about to happen. Raises Unreachable where they cannot be had.
    """
    role, asked = source.role, source.asked
    asked_first = [asked] if asked in (*role.old_homes, *role.homes) else []
    for repo in dict.fromkeys([*asked_first, *role.homes, *role.old_homes]):
        folder = cached(repo, source)
        if folder and _is_whole(folder, say):
            if 0 < source.most < size_of(folder):
                raise Unreachable("slow", repo=repo, detail=f"{size_of(folder) / 1e9:.1f} GB of weights")
            return folder
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise Unreachable("offline", repo=role.homes[0])
    if asked in role.old_homes:
        say(f"{asked} is gone from the hub; its copy at {role.homes[0]} is taken instead")
    failures = []
    for repo in role.homes:
        try:
            return download(repo, source, say)
        except Unreachable as failed:
            failures.append(failed)
            if failed.kind not in NEXT_HOME:
                break
    raise failures[0]


def cached(repo: str, source: Source) -> Path | None:
    """The snapshot of a model in the hub's cache, without a word to the network; None where there is none."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, "model_index.json", revision=source.revision)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    return folder if not source.checker or (folder / CHECKER[0]).is_dir() else None


def _is_whole(folder: Path, say: Say) -> bool:
    """Whether a cached snapshot can be read; damaged files are deleted, for nothing else makes the hub fetch them."""
    bad, whole = damaged(folder, large=False), False
    try:
        check_folder(folder)
        whole = not bad
    except LabError as error:
        named = [path for path in folder.rglob("*") if path.is_file() and str(path) in str(error)]
        bad = list(dict.fromkeys(named + damaged(folder)))
    if bad:
        names = ", ".join(path.relative_to(folder).as_posix() for path in bad)
        say(f"the cached {names} is damaged; it is deleted and fetched again")
        remove(bad)
    return whole


def download(repo: str, source: Source, say: Say) -> Path:
    """Fetch a model in a process of its own, with a bar of bytes; ended where no byte comes for SILENCE seconds."""
    words = {"repo": repo, "revision": source.revision, "silence": SILENCE, "detail": ""}
    parts = ",".join(PARTS + (CHECKER if source.checker else ()))
    command = [sys.executable, "-m", "diffusion_lab.stable_diffusion.loading.fetch", repo, source.revision, parts,
               str(source.most)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watch = _Watch(process, source.role, repo, say)
    try:
        last = watch.until_the_end()
    finally:
        watch.close()
    if "folder" not in last:
        raise Unreachable(last.get("fault", "unknown"), **words | {"detail": last.get("detail", "no reason given")})
    try:
        check_folder(Path(last["folder"]))
    except LabError as error:
        raise Unreachable("incomplete", **words | {"detail": str(error).split(";")[0]}) from None
    return Path(last["folder"])


class _Watch:
    """Reads what the fetching process says, and how the files grow, also those that another process is fetching."""

    def __init__(self, process: subprocess.Popen, role: Role, repo: str, say: Say):
        self.process, self.role, self.repo, self.say = process, role, repo, say
        self.lines: queue.Queue[str] = queue.Queue()
        self.bar, self.blobs, self.before = None, None, 0
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def until_the_end(self) -> dict:
        """The last word of the process; {"fault": "stalled"} where nothing moved for too long."""
        moved = time.monotonic()
        while time.monotonic() - moved < SILENCE:
            if self._grew():
                moved = time.monotonic()
            try:
                line = self.lines.get(timeout=0.2)
            except queue.Empty:
                continue
            moved, said = time.monotonic(), _said(line)
            if "plan" in said:
                self._begin(said["plan"])
            elif {"folder", "fault"} & said.keys():
                return said
        return {"fault": "stalled"}

    def _begin(self, plan: dict) -> None:
        from tqdm.auto import tqdm

        self.blobs = Path(plan["blobs"])
        self.before = _bytes_in(self.blobs)
        if plan["bytes"]:
            size, free = plan["bytes"] / 1e9, plan["free"] / 1e9
            self.say(f"{self.role.title} comes from {self.repo}: {size:.2g} GB to download, {free:.0f} GB of disk free"
                     + (f"; licence: {self.role.licence}" if self.role.licence else ""))  # fmt: skip
            self.bar = tqdm(total=plan["bytes"], unit="B", unit_scale=True, desc=self.role.title, leave=False)

    def _grew(self) -> bool:
        if self.blobs is None or (now := _bytes_in(self.blobs)) == self.before:
            return False
        if self.bar is not None:
            self.bar.update(max(0, now - self.before))
        self.before = now
        return True

    def close(self) -> None:
        """End the process, with time to tidy up."""
        if self.bar is not None:
            self.bar.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reading.join(timeout=5)


def _said(line: str) -> dict:
    """What a line of the process means; its end, an empty line, without a last word is a fault; noise is nothing."""
    if not line:
        return {"fault": "unknown"}
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _bytes_in(folder: Path) -> int:
    """How many bytes lie in a folder's files, whole and half-written."""
    total = 0
    for path in folder.glob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it was moved into its place a moment ago
            continue
    return total
