"""`watch`: look at a path while it is made; keep it as a Trajectory; end as the player."""

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from IPython import get_ipython
from IPython.display import HTML, display
from torch import Tensor

from ..errors import LabError
from ..recipe import Recipe, shortened
from ..trajectory import Step, Trajectory
from . import frames, paths, words
from .decoding import keep
from .player import Player, check_rest, drawable
from .views import VIEWS, check, known

EVERY = 0.2  # seconds from one preview to the next
EMPTY = "<span></span>"


def watch(steps: Iterable[Step], model=None, *, ask: str = "", rest: str = "result",
          views: Sequence[str] | None = None, caption: str = "", index: int = 0) -> Trajectory:  # fmt: skip
    """Run a path to its end under your eyes: a preview of x0 as it comes (of the first static, where a question is
    asked: nothing is given away), then the player.

    Arguments: `steps`, what model.steps(...) or denoise(...) returns; `model`, which tells how to draw samples where
    `steps` is a plain generator (without it, 3 channels are colours in [-1, 1], 1 channel is grey, (B, 2) are
    points); the rest as for Player. Stopped by hand, it keeps what there is. Returns the Trajectory. Raises LabError
    where no step comes or samples cannot be drawn.
    """
    if not isinstance(steps, Iterable):
        raise LabError(f"an iterator of Steps was expected; {type(steps).__name__} came; give model.steps(...)")
    check_rest(rest)
    ask, caption = words.told(ask, caption)
    asked = [key for key in known(views) or () if VIEWS[key].beside]  # what the first step has, or none
    recipe = getattr(steps, "recipe", Recipe())
    to_rgb = getattr(steps, "to_rgb", getattr(model, "to_rgb", None))
    decode, quick = getattr(steps, "decode", None) or _decoder(model), getattr(steps, "preview", None)
    made = Trajectory([], recipe, to_rgb, decode=decode)
    preview = display(HTML(EMPTY), display_id=True) if _in_a_page() else None

    def show() -> None:
        if preview is not None:
            preview.update(HTML(_preview(made, index, ask, quick)))

    try:
        stopped = _collect(steps, made, index, asked, show)
        if not made.steps:
            raise LabError("at least one step was expected; none came; give what model.steps(...) returns, unused")
        if stopped:
            of = f" of {recipe.n}" if recipe.n else ""
            caption = " ".join([caption, f"Stopped by hand after {paths.walked(made)}{of} steps."]).strip()
        player = Player(made, ask=ask, rest=rest, views=views, caption=caption, index=index)
        if len(made[0].x_t) == 1 and decode is not None:
            keep(made, player.pictures[0])
        if get_ipython() is not None:
            player.html  # noqa: B018  (made and kept while the last preview stands: it takes its time)
            _clear(preview)
            preview = None
            display(player)
    except KeyboardInterrupt:  # pressed again, while the player was made: the path is there all the same
        if not made.steps:
            raise
        print("Stopped before the player was ready. The path is kept: Player(path) shows it.")
    finally:
        _clear(preview)
    return made


def _clear(preview) -> None:
    if preview is not None:
        preview.update(HTML(EMPTY))  # as it began: a stored notebook and a new run show the same


def _collect(steps: Iterable[Step], made: Trajectory, index: int, asked: Sequence[str], show: Callable) -> bool:
    """Put every step into the trajectory, and show how far it is; True where a keyboard interrupt ended it."""
    last = 0.0
    try:
        for step in steps:
            if not isinstance(step, Step):
                raise LabError(f"an iterator of Steps was expected; {type(step).__name__} came; give model.steps(...)")
            made.steps.append(step)
            if len(made) == 1:
                drawable(made, index)  # before the rest is paid for
                check(asked, made)
            if time.monotonic() - last > EVERY:
                show()
                last = time.monotonic()
    except KeyboardInterrupt:
        if not made.steps:
            raise
        return True
    return False


def _in_a_page() -> bool:
    """Whether HTML is shown: in a notebook, where a terminal would print the name of its class at each preview."""
    return get_ipython() is not None and type(get_ipython()).__name__ != "TerminalInteractiveShell"


def _preview(made: Trajectory, index: int, ask: str, quick: Callable[[Tensor], Tensor] | None) -> str:
    """How far a path is: the newest guess, decoded where that is `quick`, or while a riddle is made what it will begin
    with."""
    step, k = made[-1], paths.walked(made)
    n, x0 = max(made.recipe.n, k), step.x0[index : index + 1]
    if quick and not ask and torch.isfinite(x0).all():
        pixels = quick(x0)[0].numpy()
    else:
        key, i = ("x_t", 0) if ask else ("x0", len(made) - 1)
        pixels, _ = VIEWS[key].pixels(made, i, index, 3.3)
    what = "what you will see at the first step" if ask else f"the guess of the picture at step {k}"
    return (f'<div style="font:16px system-ui,sans-serif"><img src="{frames.picture(pixels, 192)}" width="192" '
            f'alt="{what}"/><br>'
            f'<progress value="{k}" max="{n}" style="width:192px" aria-label="steps"></progress> '
            f"step {k} of {n} · {words.percent(step.alpha_bar)} % picture</div>")  # fmt: skip


def _decoder(model) -> Callable[[Tensor], Tensor] | None:
    """For a model of latents, x0 (B, C, h, w) to pictures, uint8 (B, H, W, 3); pixels and points need none."""
    if model is not None and not hasattr(model, "shape"):
        raise LabError(f"the model that draws was expected; {shortened(model)} came; give the model, or leave it out")
    if model is None or len(model.shape) != 3 or model.shape[0] in (1, 3):
        return None
    return lambda x0: torch.from_numpy(np.stack([np.asarray(p.convert("RGB")) for p in model.picture(x0)]))
