"""What Stable Diffusion's rooms promise one by one: devices by data, memory, quiet, clones, entries, and no leaks."""

import gc
import json
import queue
import shutil
import subprocess
import sys
import weakref
from types import SimpleNamespace

import diffusers
import pytest
import torch
import transformers
from PIL import Image
from sd_fixtures import folder, model, untouched
from test_stable_diffusion_roles import made_up_path

from diffusion_lab import Player, Trajectory, denoise, guided, noise, watch
from diffusion_lab.errors import LabError
from diffusion_lab.noising import generators
from diffusion_lab.sampling import SAMPLERS as OWN
from diffusion_lab.stable_diffusion import StableDiffusion, pictures, presets, prompts, record, save_recording
from diffusion_lab.stable_diffusion.loading import devices, fetch
from diffusion_lab.stable_diffusion.loading import watch as watching
from diffusion_lab.stable_diffusion.loading.load import quiet
from diffusion_lab.stable_diffusion.loading.watch import Watch
from diffusion_lab.stable_diffusion.recording import thinned
from diffusion_lab.stable_diffusion.samplers import SAMPLERS, Scheduler
from diffusion_lab.stable_diffusion.schedulers import Scribe, fresh, name_of, schedule_of, scribe, told
from diffusion_lab.stable_diffusion.walk import Walk, set_timesteps
from diffusion_lab.trajectory import Step


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


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_what_is_recorded_is_not_overwritten_by_the_next_call(scale):
    """With DDIM: PNDM keeps answers of the network itself, uncopied."""
    sd = StableDiffusion.load(folder())
    sd.pipeline.scheduler = fresh(sd.pipeline.scheduler, "ddim")

    def recorded():
        with record(sd.pipeline) as path:
            sd.pipeline("a cat", num_inference_steps=4, guidance_scale=scale, generator=generators(3)[0],
                        output_type="latent")  # fmt: skip
        return path

    before = recorded()
    sd.pipeline.unet = Reusing(sd.pipeline.unet)
    for a, b in zip(before, recorded(), strict=True):
        assert torch.equal(a.eps, b.eps) and torch.equal(a.x_t, b.x_t)
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


class Heard:
    """What a process says, a line a second by its own clock; None is a second in which it says nothing."""

    def __init__(self, *lines: str | None):
        self.lines, self.now = iter(lines), 0.0

    def put(self, line: str) -> None:
        """A process that says nothing has ended."""

    def get(self, timeout: float) -> str:
        self.now += 1
        if (line := next(self.lines, None)) is None:
            raise queue.Empty
        return line


CHECKING, DONE = '{"checking": "unet"}', '{"folder": "here"}'


@pytest.mark.parametrize("lines, said", [(["a word of some library", "[1]", *[CHECKING, None] * 9, DONE], "here"),
                                         ([CHECKING, None, None, DONE], None), ([], None)])  # fmt: skip
def test_a_slow_disk_is_no_firewall(monkeypatch, lines, said):
    heard = Heard(*lines)
    monkeypatch.setattr(watching, "SILENCE", 1.5)
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: heard.now))
    listening = Watch(SimpleNamespace(stdout=[]), None, "someone/something", print)
    listening.lines = heard
    assert listening.until_the_end() == ({"folder": said} if said else {"fault": "stalled"})


def test_a_process_that_ends_without_a_last_word_is_a_fault():
    process = subprocess.Popen([sys.executable, "-c", "print('no word more')"], stdout=subprocess.PIPE, text=True)
    listening = Watch(process, None, "someone/something", print)
    try:
        assert listening.until_the_end() == {"fault": "unknown"}
    finally:
        listening.close()
        process.stdout.close()


def test_a_long_file_is_read_with_signs_of_life(tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setattr(fetch, "CHUNK", 100)
    for content, name in ((b"a" * 1000, hashlib.sha256(b"a" * 1000).hexdigest()), (b"b" * 250, "0" * 64)):
        (tmp_path / "blobs").mkdir(exist_ok=True)
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "blobs" / name).write_bytes(content)
        (tmp_path / "model" / f"{name[:5]}.safetensors").symlink_to(tmp_path / "blobs" / name)
    heard = []
    assert [path.name for path in fetch.damaged(tmp_path / "model", heard.append)] == ["00000.safetensors"]
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


