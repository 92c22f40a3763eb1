"""A wrong function draws another picture next, in lessons 02 to 12: what a check names can be seen."""

import functools
import io
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image
from test_lessons import build

from diffusion_lab import figures
from diffusion_lab.coursework.lessons import exercises, find

TEXTS = Path(__file__).parents[1] / "lessons/text"
CELLS = {  # for each exercise words of the cells that are needed; the last one draws with the answer
    "02.posterior": ("import numpy", "far_a =", "a, b = torch.tensor", "posterior_mean(row"),
    "02.reverse": ("import numpy", "def walk", "walk(reverse_step, noise(model.shape, seed=1)"),
    "03.loss": ("import Learning", "rounds = probes", "def valley", "lowest, off ="),
    "03.targets": ("import Learning", "for convert in"),
    "04.ddim": ("import Player", "times = schedule", "def my_sampler", "for n in (4, 20)"),
    "05.block": ("A, B = Toy.load", "def built_of"),
    "06.formula": ("import Toy", "import torch", "def drawn_with", "course_guide"),
    "07.error": ("import StableDiffusion", "import photos, scenes", "import ruled", "*ruled(pictures"),
    "07.attention": ("import StableDiffusion", "import photos, scenes", "def drawn_by", "drawn_by(attend)"),
    "09.masked": ("import Painter", "def fill(", "def boarded", "def painted_with", "mine, course, other ="),
    "09.seam": ("import Painter", "def fill(", "def boarded", "snowy =", "parade, joints", "profile(pixels"),
    "11.skip": ("as course_skip",),
    "11.heun": ("as course_skip", "as course_heun"),
    "10.game": ("import heaps_race", "def slopes"),
    "10.coverage": ("import heaps_race", "import belonging", "def numbers"),
    "12.flow": ("import Paths", "import Line, lines", "def valley"),
    "12.reflow": ("import Paths", "import Line, lines", "def drawn_from"),
    "12.target": ("import Paths", "import Line, lines", "import jump"),
    "04.ancestral": ("import Player", "times = schedule", "as course_parts"),
}
SEEN = 0.015  # root mean square between two whole pictures, black to white being 1; most of a picture is its ground


class Drawing:
    """What a lesson draws next, with any answer to the exercise before it."""

    def __init__(self, name: str):
        (text,) = TEXTS.glob(f"{name[:2]}_*.md")
        sources = [cell.source for cell in build.cells_from(text).cells if cell.cell_type == "code"]
        *before, self.drawn = [next(source for source in sources if words in source) for words in CELLS[name]]
        self.exercise, self.names = find(name), {"unseen": lambda steps, **_: list(steps)}
        self.call = self.exercise.call.partition("(")[0]
        others = (one for one in exercises(name[:2]).values() if hasattr(one, "reference"))
        self.names |= {one.call.partition("(")[0]: one.reference for one in others}  # as answered before this one
        for source in before:
            exec(source.replace("= watch(", "= unseen("), self.names)

    def __call__(self, answer) -> tuple[np.ndarray, str]:
        """The first picture, (H, W, 3) from 0 to 1, and all that is said of it."""
        seen, made = [], figures.Figure.__init__
        def kept(figure, image, *words, **how):
            made(figure, small(image) if hasattr(image, "savefig") else image, *words, **how)
            seen.append(figure)

        self.names |= {self.call: answer}
        with mock.patch.object(figures.Figure, "__init__", kept):
            exec(self.drawn, self.names)
        (drawn,) = seen
        return np.asarray(drawn.image.convert("RGB"), dtype=np.float32) / 255, f"{drawn.alt} {drawn.caption}"


def small(figure) -> Image.Image:
    """A matplotlib figure as a picture that is quickly drawn."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=40)
    pyplot.close(figure)
    return Image.open(buffer)


@pytest.mark.parametrize("name", CELLS)
def test_every_named_mistake_draws_another_picture_and_is_told_in_numbers(name):
    draw = Drawing(name)
    mine = functools.partial(draw.exercise.reference)  # not the course's own, whose place is left empty
    right, words = draw(mine)
    again, _ = draw(mine)
    assert np.array_equal(right, again) and "0.00" in words
    found = {}
    for slip in draw.exercise.slips:
        wrong, said = draw(slip.code)
        h, w = np.minimum(wrong.shape[:2], right.shape[:2])  # longer numbers below have other letters
        apart = float(np.square(wrong[:h, :w] - right[:h, :w]).mean() ** 0.5)
        if "nothing of it is seen" in slip.says:
            assert apart == 0 and said == words, slip.name
            continue
        found[slip.name] = apart
        assert said != words, slip.name
    assert min(found.values()) > SEEN, found
