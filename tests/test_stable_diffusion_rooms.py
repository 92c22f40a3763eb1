"""What Stable Diffusion's rooms promise one by one: devices by data, memory, quiet, clones, entries, and no leaks."""

import gc
import json
import shutil
import subprocess
import sys
import weakref

import diffusers
import pytest
import torch
import transformers
from sd_fixtures import folder, model
from test_stable_diffusion_roles import made_up_path

from diffusion_lab import Player, Trajectory, denoise, guided, noise, watch
from diffusion_lab.errors import LabError
from diffusion_lab.noising import generators
from diffusion_lab.sampling import SAMPLERS as OWN
from diffusion_lab.stable_diffusion import StableDiffusion, record, save_recording
from diffusion_lab.stable_diffusion.loading import devices, fetch, hub
from diffusion_lab.stable_diffusion.loading.load import quiet
from diffusion_lab.stable_diffusion.samplers import SAMPLERS, Scheduler
from diffusion_lab.stable_diffusion.schedulers import fresh, name_of, told
from diffusion_lab.stable_diffusion.walk import Walk, set_timesteps


class Reusing(torch.nn.Module):
    """A network that writes every answer into the same memory, as a compiled one does on a GPU."""

    def __init__(self, unet):
        super().__init__()
        self.unet, self.config, self.memory = unet, unet.config, {}
        self.dtype, self.device = unet.dtype, unet.device

    def forward(self, *given, **more):
        answer = self.unet(*given, **more)[0]
        memory = self.memory.setdefault(answer.shape, torch.empty_like(answer))
        return (memory.copy_(answer),)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_a_guess_is_not_overwritten_by_the_next(scale):
    sd = StableDiffusion.load(folder())

    def walk():
        x, timesteps = noise(sd.shape, 3), sd.schedule.timesteps(4)
        return list(denoise(guided(sd, "a cat", guidance_scale=scale), sd.schedule, x, timesteps)), list(
            sd.steps("a cat", n=4, guidance_scale=scale, sampler="ddim"))  # fmt: skip

    before = walk()
    sd.pipeline.unet = Reusing(sd.pipeline.unet)
    for expected, path in zip(before, walk(), strict=True):
        for a, b in zip(expected, path, strict=True):
            assert torch.equal(a.eps, b.eps)
            assert a.eps_uncond is None or torch.equal(a.eps_uncond, b.eps_uncond)


def walked(sampler: str, source: int, guess: float = 0.1, mask: torch.Tensor | None = None):
    """Where four steps of a sampler lead from the same static, with the fresh noise of one source; and the walk."""
    scheduler, eps = fresh(model("new", "epsilon").pipeline.scheduler, sampler), noise((4, 8, 8), 3)
    set_timesteps(scheduler, 4, torch.device("cpu"))
    walk = Walk(scheduler, eps, generators([source]))
    if mask is not None:
        walk.edit(torch.full((1, 4, 8, 8), 0.5), mask, 1.0)
    x = walk.x
    for i in range(len(walk.timesteps)):
        x = walk.move(i, x, guess * scheduler.scale_model_input(x, walk.timesteps[i]))[0]
    return x, scheduler


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_recipe_says_where_a_sampler_shakes(sampler):
    (one, scheduler), (other, _) = walked(sampler, 1), walked(sampler, 2)
    assert told(scheduler)["eta"] == (None if torch.equal(one, other) else 1.0)


def test_what_is_kept_is_kept_where_the_guess_is_no_number():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:] = 1
    x, _ = walked("ddim", 1, float("nan"), mask)
    assert torch.equal(x[..., :4], torch.full((1, 4, 8, 4), 0.5)) and x[..., 4:].isnan().all()


def test_a_sampler_that_both_have_is_called_the_same():
    assert {name: SAMPLERS[name].title for name in OWN} == {name: own.title for name, own in OWN.items()}


NO_MEMORY = ["[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 b.",
             "MPS backend out of memory (MPS allocated: 17.9 GB). Tried to allocate 2.00 GB."]  # fmt: skip


@pytest.mark.parametrize("words", NO_MEMORY)
def test_memory_that_ran_out_is_one_sentence_on_every_device(monkeypatch, words):
    forgot = []
    for name, here in (("mps", True), ("cuda", False)):
        device = devices.Device(lambda here=here: here, forget=lambda name=name: forgot.append(name))
        monkeypatch.setitem(devices.DEVICES, name, device)
    with pytest.raises(LabError, match="draw fewer pictures at once"), devices.memory_edge():
        raise RuntimeError(words)
    assert forgot == ["mps"]
    with pytest.raises(RuntimeError, match="shapes"), devices.memory_edge():
        raise RuntimeError("shapes do not fit")


def test_the_fastest_device_that_is_here_is_taken(monkeypatch):
    for name, here in (("cuda", False), ("mps", True)):
        monkeypatch.setitem(devices.DEVICES, name, devices.Device(lambda here=here: here, lambda: "none is here"))
    assert devices.best_device() == "mps" and devices.check_device("mps") == "mps"
    with pytest.raises(LabError, match="none is here; 'cuda:1' came; .* take device='cpu'"):
        devices.check_device("cuda:1")
    monkeypatch.setitem(devices.DEVICES, "cuda", devices.Device(lambda: True, fast_bfloat16=lambda: True))
    assert devices.best_device() == "cuda" and devices.fast_bfloat16("cuda:0") and not devices.fast_bfloat16("mps")


