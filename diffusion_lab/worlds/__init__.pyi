"""The worlds by name; lazy.py reads this list."""

from . import heaps as heaps
from . import icons as icons
from . import photos as photos
from . import points as points
from . import scenes as scenes
