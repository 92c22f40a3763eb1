"""A recorder for any Stable Diffusion pipeline: it listens at the U-Net and at the scheduler, and changes nothing."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MethodType

import torch
from torch import Tensor, nn

from ..errors import LabError
from ..places import Habits
from ..recipe import Recipe
from ..trajectory import Step, Trajectory, arrived
from .loading.folders import habits_in
from .pictures import as_uint8, decode, to_rgb
from .schedulers import check_scheduler, scribe, told

HEARD = ("unet", "vae", "scheduler")
CALLS = {"vae": "decode", "scheduler": "step"}  # what of a part is listened to


@contextlib.contextmanager
def record(pipeline) -> Iterator[Trajectory]:
    """`with record(pipeline) as trajectory: pipeline(...)` keeps every step of that call; the picture stays the same.

    Works for text-to-image, image-to-image, inpainting and a compiled U-Net, also where a part is exchanged inside. The
    trajectory is filled when the block ends (also when it is interrupted; then without the Step of arrival) and holds
    the last call made in it. Where something is pasted between two steps (inpainting), the Step after it holds in
    extras["proposal"] what the scheduler had proposed. Raises LabError where nothing was drawn in the block, and at
    once for another pipeline and for a scheduler that has no alpha_bar.
    """
    if not all(hasattr(pipeline, part) for part in (*HEARD, "encode_prompt", "image_processor")):
        inside = "its own, model.pipeline" if hasattr(pipeline, "pipeline") else "StableDiffusion.load().pipeline"
        raise LabError("a Stable Diffusion pipeline of diffusers was expected; "
                       f"{type(pipeline).__name__} came; give {inside}")  # fmt: skip
    trajectory, tape, finished = Trajectory([]), _Tape(pipeline, _habits(pipeline)), False
    with contextlib.ExitStack() as listening:
        tape.listening = listening
        tape.follow()
        listening.enter_context(_listen(pipeline, "encode_prompt", tape.hear_prompt))
        listening.enter_context(_listen(pipeline.image_processor, "postprocess", tape.hear_result))
        if hasattr(pipeline, "get_timesteps"):  # of those that begin at a picture
            listening.enter_context(_listen(pipeline, "get_timesteps", tape.hear_strength))
        try:
            yield trajectory
            finished = True
        finally:
            if tape.rows:
                _fill(trajectory, tape, pipeline, finished)
    if not tape.rows:
        raise LabError("a call of the pipeline was expected inside `with record(pipeline)`; none came; call it there")


@contextlib.contextmanager
def _listen_to_network(network: nn.Module, hear: Callable) -> Iterator[None]:
    """Let `hear(network, args, kwargs, output)` know of every call of the network.

    A network compiled in place calls its compiled self, which no hook is part of: then that call is listened to.
    """
    compiled = getattr(network, "_compiled_call_impl", None)
    if compiled is None:
        hook = network.register_forward_hook(hear, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
        return

    def stand_in(*args, **kwargs):
        output = compiled(*args, **kwargs)
        hear(network, args, kwargs, output)
        return output

    network._compiled_call_impl = stand_in
    try:
        yield
    finally:
        network._compiled_call_impl = compiled


@contextlib.contextmanager
def _listen(owner: object, name: str, hear: Callable) -> Iterator[None]:
    """Let `hear(given, call)` make the calls of owner.name, where `given` are its arguments by name.

    The stand-in keeps the signature, for a pipeline reads it to learn whether a scheduler takes a generator.
    """
    method, own = getattr(owner, name), name in vars(owner)
    signature = inspect.signature(method)

    @functools.wraps(method)
    def stand_in(*args, **kwargs):
        return hear(signature.bind(*args, **kwargs).arguments, lambda: method(*args, **kwargs))

    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, method) if own else delattr(owner, name)


@dataclass
class _Row:
    seen: Tensor
    guess: Tensor
    uncond: Tensor | None
    t: Tensor | float
    extras: dict[str, Tensor]


@dataclass
class _Tape:
    """What was heard, left where it is (no number is fetched from a GPU while the path runs)."""

    pipeline: object
    habits: Habits
    listening: contextlib.ExitStack | None = None
    parts: dict[str, object] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)
    first: int = 0
    timesteps: object = None
    seen: Tensor | None = None
    answer: Tensor | None = None
    latest: Tensor | None = None
    decoded: tuple[Tensor, Tensor] | None = None
    result: Tensor | None = None
    prompt: dict = field(default_factory=dict)
    strength: float = 1.0

    @property
    def scheduler(self):
        return self.parts["scheduler"]

    def follow(self) -> None:
        """Listen at the pipeline's parts, and at those that were put in their place since."""
        check_scheduler(self.pipeline.scheduler)
        for name, hear in zip(HEARD, (self.hear_network, self.hear_vae, self.hear_step), strict=True):
            part = getattr(self.pipeline, name)
            if part is not self.parts.get(name):
                listen = _listen_to_network(part, hear) if name == "unet" else _listen(part, CALLS[name], hear)
                self.listening.enter_context(listen)
                self.parts[name] = part

    def hear_network(self, network, args: tuple, kwargs: dict, output) -> None:
        self.seen = args[0] if args else kwargs["sample"]
        self.answer = output[0] if isinstance(output, tuple) else output.sample

    def hear_prompt(self, given: dict, call: Callable):
        self.prompt = given
        self.follow()
        return call()

    def hear_strength(self, given: dict, call: Callable):
        self.strength = given["strength"]
        return call()

    def hear_vae(self, given: dict, call: Callable):
        out = call()
        self.decoded = (given["z"], out[0])
        return out

    def hear_result(self, given: dict, call: Callable):
        if given.get("output_type") == "latent":
            self.result = given["image"]
        return call()

    def hear_step(self, given: dict, call: Callable):
        if self.scheduler.timesteps is not self.timesteps:  # set anew: another run begins
            self.rows, self.timesteps, self.decoded, self.result = [], self.scheduler.timesteps, None, None
        x, guess = given["sample"], given["model_output"]
        B, C = x.shape[:2]
        extras = {}
        if self.rows and x is not self.latest:
            extras["proposal"] = self.scheduler.scale_model_input(self.latest, given["timestep"])
        # clones: a compiled network writes its next answer into the same memory
        uncond = self.answer[:B].clone() if len(self.answer) == 2 * B else None
        self.rows.append(_Row(self.seen[:B, :C], guess.clone(), uncond, given["timestep"], extras))
        out = call()
        if len(self.rows) == 1:
            self.first = (getattr(self.scheduler, "step_index", None) or 1) - 1
        self.latest = out[0] if isinstance(out, tuple) else out.prev_sample
        return out


