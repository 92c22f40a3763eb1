"""The paper of lesson 02: pictures of two pixels as points, those of the data set, seen ones and guesses."""

import torch
from torch import Tensor

from ...figures import PALETTE, Figure, axes

WORDS_AT = 13  # points


def one_guess(x_t: Tensor, guess: Tensor, pictures: tuple[Tensor, Tensor], weights: tuple[float, float],
              alpha_bar: float) -> Figure:
    """What is seen, x_t (2,), what is guessed (2,), and to each of the two pictures, faded, a line as thick as its
    weight."""
    figure, panel = _paper(x_t[None], guess[None], pictures, alpha_bar)
    for picture, weight in zip(pictures, weights, strict=True):
        faded = alpha_bar**0.5 * picture
        panel.plot(*torch.stack([x_t, faded]).T, color=PALETTE["pull"], linewidth=14 * weight, alpha=0.5, zorder=0)
        panel.annotate(f"{100 * weight:.0f} %", ((x_t + faded) / 2).tolist(), (12, 8), textcoords="offset points",
                       fontsize=WORDS_AT)
    panel.legend(frameon=False, loc="upper right", fontsize=WORDS_AT)
    w_a, w_b = (100 * weight for weight in weights)
    return Figure(figure, "A plane with the points a and b and their faded ones; from a cross between them a thick "
                  f"line goes to the faded a, {w_a:.0f} %, and a thin one to the faded b, {w_b:.0f} %; the guess lies "
                  "near a.",
                  f"Lines as thick as what they connect counts. The guess: ({guess[0]:.2f}, {guess[1]:.2f}).")


def many_guesses(seen: Tensor, guesses: Tensor, perfect: Tensor, pictures: tuple[Tensor, Tensor],
                 alpha_bar: float) -> Figure:
    """A batch (B, 2) that is seen, each joined to its guess (B, 2); circles where the perfect guesses (B, 2) lie."""
    figure, panel = _paper(seen, guesses, pictures, alpha_bar)
    panel.plot(*torch.stack([seen, guesses], dim=1).permute(2, 1, 0), color=PALETTE["guess"], linewidth=1, alpha=0.5)
    panel.plot(*perfect.T, "o", color="black", markerfacecolor="none", markersize=14, label="the perfect guess")
    panel.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=WORDS_AT)
    off = float((guesses - perfect).norm(dim=1).max())
    return Figure(figure, f"{len(seen)} crosses in a plane, each with a line to your guess; the perfect guesses, "
                  "circles, lie on the line from a to b. The largest distance between your guess and the perfect one "
                  f"is {off:.2f}.", f"Yours and the perfect guess: largest distance {off:.2f}.")


def _paper(seen: Tensor, guesses: Tensor, pictures: tuple[Tensor, Tensor], alpha_bar: float):
    a, b = pictures
    figure, panel = axes(9, 4)
    panel.plot(*torch.stack([a, b]).T, ":", color=PALETTE["reference"])
    for name, point, inside, place, side in (
            ("a", a, PALETTE["signal"], (14, -5), "left"), ("b", b, PALETTE["signal"], (-14, -5), "right"),
            ("faded a", alpha_bar**0.5 * a, "white", (0, -28), "center"),
            ("faded b", alpha_bar**0.5 * b, "white", (-14, -5), "right")):
        panel.plot(*point, "o", color=PALETTE["signal"], markerfacecolor=inside, markersize=13)
        panel.annotate(name, point.tolist(), place, textcoords="offset points", ha=side, fontsize=WORDS_AT)
    panel.plot(*seen.T, "x", color=PALETTE["noise"], markersize=10, label="it sees", markeredgewidth=2.5)
    panel.plot(*guesses.T, "s", color=PALETTE["guess"], markersize=9, label="it guesses")
    panel.set(xlabel="first pixel", ylabel="second pixel", aspect="equal")
    panel.margins(0.2)
    return figure, panel