def pipe(**config) -> SimpleNamespace:
    """As much of a pipeline as sizes and previews look at."""
    size = config.pop("sample_size", 4)
    vae = SimpleNamespace(config=SimpleNamespace(latent_channels=4, block_out_channels=[128, 256, 512, 512]))
    return SimpleNamespace(unet=SimpleNamespace(config=SimpleNamespace(sample_size=size)), vae=vae, vae_scale_factor=8,
                           image_processor=SimpleNamespace(postprocess=lambda pixels, output_type: pixels.numpy()))


def test_sizes_previews_and_levels_are_read_from_the_model():
    assert [pictures.picture_size(pipe(sample_size=size)) for size in (4, (3, 5))] == [(32, 32), (40, 24)]
    stated = [[0.5, 0, 1]] * 5
    assert pictures.to_rgb(pipe(), stated).tolist() == stated
    published = pictures.to_rgb(pipe())
    assert published.shape == (5, 3) and published[4].tolist() == [0, 0, 0]
    assert published[:4].sum(0).tolist() == pytest.approx([0.143, 0.411, 0.172])  # of keturn's table
    with pytest.raises(LabError, match="a to_rgb of 5 rows was expected, .*; 4 came"):
        pictures.to_rgb(pipe(), stated[:4])
    levels = torch.tensor([[0.0, 0.5, 1.0], [float("nan"), 0.999, 0.001]]).view(1, 2, 1, 3)
    assert pictures.as_uint8(pipe(), levels).flatten().tolist() == [0, 128, 255, 0, 255, 0]


def scheduler(**own) -> SimpleNamespace:
    base = {"timesteps": torch.tensor([900, 500, 100]), "order": 1, "alphas_cumprod": torch.linspace(1, 0.001, 1000),
            "config": SimpleNamespace(prediction_type="epsilon")}  # fmt: skip
    return SimpleNamespace(**{**base, **own})


def test_a_scribe_reads_its_tables_from_the_scheduler():
    plain, counted = scribe(scheduler()), scribe(scheduler(sigmas=torch.tensor([3.0, 1.0, 0.5, 0.0])), [500], 1)
    assert plain.alpha_bars == pytest.approx([0.1, 0.5, 0.9], abs=0.001) and plain.ts == [900.0, 500.0, 100.0]
    assert (counted.alpha_bars, counted.ts, counted.notes) == ([0.5], [500.0], [""])
    between = scribe(scheduler(sigmas=torch.tensor([3.0, 2.0, 1.0, 0.5]), order=2, timesteps=torch.tensor([9, 8, 7]),
                               sigmas_interpol=torch.tensor([9.0, 0.0, 9.0, 9.0])))  # fmt: skip
    assert between.alpha_bars == [0.1, 1.0, 0.5] and between.notes == ["", "correction", ""]
    assert scribe(scheduler(order=2), [900, 500], 1).notes == ["correction", ""]
    pndm = diffusers.PNDMScheduler(skip_prk_steps=True)
    pndm.set_timesteps(3)
    assert scribe(pndm).notes == ["", "correction", "", ""]


def test_a_scribe_writes_what_was_seen_and_guessed():
    seen, guess = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, -1.0]])
    for kind, expected in (("epsilon", guess), ("sample", (seen - 0.6 * guess) / 0.8), (
            "v_prediction", 0.6 * guess + 0.8 * seen)):  # fmt: skip
        writes = Scribe([0.9, 0.36], [7.0, 3.0], ["", "correction"], kind)
        step = writes.step(1, seen.double(), guess, 2 * guess, a=seen)
        assert torch.allclose(step.eps, expected) and (step.t, step.note, step.alpha_bar) == (3, "correction", 0.36)
        assert step.x_t.dtype == torch.float32 and torch.equal(step.x_t, seen) and step.extras["a"] is seen
        twice = {"epsilon": 2 * guess, "sample": (seen - 1.2 * guess) / 0.8, "v_prediction": 1.2 * guess + 0.8 * seen}
        assert torch.allclose(step.eps_uncond, twice[kind])
    assert Scribe([0.36], [3.0], [""], "epsilon").step(0, seen, guess, None).eps_uncond is None


def test_a_network_is_compiled_once_and_for_its_device():
    called = []
    unet = SimpleNamespace(_compiled_call_impl=None, device=torch.device("cuda"), to=lambda **how: called.append(how),
                           compile=lambda **how: called.append(how))  # fmt: skip
    presets.compile_network(SimpleNamespace(unet=unet))
    unet.device = torch.device("cpu")
    presets.compile_network(SimpleNamespace(unet=unet))
    unet._compiled_call_impl = "done"
    presets.compile_network(SimpleNamespace(unet=unet))
    last, whole = {"memory_format": torch.channels_last}, {"fullgraph": True}
    assert called == [last, {"mode": "reduce-overhead", **whole}, last, {"mode": "default", **whole}]


