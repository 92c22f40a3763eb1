"""What a panel of the player can show: one row of one table for each thing. Python packs, the page draws by it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..errors import LabError
from ..figures import PALETTE
from ..trajectory import Step, Trajectory
from . import frames


@dataclass(frozen=True)
class View:
    """One thing that a panel can show.

    Arguments: `key`, its name in `views=`; `of`, its samples at a Step, (B, ...) like x_t, or None where the step has
    none; `reverse` and `forward`, what its panel is called on either path ({thing}: picture, points); `letter`, its
    symbol, the index after "_"; `role`, its colour, a key of figures.PALETTE ("shown": grey), and `forward_role`,
    where it has another one there; `needs`, what a path must be made with to have it.
    `always`: shown on every path that has it, not only where asked for. `noisy`: its values reach as far as noise.
    `summed`: the page puts it together from x0 and eps. `decoded`: clean samples, which a decoder makes pictures of.
    `colours`: from one sample (C, H, W) to colours (H, W, 3) in [-1, 1], for maps that are no samples.
    `beside`: the view that it varies: shown smaller, marked where the two differ, in the other's place while its
    button, `hold`, is pressed; `says`, the words of the caption for how far they differ ({share}: of the other, in %).
    """

    key: str
    of: Callable[[Step], Tensor | None]
    reverse: str
    forward: str
    letter: str = ""
    role: str = "shown"
    forward_role: str = ""
    needs: str = ""
    always: bool = False
    noisy: bool = False
    summed: bool = False
    decoded: bool = False
    colours: Callable[[np.ndarray], np.ndarray] | None = None
    beside: str = ""
    hold: str = ""
    says: str = ""

    def samples(self, step: Step) -> Tensor | None:
        """Its samples at a step; where a path has arrived there is nothing left to vary."""
        found = self.of(step)
        return VIEWS[self.beside].of(step) if found is None and self.beside and arrival(step) else found

    def drawn(self, x: Tensor, to_rgb: Tensor | None) -> np.ndarray:
        """One sample (C, H, W) as colours (H, W, 3), without the bias of `to_rgb`."""
        return frames.linear(x, to_rgb) if self.colours is None else self.colours(x.detach().float().cpu().numpy())

    def bias(self, alpha_bar: float, to_rgb: Tensor | None) -> np.ndarray:
        """What is added to `drawn`: the bias of `to_rgb` belongs to the picture, so noise has none, x_t its share.

        So x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps holds between the colours, as between the samples.
        """
        share = 0.0 if self.colours or self.noisy else alpha_bar**0.5 if self.summed else 1.0
        return share * frames.bias(to_rgb)

    def role_on(self, direction: str) -> str:
        """Its colour's role on a "forward" or a "reverse" path."""
        return self.forward_role or self.role if direction == "forward" else self.role

    def pixels(self, trajectory: Trajectory, i: int, index: int, reach: float) -> tuple[np.ndarray, bool]:
        """What step i shows of it, uint8 (H, W, 3), with values that are no numbers hatched; and whether all are.

        Of points all are drawn, in a square that reaches from -reach to reach.
        """
        x = self.of(trajectory[i])
        if frames.is_points(trajectory):
            colour = PALETTE.get(self.role_on(trajectory.direction), "#333333")
            return frames.scatter(x.detach().float().cpu().numpy(), reach, colour), False
        values = self.drawn(x[index], trajectory.to_rgb) + self.bias(trajectory[i].alpha_bar, trajectory.to_rgb)
        broken = ~np.isfinite(values).all(-1)
        return frames.hatch(frames.shown(values), broken), bool(broken.all())


def arrival(step: Step) -> bool:
    """Whether this is the clean picture itself (where a reverse path ends or a forward path begins), not a step."""
    return step.alpha_bar == 1 and step.t == -1


VIEWS = {view.key: view for view in (
    View("x_t", lambda step: step.x_t, "what it sees", "{thing} and noise", "x_t", always=True, summed=True),
    View("x0", lambda step: step.x0, "its guess of the {thing}", "the {thing}", "x_0", "guess", "signal", always=True,
         decoded=True),
    View("eps", lambda step: step.eps, "its guess of the noise", "the noise", "ε", "noise", always=True, noisy=True),
    View("x0_uncond", lambda step: step.x0_uncond, "without prompt", "without prompt", role="pull", always=True,
         needs="a prompt and a guidance scale other than 1", decoded=True, beside="x0", hold="without prompt",
         says="the prompt moved the guess by {share} %"),
)}  # fmt: skip


def table() -> dict[str, dict]:
    """What the page has to know of each view."""
    told = ("letter", "noisy", "beside", "hold", "says")
    return {view.key: {name: getattr(view, name) for name in told} | {
        "title": {"reverse": view.reverse, "forward": view.forward}, "plain": view.colours is not None,
        "role": {direction: view.role_on(direction) for direction in ("reverse", "forward")},
    } for view in VIEWS.values()}  # fmt: skip


def known(asked: Sequence[str] | str | None) -> list[str] | None:
    """The names that were asked for, as a list; raises LabError for one that is no view."""
    asked = [asked] if isinstance(asked, str) else asked
    if not isinstance(asked, Iterable | None):
        raise LabError(f"views are a list of {', '.join(VIEWS)}; {asked!r} came; choose among these")
    asked = None if asked is None else list(asked)
    if asked == []:
        raise LabError(f"views are one or more of {', '.join(VIEWS)}; none came; leave them out to see all of a path")
    for key in asked or ():
        if not isinstance(key, str) or key not in VIEWS:
            raise LabError(f"views are {', '.join(VIEWS)}; {key!r} came; choose among these")
    return asked


def had(trajectory: Trajectory) -> list[str]:
    """The views that a path has at one step or more."""
    steps = [trajectory[0]] if trajectory.fixed else trajectory.steps
    return [view.key for view in VIEWS.values() if any(view.of(step) is not None for step in steps)]


def check(asked: Sequence[str], trajectory: Trajectory) -> None:
    """Raises LabError where a path lacks a view that was asked for."""
    for key in asked:
        if key not in (here := had(trajectory)):
            needs = VIEWS[key].needs
            raise LabError(f"views that the path has were expected ({', '.join(here)}); {key!r} came; "
                           + (f"make the path with {needs}" if needs else "make a path that has it, or leave it out"))
