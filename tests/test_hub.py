"""The download path against a hub on the loopback interface, the product in a process of its own.

Faults are made at the socket or in the bytes; each gives its sentence, leaves nothing half-written, and once it is
cured the next try succeeds.
"""

import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from loopback_hub import Hub, serving
from sd_fixtures import folder

from diffusion_lab.places import ROLES, role_of
from diffusion_lab.stable_diffusion.loading import fetch, hub
from diffusion_lab.stable_diffusion.loading.fetch import fault_of, wanted
from diffusion_lab.stable_diffusion.loading.hub import PARTS, SENTENCES, TOLD, Source, Unreachable, find_or_stand_in

ROLE = "stable-diffusion-v1-5"
HOME, SECOND = ROLES[ROLE].homes
OLD = ROLES[ROLE].old_homes[0]
SOON = 60  # seconds: of 15 in which no byte came, and of a busy machine; left alone, a stalled download never ends
# Find the weights; where that fails, say why and when, have the fault cured, and try again.
FIND = """
import sys, time, urllib.request
from diffusion_lab.errors import LabError
from diffusion_lab.stable_diffusion.loading.fetch import damaged
from diffusion_lab.stable_diffusion.loading.hub import Source, find
from diffusion_lab.places import role_of
asked, revision, cure, *room = sys.argv[1:]
if room:  # a disk with no room for files larger than this
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room[0]), resource.RLIM_INFINITY))
try:
    print("FOUND", find(Source(role_of(asked), asked, revision), print))
except LabError as error:
    print("SENTENCE", error)
    print("AT", time.monotonic())
    import os, pathlib
    left = [path for end in ("incomplete", "part") for path in pathlib.Path(os.environ["HF_HOME"]).rglob("*." + end)]
    left += damaged(pathlib.Path(os.environ["HF_HOME"]))
    print("KEPT", *(path.stat().st_size for path in left))
    if cure:
        if room:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        urllib.request.urlopen(cure)
        print("FOUND", find(Source(role_of(asked), asked), print))
"""


def run(code: str, *arguments: str, cache: Path, url: str, timeout: float = 120, **environment: str):
    """The product in a process of its own; returns its output and its errors."""
    own = {"HF_HOME": str(cache), "HF_ENDPOINT": url, **environment}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=kept | own,
                          timeout=timeout)  # fmt: skip
    return done.stdout, done.stderr