def test_each_preset_draws_as_it_says():
    drawn = {name: (p.n, p.sampler, p.guidance_scale, p.compiled) for name, p in presets.PRESETS.items()}
    assert drawn == {"as_in_article": (50, "pndm", None, False), "fast": (20, "dpmpp_2m_karras", None, False),
                     "compiled": (20, "dpmpp_2m_karras", None, True), "turbo": (4, "own", 1.0, False)}  # fmt: skip


class Letters:
    """A tokenizer that knows a few words; any other is spelt."""

    unk_token_id, known = 0, {"?": 0, "a</w>": 1, "cat</w>": 2, "red</w>": 3, "b</w>": 4, "x1</w>": 5, "ca": 6}

    def __len__(self):
        return len(self.known)

    def get_vocab(self):
        return self.known

    def encode(self, text, add_special_tokens=True):
        ids = [self.known.get(f"{word}</w>", 0) for word in text.split()]
        return [8, *ids, 9] if add_special_tokens else ids

    def decode(self, ids, **how):
        return " ".join(next(w for w, i in self.known.items() if i == one).removesuffix("</w>") for one in ids)

    def __call__(self, texts, *, padding, max_length, truncation, return_tensors):
        assert (padding, truncation, return_tensors) == ("max_length", True, "pt")
        rows = [(self.encode(text) + [7] * max_length)[:max_length] for text in texts]
        return SimpleNamespace(input_ids=torch.tensor(rows))


def test_a_prompt_is_read_word_by_word_or_told():
    assert prompts.known_words(Letters()) == ["a", "cat", "red"]
    assert prompts.token_ids(Letters(), ["a Red cat", ""], 6, "Tiny").shape == (2, 6)
    assert prompts.token_ids(Letters(), ["a cat"], 5, "Tiny").tolist() == [[8, 1, 2, 9, 7]]
    assert prompts.token_ids(Letters(), ["a red cat"], 5, "Tiny").tolist() == [[8, 1, 3, 2, 9]]
    for prompt, said in (
        ("a cta", "'cta' is not in Tiny's world; try cat; it knows: cat, red"),
        ("a catsy", "'catsy' is not in Tiny's world; it knows: "),
        ("a catt", "'catt' is not in Tiny's world; try cat; it"),
        ("dog redd 7", "'dog', 'redd', '7' are not in Tiny's world; try red; it knows: cat, red"),
        ("a red cat a", "Tiny reads a prompt of at most 3 tokens; 4 came; .*would be cut: 'a'"),
    ):  # fmt: skip
        with pytest.raises(LabError, match=said):
            prompts.token_ids(Letters(), ["a cat", prompt], 5, "Tiny")


def test_a_recording_that_no_disk_can_name_is_told_by_its_own_name(tmp_path):
    place = tmp_path / ("a" * 300)
    with pytest.raises(LabError, match=f"^{place} was to be written"):
        save_recording(made_up_path((4, 8, 8), 2), model(), place)
    assert not list(tmp_path.iterdir())


def test_a_recording_keeps_the_first_path_and_some_of_its_pixels():
    x, eps = torch.randn(2, 4, 9, 9), torch.randn(2, 4, 9, 9)
    picture = torch.randint(256, (2, 64, 32, 3), dtype=torch.uint8)
    path = Trajectory([Step(x, eps, 0.5, 7, 2 * eps, "correction")], pictures={0: picture})
    few = thinned(path, 2, True, 16)
    (step,) = few.steps
    for mine, given in ((step.x_t, x), (step.eps, eps), (step.eps_uncond, 2 * eps)):
        assert torch.equal(mine, given[:1, :, ::2, ::2])
    assert (step.alpha_bar, step.t, step.note) == (0.5, 7, "correction")
    assert few.pictures[0].shape == (1, 16, 8, 3) and thinned(path, 2, False, 16)[0].eps_uncond is None


def test_timesteps_lie_where_the_model_does():
    told = []
    set_timesteps(SimpleNamespace(config=SimpleNamespace(num_train_timesteps=9),
                                  set_timesteps=lambda n, device: told.append((n, device))), 9, "meta")  # fmt: skip
    assert told == [(9, "meta")]


