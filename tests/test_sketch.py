"""What is drawn on a pad comes out as points along the lines; nothing drawn, and the cloud given before comes."""

import numpy as np
import pytest

from diffusion_lab import LabError
from diffusion_lab.controls import VIEW
from diffusion_lab.sketch import JITTER, REACH, Sketch

CLOUD = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])


def test_nothing_drawn_is_the_cloud_that_was_given():
    pad = Sketch(CLOUD)
    assert not pad.drawn and np.allclose(pad.points(2), CLOUD[:2]) and pad.points().dtype == np.float32
    assert "the course's" in pad.still().caption


def test_lines_become_points_as_many_as_they_are_long():
    pad = Sketch(CLOUD)
    pad.pad.strokes = [[-1, 1, 1, 1], [0, -1, 0, -0.5]]  # two long and one fourth of that, and a dot
    cloud = pad.points(4000)
    assert pad.drawn and cloud.shape == (4000, 2) and np.array_equal(cloud, pad.points(4000))
    upper = cloud[:, 1] > 0.5
    assert abs(upper.mean() - 2 / 2.5) < 0.03
    assert abs(cloud[upper, 1].mean() - 1) < 0.01 and abs(cloud[upper, 1].std() - JITTER) < 0.005
    assert abs(cloud[upper, 0].mean()) < 0.05 and abs(cloud[upper, 0].std() - 1 / 3**0.5) < 0.03
    assert "you drew" in pad.still().caption
    pad.pad.strokes = [[0.5, 9.0]]
    dot = pad.points(500)
    assert abs(dot.mean(axis=0) - (0.5, REACH)).max() < 0.01 and dot.std() < 1
    pad.pad.strokes = [[]]
    assert not pad.drawn


@pytest.mark.parametrize("given", [np.zeros((3, 3)), np.zeros((0, 2)), [[np.nan, 0.0]]])
def test_what_is_no_cloud_is_told(given):
    with pytest.raises(LabError, match="points"):
        Sketch(given)


def test_a_page_without_a_kernel_says_what_to_do(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    Sketch(CLOUD)._ipython_display_()
    assert shown[0][VIEW]["model_id"] and "Run this cell" in shown[0]["text/html"]
    assert "The cloud that is learned: the course" in shown[0]["text/html"]
