"""Pictures of the mathematics: one look, one palette, and words for whoever cannot see them."""

from ..pixels import as_image
from .curves import axes, schedule_curves
from .figure import BOX, CAPTION, LETTERS, MARKS, PALETTE, WORDS, Figure, letters_at
from .plots import Line, bars, clouds, fields, histograms, lines
from .slider import Slider, parts
from .strips import shares, strip, write

__all__ = ["BOX", "CAPTION", "LETTERS", "MARKS", "PALETTE", "WORDS", "Figure", "Line", "Slider", "as_image", "axes",
           "bars", "clouds", "fields", "histograms", "letters_at", "lines", "parts", "schedule_curves", "shares",
           "strip", "write"]  # fmt: skip