def bent(scheduler, name: str, **settings):
    """A scheduler of diffusers' with other settings, for a path of four steps."""
    made = getattr(diffusers, name).from_config(scheduler.config, clip_sample=False, **settings)
    made.set_timesteps(4)
    return made


@pytest.mark.parametrize("name", ["KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "HeunDiscreteScheduler"])
def test_the_share_of_a_step_is_that_of_what_the_network_sees(name):
    """x / sqrt(1 + sigma^2) is seen, so the share of signal is the square of what x is divided by."""
    scheduler = bent(model("new", "epsilon").pipeline.scheduler, name)
    told, x, seen = scribe(scheduler).alpha_bars, torch.ones(1, 4, 8, 8), []
    for t in scheduler.timesteps:
        seen.append(float((scheduler.scale_model_input(x, t) / x).square().mean()))
        x = scheduler.step(0.1 * x, t, x).prev_sample
    assert told == pytest.approx(seen, rel=1e-4)


@pytest.mark.parametrize("name", ["DDIMScheduler", "DDPMScheduler", "LCMScheduler", "EulerDiscreteScheduler"])
def test_a_path_that_begins_without_any_signal_is_told_too(name):
    zero = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")
    scheduler = bent(model("new", "epsilon").pipeline.scheduler, name, **zero)
    x, v = noise((4, 8, 8), 1), noise((4, 8, 8), 2)
    step = scribe(scheduler).step(0, x, v, None)
    assert step.t == 999 and step.alpha_bar == pytest.approx(2**-24) and torch.allclose(step.x0, -v, atol=5e-3)
    schedule = schedule_of(scheduler, "zero")
    assert schedule.alpha_bar(999) == 2**-24
    assert all(step.x0.isfinite().all() for step in denoise(lambda x, t: x, schedule, x, schedule.timesteps(3)))


@pytest.mark.parametrize("name", ["IPNDMScheduler", "EDMEulerScheduler", "CMStochasticIterativeScheduler"])
def test_a_scheduler_that_cannot_be_told_is_refused_before_anything_is_drawn(name, monkeypatch):
    pipeline = model("new", "epsilon").pipeline
    other = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    monkeypatch.setattr(pipeline, "scheduler", pipeline.scheduler)  # so that it comes back
    monkeypatch.setattr(pipeline.unet, "forward", lambda *_, **__: pytest.fail("it was asked"))
    with pytest.raises(LabError, match=f"{name} came"), record(pipeline):
        pipeline.scheduler = other
        pipeline("a cat")
    with pytest.raises(LabError, match=f"{name} came"), record(pipeline):
        pytest.fail("it began")


def drawn(pipeline, **how) -> tuple[Trajectory, torch.Tensor]:
    with record(pipeline) as path:
        returned = pipeline("a cat", num_inference_steps=2, output_type="latent", **how).images
    return path, returned


def test_what_happens_inside_the_block_is_heard():
    """Another scheduler, latents changed at the end of each step, and those that an inpainting returns as they are."""
    pipeline = untouched(folder())
    with record(pipeline) as path:
        pipeline.scheduler = fresh(pipeline.scheduler, "ddim")
        returned = pipeline("a cat", num_inference_steps=2, output_type="latent").images
    assert path.recipe.sampler == "ddim" and len(path) == 3 and torch.equal(path.x0, returned)
    assert "step" not in vars(pipeline.scheduler) and "postprocess" not in vars(pipeline.image_processor)

    path, returned = drawn(pipeline, callback_on_step_end=lambda pipe, i, t, given: {"latents": 0.5 * given["latents"]})
    assert torch.equal(path.x0, returned) and torch.allclose(path[-1].extras["proposal"], 2 * returned)

    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    inpainting = diffusers.AutoPipelineForInpainting.from_pipe(pipeline, requires_safety_checker=False)
    inpainting.set_progress_bar_config(disable=True)
    path, returned = drawn(inpainting, image=Image.new("RGB", (64, 64), "orange"), mask_image=mask, height=64, width=64)
    assert torch.equal(path.x0, returned) and not torch.equal(path[-1].extras["proposal"], returned)


def test_a_recorded_negative_prompt_that_took_no_effect_is_not_told():
    path, _ = drawn(untouched(folder()), guidance_scale=1.0, negative_prompt="snow")
    assert (path.recipe.guidance_scale, path.recipe.negative_prompt) == (1.0, "")