FAULTS = {
    "silent": rf"{HOME} does not answer; a firewall",
    "stalls": rf"no byte came from {HOME} for 15 s; a firewall .*; what came is kept",
    "hangs up": rf"the connection to {HOME} broke off; try again",
    "cut": rf"the connection to {HOME} broke off; try again: what came is kept",
    "portal": rf"the network answered for {HOME} with a page of its own, not the hub's at http://127",
    "odd": rf"the network answered for {HOME} with a page of its own",
    "in circles": rf"the network answered for {HOME} with a page of its own",
    "403": rf"the hub refused {HOME} with status 403; it asks for a right: run `hf auth login`",
    "500 for a file": rf"the hub refused {HOME} with status 500; wait",
    "short": r"\.safetensors of .* arrived damaged and was deleted",
    "altered": r"scheduler/scheduler_config.json of .* arrived damaged and was deleted",
    "gone": rf"there is no model at {HOME} any more",
    "gated": rf"{HOME} opens only to those who accepted its terms; .*hf auth login",
    "500": rf"the hub refused {HOME} with status 500",
    "429": rf"the hub refused {HOME} with status 429",
    "damaged": rf"\.safetensors of {HOME} arrived damaged and was deleted",
    "a disk too small": rf"the disk has no room for {HOME} \(.*GB to download, .*GB free\)",
    "no unet": rf"{HOME} does not hold all parts of a model",
}
KEEP = ("stalls", "cut")  # these leave what came, and the next try asks for the rest of it


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_and_leaves_only_what_the_next_try_goes_on_with(fault, tmp_path):
    with serving(Hub({HOME: folder("v1-5")}, fault)) as hub:
        began = time.monotonic()
        out, err = run(FIND, ROLE, "main", hub.url + "/cure", cache=tmp_path, url=hub.url)
        sentence, at, kept, *said, found = [line for line in out.splitlines() if "comes from" not in line]
        waited = float(at.removeprefix("AT ")) - (began if fault == "silent" else hub.last_byte)
    assert re.search("^SENTENCE .*" + FAULTS[fault], sentence) and waited < SOON
    sizes = [int(size) for size in kept.split()[1:]]
    first = (folder("v1-5") / "text_encoder/model.safetensors").stat().st_size
    assert sizes == [first // 2] * (fault in KEEP) and all(size in hub.firsts for size in sizes)  # each byte at once
    assert found.startswith("FOUND ") and not said and "Traceback" not in err
    assert not list(tmp_path.rglob("*.incomplete")) + list(tmp_path.rglob("*.part"))


def test_nobody_listens(tmp_path):
    began = time.monotonic()
    out, err = run(FIND, ROLE, "main", "", cache=tmp_path, url="http://127.0.0.1:9")
    assert f"SENTENCE {HOME} cannot be reached; check the network connection" in out and err == ""
    assert float(re.search(r"AT (\S+)", out)[1]) - began < SOON


def test_a_wrong_revision_is_named(tmp_path):
    with serving(Hub({HOME: folder("v1-5")})) as hub:
        out, _ = run(FIND, ROLE, "fp-sixteen", hub.url + "/cure", cache=tmp_path, url=hub.url)
    assert f"SENTENCE {HOME} has no revision 'fp-sixteen'; leave the revision out" in out and "FOUND" in out


def test_a_broken_connection_is_taken_up_again_and_the_cache_then_needs_no_network(tmp_path):
    with serving(Hub({HOME: folder("v1-5")}, "cut once")) as hub:
        out, err = run(FIND, ROLE, "main", "", cache=tmp_path, url=hub.url)
    size = sum(path.stat().st_size for path in folder("v1-5").rglob("*") if path.is_file()) / 1e9
    assert f"Stable Diffusion v1.5 comes from {HOME}: {size:.2g} GB to download" in out
    assert "licence: CreativeML OpenRAIL-M" in out and "FOUND" in out
    assert "100%" in err and "B/s" in err  # the bar, in bytes
    again, err = run(FIND, ROLE, "main", "", cache=tmp_path, url="http://127.0.0.1:9")
    assert again.startswith("FOUND ") and err == ""


def test_the_old_address_goes_to_its_living_copy_and_the_next_mirror_serves(tmp_path):
    with serving(Hub({SECOND: folder("v1-5")})) as hub:
        out, _ = run(FIND, OLD, "main", "", cache=tmp_path, url=hub.url)
    assert out.startswith(f"{OLD} is gone from the hub; its copy at {HOME} is taken instead\n")
    assert f"comes from {SECOND}" in out and "FOUND" in out


def test_a_disk_that_fills_up_on_the_way(tmp_path):
    with serving(Hub({HOME: folder("v1-5")})) as hub:
        out, err = run(FIND, ROLE, "main", hub.url + "/cure", "300000", cache=tmp_path, url=hub.url)
    assert f"SENTENCE the disk has no room for {HOME}" in out and "KEPT\n" in out and "FOUND" in out, out + err


def test_ctrl_c_keeps_what_came(tmp_path):
    own = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    with serving(Hub({HOME: folder("v1-5")}, "stalls")) as hub:
        own |= {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url}
        process = subprocess.Popen([sys.executable, "-c", FIND, ROLE, "main", ""], env=own, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        while not any(path.stat().st_size for path in tmp_path.rglob("*.part")):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(SOON)
        kept = [path.stat().st_size for path in tmp_path.rglob("*.part")]
        came = sum(path.stat().st_size for path in tmp_path.rglob("blobs/*"))
        hub.fault = ""
        out, _ = run("from diffusion_lab.stable_diffusion.loading.fetch import main; main()", HOME, "main",
                     ",".join(PARTS), "0", cache=tmp_path, url=hub.url)  # fmt: skip
    assert process.returncode != 0 and len(kept) == 1 and kept[0] in hub.firsts and '"folder": ' in out
    size = sum(path.stat().st_size for path in folder("v1-5").rglob("*") if path.is_file())
    assert f'{{"plan": {{"bytes": {size - came}, ' in out


@pytest.mark.parametrize(("pieces", "calls"), [([1] * 12, 12), ([1] * 6 + [0] * 9, 6 + fetch.TRIES)])
def test_each_byte_that_comes_gives_all_tries_back(tmp_path, monkeypatch, pieces, calls):
    about, left = SimpleNamespace(etag="name", size=12), iter(pieces)

    def receive(url, part, size):
        with part.open("ab") as file:
            file.write(b"." * next(left))
        if part.stat().st_size < size:
            raise type("ReadError", (Exception,), {})

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda url, timeout: about)
    monkeypatch.setattr(fetch, "_receive", receive)
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    blobs, whole = tmp_path / "blobs", sum(pieces) == about.size
    with contextlib.nullcontext() if whole else pytest.raises(Exception, match="^$"):
        fetch.bring(HOME, "name", "main", blobs)
    assert len(pieces) - len(list(left)) == calls
    assert [path.name for path in blobs.iterdir()] == ["name" if whole else "name.part"]


def test_what_came_whole_is_not_asked_for_again(tmp_path):
    (tmp_path / "x.part").write_bytes(b"all")
    fetch._receive("http://127.0.0.1:9/x", tmp_path / "x.part", 3)
    assert (tmp_path / "x.part").read_bytes() == b"all"


def test_an_old_cached_copy_is_used_first(tmp_path):
    with serving(Hub({OLD: folder("v1-5"), HOME: folder("v1-5")})) as hub:
        load = "from huggingface_hub import snapshot_download; import sys; snapshot_download(sys.argv[1])"
        run(load, OLD, cache=tmp_path, url=hub.url)
        out, _ = run(FIND, OLD, "main", "", cache=tmp_path, url=hub.url)
    assert out.startswith("FOUND ") and OLD.replace("/", "--") in out


def test_offline_by_choice(tmp_path):
    out, _ = run(FIND, ROLE, "main", "", cache=tmp_path, url="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert f"SENTENCE HF_HUB_OFFLINE is set and {HOME} is not in the cache" in out


def test_a_damaged_cache_is_mended(tmp_path):
    with serving(Hub({HOME: folder("v1-5")})) as hub:
        first, _ = run(FIND, ROLE, "main", "", cache=tmp_path, url=hub.url)
        snapshot = Path(first.splitlines()[-1].removeprefix("FOUND "))
        weights = (snapshot / "unet/diffusion_pytorch_model.safetensors").resolve()
        whole = weights.read_bytes()
        weights.write_bytes(b"\xff" * len(whole))
        out, _ = run(FIND, ROLE, "main", "", cache=tmp_path, url=hub.url)
        assert "the cached unet/diffusion_pytorch_model.safetensors is damaged; it is deleted and fetched" in out
        assert "FOUND" in out and weights.read_bytes() == whole
        note = snapshot.parents[1] / "refs/main"
        note.write_bytes(b"\xff")
        out, _ = run(FIND, ROLE, "main", "", cache=tmp_path, url=hub.url)
    assert "FOUND" in out and note.read_text() == snapshot.name


def test_a_second_terminal_waits_for_the_first_and_both_find_it(tmp_path):
    with serving(Hub({HOME: folder("v1-5")}, slow=0.3)) as hub:
        own = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        own |= {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.url}
        command, quiet = [sys.executable, "-c", FIND, ROLE, "main", ""], subprocess.DEVNULL
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, env=own, text=True) for _ in range(2)]
        outs = [one.communicate(timeout=120)[0] for one in both]
        large = len(list(folder("v1-5").rglob("*.safetensors")))
        assert all("FOUND" in out and "SENTENCE" not in out for out in outs) and hub.gets == large
    assert not list(tmp_path.rglob("*.incomplete"))


