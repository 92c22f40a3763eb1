"""The nouns: what a recipe makes of prompts and seeds."""

from types import SimpleNamespace

import numpy as np
import pytest

from diffusion_lab.errors import LabError
from diffusion_lab.trajectory import Recipe

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
