"""The small worlds that the lessons live in; each offers the same call and loads when it is first used.

`worlds.NAME.sample(n, seed, split="all") -> (images or points, captions, labels)`: images uint8 (n, H, W, 3) or points
float32 (n, 2), n captions, and a dictionary of n-long arrays of words. The split "train" leaves out the combinations
that are kept for "held-out". Sample k depends on the seed and on k alone, never on n.
"""

import numpy as np

from ..errors import LabError
from ..lazy import lazily

MOST = 2**22  # samples at once: of the largest, icons, seven gigabytes
SPLITS = ("all", "train", "held-out")

__getattr__, __dir__, _ = lazily(__name__, __file__)


def check_sample(n: int, seed: int, split: str, splits: tuple[str, ...] = SPLITS) -> None:
    """Raise LabError where the arguments of a `sample` call are not usable."""
    if isinstance(n, (int, np.integer)) and n > MOST:
        raise LabError(f"n, the number of samples, is at most {MOST:,}; {n:,} came; draw fewer")
    for name, value, least in (("n, the number of samples,", n, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise LabError(f"{name} is a whole number, {least} or more; {value!r} came; try {least + 7}")
    if split not in splits:
        raise LabError(f"split is one of {', '.join(splits)}; {split!r} came; choose one of them")