def test_what_a_proxy_or_an_endpoint_does_is_its_own_sentence(tmp_path):
    dead = {"HTTP_PROXY": "http://ann:secret@127.0.0.1:9", "NO_PROXY": ""}  # what is said may be read by others
    out, _ = run(FIND, ROLE, "main", "", cache=tmp_path, url="http://hub.invalid", **dead)
    assert f"SENTENCE the proxy of this network did not let {HOME} through (http://127.0.0.1:9: " in out
    out, _ = run(FIND, ROLE, "main", "", cache=tmp_path, url="huggingface.co")
    assert "SENTENCE HF_ENDPOINT is no address of a hub (" in out


def test_a_certificate_that_nobody_signed_is_told():
    import ssl

    error = ConnectionError("no")
    error.__cause__ = ssl.SSLCertVerificationError(1, "self-signed certificate")
    assert fault_of(error)[0] == "certificate"
    assert fault_of(OSError(errno.EROFS, "Read-only file system"))[0] == "locked"
    assert fault_of(AttributeError("'int' object has no attribute 'lower'"))[0] == "portal"  # no hub's list of files


ASKED = """
import sys
from diffusion_lab.errors import LabError
from diffusion_lab.places import find_model
from diffusion_lab.stable_diffusion.loading.hub import Source, find_or_stand_in
for asked, revision in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        print("GOT", find_or_stand_in(Source(find_model(asked).role, asked, revision), True, print)[1].title)
    except LabError as error:
        print("SENTENCE", error)
"""


