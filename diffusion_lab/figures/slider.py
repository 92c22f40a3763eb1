"""A slider through pictures, in the page alone."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import LabError
from ..recipe import as_text, as_whole
from ..templates import as_json, marked
from .figure import embedded, letters_at
from .strips import alike, as_labels, strip


class Slider:
    """One slider through a few pictures of one thing; where scripts are stripped, five of them as a strip.

    Arguments: `pictures` as in `as_image`, all of one size; `labels`, what the slider says at each; `alt` and
    `caption` as for Figure; `title`, what the slider changes; `start`, the picture it rests on; `height` of the one
    shown, in CSS pixels. It needs no kernel and fetches nothing; keys reach it only while it has the focus.
    """

    def __init__(self, pictures: Sequence, labels: Sequence[str], alt: str, caption: str = "", *, title: str,
                 start: int = 0, height: int = 256):
        self.images, self.title = alike(pictures), as_text(title, "a title")
        self.labels, n = as_labels(labels), len(self.images)
        if len(self.labels) != n:
            raise LabError(f"one label for each of {n} pictures was expected; {len(self.labels)} came; "
                           "say in words what each picture stands for")
        self.height = as_whole(height, "a slider's height in pixels", "try 256")
        self.start = as_whole(start, "start, the picture to rest on,", "count from 0", 0, n - 1)
        chosen = np.linspace(0, n - 1, min(n, 5)).round().astype(int)
        self.still = strip([self.images[i] for i in chosen], alt, caption, labels=[self.labels[i] for i in chosen],
                           rows=len(chosen), size=self.images[0].height)

    def __repr__(self) -> str:
        return f"<Slider: {self.title}, {len(self.images)} pictures>"

    def _repr_html_(self) -> str:
        letters = min(letters_at(image, self.height / image.height) for image in self.images)
        data = as_json({"frames": [embedded(image) for image in self.images], "labels": self.labels,
                        "title": self.title, "start": self.start, "height": self.height,
                        "letters": letters})  # fmt: skip
        still = self.still._repr_html_()
        return f'<div class="dl-slider">{still}<script type="application/json">{data}</script></div>{"".join(parts())}'


@cache
def parts() -> tuple[str]:
    """The slider's script, as an element that `templates.renew` puts into a stored page."""
    return (marked("script", "slider.js", (Path(__file__).parent / "slider.js").read_text(encoding="utf-8"), 1),)
