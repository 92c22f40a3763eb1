"""`Touch`: a figure to touch. From any place of the plane lines run to every point that could have made it, and an
arrow to their mean.

It needs no kernel; where scripts do not run, its picture for the first place stands, with the same numbers.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from .errors import LabError
from .exact import Exact
from .figures import PALETTE, Figure, axes
from .recipe import as_number, as_share, as_text
from .templates import as_json, marked

REACH = 1.5  # half the width of the plane that is drawn: where points lie
MOST = 600  # points of a Touch: the page weighs each of them anew at every move


class Touch:
    """A plane to touch: from a place x_t lines run to every point that could have made it, an arrow to their mean.

    The lines' strength is the posterior weight w_i = softmax_i(-|x_t - sqrt(alpha_bar) x_i|^2 / (2 (1 - alpha_bar)))
    of each point (Karras et al., 2022, appendix B.3; `Exact.weights`). Points are drawn faded, sqrt(alpha_bar) x_i, as
    they are in x_t, and so is the arrow's tip; a ring marks the guess itself. Beside the plane the place and the guess
    stand as pictures of two pixels.

    Arguments: `data`, points (N, 2), at most 600; `place`, where it is touched first; `alpha_bar`, the share of picture
    to begin with, moved by a slider from 1 % to 99 %; `alt` and `caption` as for a Figure. Needs no kernel; arrow keys
    move the place while it has the focus. Raises LabError for other data.
    """

    def __init__(self, data, place: Sequence[float] = (0.5, 0.0), alpha_bar: float = 0.5, alt: str = "",
                 caption: str = ""):
        self.model = Exact(data)
        if self.model.shape != (2,) or len(self.model.data) > MOST:
            raise LabError(f"at most {MOST} points (N, 2) were expected; {tuple(self.model.data.shape)} came; give a "
                           "part of them, as in data[:300]")
        self.alpha_bar = as_share(alpha_bar, "alpha_bar", "try 0.5", some=True)
        self.place = torch.tensor([as_number(x, "a place in the plane", "give two numbers") for x in place])
        if self.place.shape != (2,) or not 0.01 <= self.alpha_bar <= 0.99:
            raise LabError("a place of two numbers and an alpha_bar from 0.01 to 0.99 were expected; "
                           f"{tuple(place)} and {alpha_bar} came; try (0.5, 0.0) and 0.5")
        self.alt, self.caption = as_text(alt, "alt text"), as_text(caption, "a caption")

    @property
    def guess(self) -> Tensor:
        """The mean of all points by their weights, for the first place: (2,)."""
        return self.model.guess(self.place[None], self.alpha_bar)[0]

    @property
    def sentence(self) -> str:
        """What the figure says of a place, in numbers; the page says the same of every other one."""
        weights = self.model.weights(self.place[None], self.alpha_bar)[0].sort(descending=True).values
        many = int((weights.cumsum(0) < 0.9).sum()) + 1
        (x, y), (u, v) = self.place.tolist(), self.guess.tolist()
        return (f"At {100 * self.alpha_bar:.0f} % picture, ({x:.2f}, {y:.2f}) is touched. {many} of {len(weights)} "
                f"pictures carry 90 % of the weight. Their mean, the guess: ({u:.2f}, {v:.2f}).")

    def still(self) -> Figure:
        """The figure for the first place, as a picture."""
        figure, panel = axes(5.2, 5.2)
        faded, guess = self.alpha_bar**0.5 * self.model.data, self.alpha_bar**0.5 * self.guess
        weights = self.model.weights(self.place[None], self.alpha_bar)[0]
        strength = (weights / weights.max()).tolist()
        for (x, y), share in zip(faded.tolist(), strength, strict=True):
            if share > 0.01:
                panel.plot([self.place[0], x], [self.place[1], y], color=PALETTE["signal"], linewidth=1,
                           alpha=0.8 * share)
        panel.plot(*faded.T, "o", color=PALETTE["signal"], markersize=4, alpha=0.7)
        panel.annotate("", guess.tolist(), self.place.tolist(),
                       arrowprops={"arrowstyle": "-|>,head_width=.5,head_length=.8", "lw": 5,
                                   "color": PALETTE["guess"], "shrinkA": 0, "shrinkB": 0})
        panel.plot(*self.guess, "o", color=PALETTE["guess"], markersize=14, markeredgewidth=3, fillstyle="none")
        panel.plot(*self.place, "x", color=PALETTE["noise"], markersize=13, markeredgewidth=4)
        panel.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="first pixel", ylabel="second pixel",
                  aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        panel.tick_params(labelsize=16)
        for axis in (panel.xaxis, panel.yaxis):
            axis.label.set_size(17)
        return Figure(figure, self.alt, f"{self.sentence} {self.caption}".strip(), width=500)

    def __repr__(self) -> str:
        return f"<Touch: {self.sentence}>"

    def _repr_html_(self) -> str:
        data = as_json({"points": [[round(x, 4) for x in point] for point in self.model.data.tolist()],
                        "place": self.place.tolist(), "percent": round(100 * self.alpha_bar), "reach": REACH,
                        "caption": self.caption, "colours": PALETTE})  # fmt: skip
        return (f'<div class="dl-touch">{self.still()._repr_html_()}<script type="application/json">{data}</script>'
                f'</div>{"".join(parts())}')


@cache
def parts() -> tuple[str]:
    """The script of `Touch`, as an element that `templates.renew` puts into a stored page."""
    return (marked("script", "touch.js", (Path(__file__).parent / "touch.js").read_text(encoding="utf-8"), 1),)
