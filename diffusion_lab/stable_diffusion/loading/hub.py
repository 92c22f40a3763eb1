"""Where weights that are not shipped come from: the cache, or the hub; and what stood in the way, in one sentence."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import LabError
from ...places import ROLES, WEIGHTS, Role
from .fetch import damaged, remove
from .folders import SMALL, check_folder, size_of
from .watch import SILENCE, Say, Watch

PARTS = ("scheduler", "tokenizer", "text_encoder", "unet", "vae")
CHECKER = ("safety_checker", "feature_extractor")
NEXT_HOME = ("gone", "gated", "refused", "revision", "incomplete", "another")  # another address may still have it
TOLD = (*NEXT_HOME, "full", "locked", "damaged")  # the hub has it, or tells why not: nothing that waiting would mend
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

    Raises Unreachable where what was asked for is not what lies there, or cannot be kept: an address or a revision of
    the user's own that is mistyped, locked or no Stable Diffusion, comes damaged, or finds no room on this disk.
    """
    role, tiny, known = source.role, ROLES["tiny-sd"], source.role in ROLES.values()
    shipped = WEIGHTS / tiny.shipped
    if not (shipped / "model_index.json").is_file():
        return find(source, say), role
    if slow and known:
        say(f"no GPU here: {tiny.title} stands in for {role.title}, which wants {role.needs}")
        return shipped, tiny
    try:
        return find(replace(source, most=SMALL if slow else 0), say), role
    except Unreachable as error:
        if error.kind == "revision" or error.kind in TOLD and not known:
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
    from huggingface_hub import constants, try_to_load_from_cache

    try:
        found = try_to_load_from_cache(repo, "model_index.json", revision=source.revision)
    except UnicodeDecodeError:  # the note of which snapshot is the newest is damaged: it is written anew
        place = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "refs"
        (place / source.revision).unlink()
        return None
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
    watch = Watch(process, source.role, repo, say)
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
