"""The player: one self-contained HTML block that scrubs any trajectory; and `watch`, which fills one as it comes."""

from .player import Player, parts
from .watch import watch

__all__ = ["Player", "parts", "watch"]