def test_what_was_asked_for_by_address_is_looked_at_without_a_gpu_too(tmp_path):
    """A slip of the user's own is told and not answered with Tiny SD; what is another thing is not downloaded."""
    others = {"a/empty": tmp_path / "empty"}
    others["a/empty"].mkdir()
    for name, files in {"list": {"model_index.json": "[]"}, "none": {"model_index.json": "{}"},
                        "xl": {"model_index.json": '{"_class_name": "StableDiffusionXLPipeline"}'},
                        "lora": {"pytorch_lora_weights.safetensors": ""}, "file": {"dreamy.safetensors": ""},
                        "bin": {"model_index.json": '{"_class_name": "StableDiffusionPipeline"}',
                                "unet/diffusion_pytorch_model.bin": ""},
                        "page": {"README.md": "words"},
                        "network": {"unet/diffusion_pytorch_model.safetensors": ""}}.items():
        for file, content in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(content)
        others[f"a/{name}"] = tmp_path / name
    asked = ["a/small", "main", "a/smal", "main", "a/small", "fp17", ROLE, "fp17"]
    asked += [word for one in others for word in (one, "main")]
    with serving(Hub({"a/small": folder("v1-5"), **others})) as hub:
        out, err = run(ASKED, *asked, cache=tmp_path / "cache", url=hub.url)
    said = [line for line in out.splitlines() if "comes from" not in line]
    assert len(said) == 14 and hub.gets == len(list(folder("v1-5").rglob("*.safetensors"))), out + err
    for line, words in zip(said, [
        "GOT small", "SENTENCE there is no model at a/smal ", "SENTENCE a/small has no revision 'fp17'", "no GPU here",
        "GOT Tiny SD", "a/empty does not hold all parts of a model (model_index.json is missing)",
        "expected at a/list; its model_index.json holds a list and names no parts; check the address",
        "a/none does not hold all parts of a model (model_index.json is empty)",
        "expected at a/xl; a StableDiffusionXLPipeline; give", "a/lora; a LoRA, which changes a model",
        "a/file; a model in one file; make a folder of it with diffusers", "a/bin; unet as *.bin, which may run code",
        "a/page does not hold all parts of a model (model_index.json is missing)", "a/network does not hold all parts",
    ], strict=True):  # fmt: skip
        assert words in line, line


@pytest.mark.parametrize("kind", SENTENCES)
def test_only_what_a_network_keeps_back_is_answered_by_tiny_sd(kind, monkeypatch):
    def failing(source, say):
        raise Unreachable(kind, **dict.fromkeys(("repo", "revision", "detail"), "a word"), silence=15)

    monkeypatch.setattr(hub, "find", failing)
    said = []
    if kind in TOLD:
        with pytest.raises(Unreachable, match="; "):
            find_or_stand_in(Source(role_of("a/b"), "a/b"), False, said.append)
    else:
        assert find_or_stand_in(Source(role_of("a/b"), "a/b"), False, said.append)[1] is ROLES["tiny-sd"]
        assert said[0].endswith("; Tiny SD stands in for b")
    assert {"full", "locked", "damaged", "gone", "another"} < {*TOLD} and not {"silent", "cut", "portal"} & {*TOLD}


def test_float16_files_are_taken_where_there_are_such():
    names = ["model_index.json", "README.md", "v1-5-pruned.ckpt", "vae/config.json", "unet/config.json",
             "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
             "unet/diffusion_pytorch_model.non_ema.safetensors", "unet/diffusion_pytorch_model.bin",
             "vae/diffusion_pytorch_model.safetensors", "safety_checker/model.safetensors",
             "tokenizer/merges.txt"]  # fmt: skip
    assert wanted(names, ("tokenizer", "unet", "vae")) == [
        "model_index.json", "tokenizer/merges.txt", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/config.json", "vae/diffusion_pytorch_model.safetensors"]  # fmt: skip