def test_quiet_gives_the_voice_back():
    for library in (diffusers, transformers):
        log = library.utils.logging
        before = log.get_verbosity()
        log.set_verbosity_info()
        log.enable_progress_bar()
        try:
            with pytest.raises(RuntimeError), quiet():
                assert log.get_verbosity() == log.ERROR and not log.is_progress_bar_enabled()
                raise RuntimeError
            assert log.get_verbosity() == log.INFO and log.is_progress_bar_enabled()
        finally:
            log.set_verbosity(before)


SLOW_DISK = """
import json, time
print("a word of some library", flush=True)
print("[1]", flush=True)
for k in range(12):
    print(json.dumps({"checking": "unet"}), flush=True)
    time.sleep(0.25)
print(json.dumps({"folder": "here"}), flush=True)
"""


@pytest.mark.parametrize("code, said", [(SLOW_DISK, {"folder": "here"}), ("import time; time.sleep(9)", "stalled"),
                                        ("print('no word more')", "unknown")])  # fmt: skip
def test_a_slow_disk_is_no_firewall(monkeypatch, code, said):
    monkeypatch.setattr(hub, "SILENCE", 1.5)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    listening = hub._Watch(process, None, "someone/something", print)
    try:
        assert listening.until_the_end() == (said if isinstance(said, dict) else {"fault": said})
    finally:
        listening.close()
        process.stdout.close()


def test_a_long_file_is_read_with_signs_of_life(tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setattr(fetch, "CHUNK", 100)
    for content, name in ((b"a" * 1000, hashlib.sha256(b"a" * 1000).hexdigest()), (b"b" * 250, "0" * 64)):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name[:5]}.safetensors").symlink_to(tmp_path / name)
    heard = []
    assert [path.name for path in fetch.damaged(tmp_path, heard.append)] == ["00000.safetensors"]
    assert heard.count("00000.safetensors") == 3 and len(heard) == 13


def test_a_new_sampler_is_one_entry(monkeypatch):
    monkeypatch.setitem(SAMPLERS, "thrown_away", Scheduler("Thrown away", "EulerDiscrete", {"use_karras_sigmas": True}))
    sd = model()
    path = Trajectory.of(sd.steps("a cat", n=3, sampler="thrown_away"))
    assert (path.recipe.sampler, path.recipe.title) == ("thrown_away", "Thrown away") and len(path) == 4
    assert "Thrown away, 3 steps" in Player(path).html
    assert name_of(fresh(sd.pipeline.scheduler, "euler")) == "euler"
    with pytest.raises(LabError, match="lcm, thrown_away, own; 'magic' came"):
        sd.steps("a cat", sampler="magic")


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_entry_is_a_scheduler_of_diffusers_and_is_known_again(name):
    scheduler = fresh(model().pipeline.scheduler, name)
    assert name_of(scheduler) == name and isinstance(scheduler, getattr(diffusers, f"{SAMPLERS[name].kind}Scheduler"))


def alive(sd) -> weakref.ref:
    return weakref.ref(sd.pipeline.unet)


def test_a_path_does_not_keep_its_model_alive():
    sd = StableDiffusion.load(folder())
    unet, path = alive(sd), Trajectory.of(sd.steps("a cat", n=2))
    with record(sd.pipeline) as recorded:
        sd.pipeline("a cat", num_inference_steps=2)
    x0 = path.x0
    assert torch.equal(path.decode(x0), sd.decode(x0)) and torch.equal(recorded.decode(x0), sd.decode(x0))
    del sd
    gc.collect()
    assert unet() is None and path.decode is None and recorded.decode is None
    assert "a cat" in Player(path).html


def test_a_model_without_a_name_lives_until_its_path_is_seen():
    path = watch(StableDiffusion.load(folder()).steps("a cat", n=2))
    assert path.decode is None and set(path.pictures) == {0, 1, 2, 3}


def test_a_failed_recording_leaves_the_one_before(tmp_path):
    path = tmp_path / "run.safetensors"
    save_recording(made_up_path((4, 8, 8), 5), model(), path)
    before = path.read_bytes()
    with pytest.raises(LabError, match="a recording of at most 600 kB was expected; 1001 steps"):
        save_recording(made_up_path((4, 32, 32), 1000), model(), path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


@pytest.mark.parametrize("stated, said", [({"gidance_scale": 3}, "gidance_scale came; remove it"), ([1], "broken")])
def test_a_folder_states_what_a_model_has_or_is_refused(tmp_path, stated, said):
    path = shutil.copytree(folder(), tmp_path / "tiny")
    (path / "diffusion_lab.json").write_text(json.dumps(stated))
    with pytest.raises(LabError, match=said):
        StableDiffusion.load(path)
