"""A network opened: its blocks with their shapes and maps, how far it looks, its skip connections cut, a drawing."""

from .blocks import Block, blocks, cut, named_parts, stored_blocks, weights, without_norms
from .drawing import Drawing, draw
from .reach import field, measured, pull, width, windows

__all__ = ["Block", "Drawing", "blocks", "cut", "draw", "field", "measured", "named_parts", "pull", "stored_blocks",
           "weights", "width", "windows", "without_norms"]  # fmt: skip
