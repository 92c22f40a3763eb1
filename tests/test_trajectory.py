"""The nouns: what a recipe makes of prompts and seeds, and how a path is told in one line."""

from types import SimpleNamespace

import numpy as np
import player_paths as made
import pytest
import torch

from diffusion_lab.errors import LabError
from diffusion_lab.trajectory import Recipe, Trajectory, arrived

MODEL = SimpleNamespace(name="a model", guidance_scale=2.0)


@pytest.mark.parametrize(("prompt", "seed", "prompts", "seeds"), [
    ("a cat", 3, ("a cat",), (3,)),
    ("a cat", range(3), ("a cat",) * 3, (0, 1, 2)),
    (["a cat", "a dog"], 3, ("a cat", "a dog"), (3, 3)),
    (("a cat", "a dog"), np.array([5, 6]), ("a cat", "a dog"), (5, 6)),
])  # fmt: skip
def test_a_recipe_has_one_prompt_and_one_seed_for_each_picture(prompt, seed, prompts, seeds):
    recipe = Recipe.of(MODEL, prompt, seed, n=5)
    assert recipe == Recipe("a model", prompts, seeds, "", 5, 2.0)


@pytest.mark.parametrize(("prompt", "words"), [
    (7, "a prompt is text; 7 came"), (None, "None came"), (b"a cat", "b'a cat' came"), (["a cat", 7], "; 7 came"),
    (["a", "b", "c"], "3 prompts and 2 seeds came"), ([], "0 prompts"),
])  # fmt: skip
def test_a_recipe_of_anything_else_is_refused(prompt, words):
    with pytest.raises(LabError, match=words):
        Recipe.of(MODEL, prompt, [1, 2])


@pytest.mark.parametrize(("trajectory", "told"), [
    (made.guided(), "<Trajectory: exact denoiser, 'red disc', reverse, 13 steps>"),
    (made.forward_photo(), f"<Trajectory: forward, {len(made.forward_photo())} steps>"),
    (Trajectory([]), "<Trajectory: 0 steps>"),
    (Trajectory([arrived(torch.zeros(3, 2))], Recipe("a model", ("a\ncat", "a cat", "a dog " * 99))),
     f"<Trajectory: a model, 'a cat | a cat |{' a dog' * 6} a ...', reverse, 1 steps>"),
])  # fmt: skip
def test_a_path_is_told_in_one_line(trajectory, told):
    assert repr(trajectory) == told
