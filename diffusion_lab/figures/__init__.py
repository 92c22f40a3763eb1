"""Pictures of the mathematics: one look, one palette, and words for whoever cannot see them."""

from ..pixels import as_image
from .curves import axes, schedule_curves
from .figure import BOX, CAPTION, LETTERS, MARKS, PALETTE, WORDS, Figure, letters_at
from .slider import Slider, parts
from .strips import shares, strip, write

__all__ = ["BOX", "CAPTION", "LETTERS", "MARKS", "PALETTE", "WORDS", "Figure", "Slider", "as_image", "axes",
           "letters_at", "parts", "schedule_curves", "shares", "strip", "write"]  # fmt: skip
