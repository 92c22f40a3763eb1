"""Fields of arrows in the plane: where a noisy point is pulled, by the perfect denoiser and by one that learns."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .exact import Exact
from .figures import PALETTE, WORDS, Figure, Slider, axes
from .mixing import add_noise
from .protocol import check_samples
from .recipe import as_whole


def as_network(model: Exact) -> Callable[..., Tensor]:
    """The perfect denoiser asked as a network is: network(x_t (B, ...), t (B,), condition) -> its noise (B, ...)."""
    def network(x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        eps = torch.empty_like(x_t)
        for time in t.unique().tolist():
            rows = t == time
            eps[rows] = model.predict_noise(x_t[rows], time, None if condition is None else condition[rows])
        return eps

    return network


class Probes(NamedTuple):
    """Rounds of the denoising game with their perfect answers: clean samples x0, the noise eps, a time t (B,) each, the
    mix x_t of the three, and the perfect guess of eps; all but t are (B, ...)."""

    x0: Tensor
    eps: Tensor
    t: Tensor
    x_t: Tensor
    perfect: Tensor


def probes(model: Exact, times: int = 16, each: int = 128, seed: int = 0) -> Probes:
    """Noisy samples to compare a network with the perfect denoiser on.

    Arguments: `model`, whose data is noised; `times`, how many timesteps, evenly spread; `each`, samples at one of
    them; `seed`. There are B = times * each of them. The mean of |perfect - eps|^2 is the smallest loss there is, and
    that of |network - perfect|^2 what a network adds to it.
    """
    times, each = as_whole(times, "the number of timesteps", "try 16"), as_whole(each, "samples a timestep", "try 64")
    source, T = torch.Generator().manual_seed(as_whole(seed, "a seed", "try 0", 0)), len(model.schedule)
    t = ((torch.arange(times) + 0.5) * T / times).long().repeat_interleave(each)                  # (B,)
    x0 = model.data[torch.randint(len(model.data), (len(t),), generator=source)]                  # (B, ...)
    eps = torch.randn(x0.shape, generator=source)                                                 # (B, ...)
    alpha_bar = model.schedule.alpha_bars[t].to(x0).view(-1, *[1] * (x0.dim() - 1))               # (B, 1, ...)
    x_t = add_noise(x0, alpha_bar, eps)
    return Probes(x0, eps, t, x_t, as_network(model)(x_t, t))


def grid(side: int = 13, reach: float = 1.5) -> Tensor:
    """Places of the plane in `side` rows of `side`, from -reach to reach: (side * side, 2)."""
    line = torch.linspace(-reach, reach, as_whole(side, "how many places a side", "try 13", least=2))
    return torch.cartesian_prod(line, line)


def draw_arrows(panel, places: Tensor, eps: Tensor, role: str, width: float = 0.007, length: float = 0.25) -> None:
    """Arrows from places (B, 2) against the noise eps (B, 2) that is seen there: towards the guess.

    Arguments: `panel`, matplotlib's axes; `role`, a colour of PALETTE; `width`, a share of the panel's; `length` of an
    arrow where the noise has the size 1, in the panel's units.
    """
    check_samples(places, (2,)), check_samples(eps, (2,))
    panel.quiver(*places.T.numpy(), *(-length * eps).T.numpy(), color=PALETTE[role], angles="xy", scale_units="xy",
                 scale=1, width=width, headwidth=3.6, headlength=4, headaxislength=3.6)


class Learning:
    """A network on its way to the perfect denoiser: its arrows over the exact ones, its loss and its error.

    Called with a Progress of a training it measures the network on fixed `probes`, loss = mean |guess - eps|^2 and
    error = mean |guess - perfect|^2, and draws both fields at one noise level, and both curves up to here: a Figure.

    Arguments: `model`, the perfect denoiser (Exact) of points; `steps`, how many there will be; `t`, the timestep of
    the arrows. `floor` is the perfect denoiser's loss, `rows` what was measured, (step, loss, error) each.
    """

    def __init__(self, model: Exact, steps: int, t: int = 150):
        self.model, self.steps, self.alpha_bar = model, steps, model.schedule.alpha_bar(t)
        self.places = grid(13, 1.15)
        self.t = torch.full((len(self.places),), t)
        self.exact = as_network(model)(self.places, self.t)
        self.probes = probes(model, seed=9)
        self.floor = float((self.probes.perfect - self.probes.eps).square().mean())
        self.rows, self.frames = [], []

    @torch.no_grad()
    def __call__(self, progress) -> Figure:
        guess = progress.ema(self.probes.x_t, self.probes.t)
        loss, error = (float((guess - aim).square().mean()) for aim in (self.probes.eps, self.probes.perfect))
        self.rows.append((progress.step, loss, error))
        self.frames.append(self._drawn(progress.ema(self.places, self.t)))
        return self.frames[-1]

    @property
    def falls(self) -> int:
        """How many times smaller the error has become since the first look: the largest of 1, 2, 5, 10, 20, 50, 100
        and so on that is reached, which is the same on every machine; 0 where it grew."""
        times, ladder = self.rows[0][2] / self.rows[-1][2], [k * 10**n for n in range(6) for k in (1, 2, 5)]
        return max((step for step in ladder if step <= times), default=0)

    @property
    def told(self) -> str:
        """Where the loss has come to, beside the perfect denoiser's, and how far the error has fallen: in words."""
        loss, floor = (f"{value:.2f}" for value in (self.rows[-1][1], self.floor))
        beside = ", as the perfect one's" if loss == floor else f"; the perfect one's is {floor}"
        falls = {0: "grows", 1: "hardly falls"}.get(self.falls, f"becomes more than {self.falls} times smaller")
        return f"The loss ends at {loss}{beside}. The error {falls}."

    def slider(self, alt: str, caption: str, step: int = 1) -> Slider:
        """All that was drawn under one slider, the step of the training, which rests where `step` was reached."""
        start = next((k for k, row in enumerate(self.rows) if row[0] >= step), 0)
        return Slider([frame.image for frame in self.frames], [f"step {row[0]}" for row in self.rows], alt, caption,
                      title="Scrub the training", start=start, height=335)

    def _drawn(self, guess: Tensor) -> Figure:
        figure, (plane, curves) = axes(10, 3.8, columns=2, width_ratios=(1, 1.15))
        length = 0.5 * (1 - self.alpha_bar) ** 0.5  # half of the way to the guess
        faded = self.alpha_bar**0.5 * self.model.data[:600]
        plane.plot(*faded.T, "o", color=PALETTE["signal"], markersize=2, alpha=0.4)
        draw_arrows(plane, self.places, self.exact, "reference", width=0.013, length=length)
        plane.collections[-1].set_alpha(0.45)
        draw_arrows(plane, self.places, guess, "guess", length=length)
        plane.set(aspect="equal", xticks=[], yticks=[], xlim=(-1.25, 1.25), ylim=(-1.25, 1.25))
        plane.set_title("exact (grey), learned (green)", fontsize=15)
        steps, losses, errors = zip(*self.rows, strict=True)
        curves.axhline(self.floor, color=PALETTE["reference"], linestyle=":")
        curves.plot(steps, losses, "-x", color=PALETTE["noise"], markersize=9)
        curves.plot(steps, errors, "--s", color=PALETTE["guess"], markersize=7)
        curves.text(0.9, self.floor * 0.9, "the perfect one's loss", va="top", fontsize=13, color=WORDS["reference"])
        for y, words, role, up in ((losses[-1], "loss", "noise", 8), (errors[-1], "error", "guess", -18)):
            curves.annotate(words, (steps[-1], y), (8, up), textcoords="offset points", fontsize=15, color=WORDS[role])
        curves.set(xscale="log", yscale="log", xlim=(0.8, 2.2 * self.steps), ylim=(self.floor / 300, 2),
                   xlabel="step of the training")
        curves.tick_params(labelsize=13)
        curves.xaxis.label.set_size(13)
        curves.set_xticks([1, 10, 100], ["1", "10", "100"])
        curves.set_yticks([1, 0.1, 0.01, 0.001], ["1", "0.1", "0.01", "0.001"])
        curves.set_title("two curves, one clock", fontsize=15)
        return Figure(figure, f"Arrows in a plane, the network's over the exact ones, at step {steps[-1]}; beside them "
                      "two curves, the loss and the error.", width=900)
