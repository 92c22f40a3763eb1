"""Pictures of the mathematics: one look, one palette, and words for whoever cannot see them."""

from ..pixels import as_image
from . import race, slider
from .curves import as_name, axes, schedule_curves
from .figure import BOX, CAPTION, LETTERS, MARKS, PALETTE, WORDS, Figure, letters_at
from .plots import Line, bars, clouds, fields, histograms, lines
from .race import Dot, Race
from .slider import Slider
from .strips import shares, strip, write

__all__ = ["BOX", "CAPTION", "LETTERS", "MARKS", "PALETTE", "WORDS", "Dot", "Figure", "Line", "Race", "Slider",
           "as_image", "as_name", "axes", "bars", "clouds", "fields", "histograms", "letters_at", "lines", "parts",
           "schedule_curves", "shares", "strip", "write"]  # fmt: skip


def parts() -> tuple[str, ...]:
    """The scripts of all figures, as elements that `templates.renew` puts into a stored page."""
    return (*slider.parts(), *race.parts())
