"""Predict, then run: a guess and the truth on one axis."""

import math
from textwrap import fill

from ...errors import LabError
from ...figures import PALETTE, WORDS, Figure, as_name, axes
from .box import Box, spoken


def compare(guess, truth: float, *, what: str, low: float, high: float, unit: str = "", digits: int = 0) -> Box:
    """Draw a guess beside the truth, and say in words how far apart they are.

    Arguments: `guess`, a number, or `...` while none is made: then the axis carries a question mark and the truth
    stays folded shut; `truth`; `what` is guessed, in a few words; `low` and `high`, the ends of the axis; `unit`;
    `digits` after the point. Raises LabError for a guess that is no number, and for an axis without length.
    """
    truth, low, high = (_finite(value, "an axis needs numbers") for value in (truth, low, high))
    if low >= high:
        raise LabError(f"an axis from a smaller number to a larger one was expected; {low:g} to {high:g} came; "
                       "give other ends as low= and high=")
    if guess is ...:
        said = f"The truth: {_number(truth, digits, unit)}"
        answer = _line(None, truth, what, low, high, unit, digits)._repr_html_()
        fold = ('<details><summary style="cursor:pointer;font-weight:600">Show me without a guess</summary>'
                f"<p>{said}.</p>{answer}</details>")
        asked = _line(None, None, what, low, high, unit, digits)._repr_html_()
        lines = (f"What is your guess: {what}? Write a number from {low:g} to {high:g} in the place of `...` and run "
                 "the cell again.",)
        return Box("not yet", "Guess first", lines, asked + fold)
    number = _finite(guess, f"a guess is a number from {low:g} to {high:g}")
    digits = next((more for more in (digits, digits + 1) if math.isclose(round(number, more), number)), digits + 2)
    picture = _line(number, truth, what, low, high, unit, digits)._repr_html_()
    return Box("guess", _verdict(number, truth, high - low, digits, unit), (), picture)


def _finite(value, what: str) -> float:
    try:
        number = float(value)
    except Exception:  # a learner's object may raise anything
        number = math.nan
    if not math.isfinite(number):
        raise LabError(f"{what}; {spoken(value)} came; write one, a rough one will do")
    return number


def _number(value: float, digits: int, unit: str) -> str:
    """A number as it is read; one with more than twelve figures by its power of ten."""
    unit = unit.strip()
    if f"{value:.{digits}f}" == "1" and len(unit) > 3:
        unit = unit.removesuffix("s")  # one call
    return f"{value:,.{digits}f} {unit}".strip() if abs(value) < 1e12 else f"{value:.2e} {unit.strip()}".strip()


def _verdict(guess: float, truth: float, span: float, digits: int, unit: str) -> str:
    you, it = _number(guess, digits, unit), _number(truth, digits, unit)
    if you == it:
        return f"You said {you}, and {it} it is: exactly"
    off = abs(guess - truth)
    near = "close" if off <= 0.05 * span else "not far" if off <= 0.15 * span else "a surprise"
    side = "too low" if guess < truth else "too high"
    return f"You said {you}; it is {it}: {_number(off, digits, unit)} {side}, {near}"


def _line(guess: float | None, truth: float | None, what: str, low: float, high: float, unit: str,
          digits: int) -> Figure:
    """A number line with a green square for the guess and a grey dot for the truth; for what lies off the line, an
    arrow at its end."""
    figure, panel = axes(6, 1.6)
    name = fill(f"{what} ({unit.strip()})" if unit else what, 52)
    panel.set(xlim=(low, high), ylim=(-1, 1.3), yticks=[], xlabel=as_name(name, 208))
    panel.spines["left"].set_visible(False)
    alt = f"A number line from {low:g} to {high:g}, {what}."
    if guess is None and truth is None:
        panel.text((low + high) / 2, 0.1, "?", ha="center", va="center", fontsize=40, color=PALETTE["reference"])
        return Figure(figure, f"{alt} A question mark: no guess yet.")
    if guess is not None and truth is not None:
        panel.plot([guess, truth], [0, 0], color=PALETTE["noise"], linestyle=":")
    for value, mark, name, role, up in ((guess, "s", "your guess", "guess", 0.45),
                                        (truth, "o", "truth", "reference", -0.85)):
        if value is None:
            continue
        shown = min(max(value, low), high)
        share = (shown - low) / (high - low)
        side = "left" if share < 0.12 else "right" if share > 0.88 else "center"
        off = "" if shown == value else ", off the line"
        panel.plot([shown], [0], mark if not off else "<" if value < low else ">", color=PALETTE[role], markersize=13,
                   clip_on=False, zorder=3)
        panel.text(shown, up, f"{name} {_number(value, digits, unit)}{off}", ha=side, color=WORDS[role], fontsize=13)
        alt += f" {name.capitalize()} at {_number(value, digits, unit)}{off}."
    return Figure(figure, alt)