def _fill(trajectory: Trajectory, tape: _Tape, pipeline, finished: bool) -> None:
    """Turn what was heard into Steps."""
    rows = tape.rows
    read = scribe(tape.scheduler, [float(row.t) for row in rows], tape.first)
    steps = []
    for i, row in enumerate(rows):
        extras = {name: _cpu(x) for name, x in row.extras.items()}
        steps.append(read.step(i, _cpu(row.seen), _cpu(row.guess), _cpu(row.uncond), **extras))
    if finished:
        steps.append(_arrival(tape, pipeline))
        if tape.decoded and pipeline.safety_checker is None:
            trajectory.pictures = {len(rows): as_uint8(pipeline, tape.decoded[1].detach())}
    trajectory.steps, trajectory.recipe = steps, _recipe(tape, pipeline)
    trajectory.to_rgb = to_rgb(pipeline, tape.habits.to_rgb)
    if pipeline.safety_checker is None:
        trajectory.decode = MethodType(decode, pipeline)  # so that a path does not keep the pipeline alive


def _arrival(tape: _Tape, pipeline) -> Step:
    """The last Step: what the pipeline returned or gave to the VAE; where that is not what the scheduler arrived at,
    something was pasted, and this is the "proposal"."""
    end, factor = tape.latest if tape.result is None else tape.result, pipeline.vae.config.scaling_factor
    if tape.decoded is not None and not torch.equal(tape.decoded[0], tape.latest / factor):
        end = tape.decoded[0] * factor
    pasted = any(row.extras for row in tape.rows) or not torch.equal(end, tape.latest)
    return arrived(_cpu(end), {"proposal": _cpu(tape.latest)} if pasted else None)


def _habits(pipeline) -> Habits:
    """What the folder that a pipeline came from states of itself, read before it draws."""
    came_from = pipeline.config.get("_name_or_path")
    return habits_in(Path(came_from)) if came_from else Habits("a pipeline")


def _recipe(tape: _Tape, pipeline) -> Recipe:
    def words(name: str) -> tuple[str, ...]:
        value = tape.prompt.get(name) or ()
        return (value,) if isinstance(value, str) else tuple(value)

    scale = float(pipeline.guidance_scale) if tape.rows[0].uncond is not None else 1.0
    return Recipe(
        model=f"{tape.habits.name}, recorded",
        prompt=words("prompt"),
        **told(tape.scheduler),
        n=tape.scheduler.num_inference_steps,
        guidance_scale=scale,
        negative_prompt=" | ".join(dict.fromkeys(words("negative_prompt"))),
        strength=tape.strength,
    )


def _cpu(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.detach().float().cpu()
