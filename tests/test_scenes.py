"""The scenes world: the same seed gives the same picture, splits keep apart, captions say what is there."""

import re

import numpy as np
import pytest

from diffusion_lab import evaluation
from diffusion_lab.errors import LabError
from diffusion_lab.worlds import _scenes_words, scenes


def test_picture_k_depends_on_seed_and_k_alone():
    few, captions, labels = scenes.sample(3, 5)
    more, more_captions, _ = scenes.sample(5, 5)
    assert few.shape == (3, 128, 128, 3) and few.dtype == np.uint8
    assert np.array_equal(few, more[:3]) and captions == more_captions[:3]
    assert not np.array_equal(few, scenes.sample(3, 6)[0])
    assert set(labels) == {"subject", "ride", "place", "colour", "ride_colour"}
    later = scenes.sample_with_masks(2, 5, start=3)
    assert np.array_equal(later[0], more[3:]) and later[2] == more_captions[3:]


def test_the_splits_share_no_combination():
    train, held_out = set(scenes.COMBINATIONS["train"]), set(scenes.COMBINATIONS["held-out"])
    assert len(train) + len(held_out) == 8 * 4 * 6 and not train & held_out and len(held_out) >= 30
    assert ("penguin", "horse", "mars") in held_out
    assert ("astronaut", "horse", "mars") in train
    rng = np.random.default_rng(0)
    for split in ("train", "held-out"):
        chosen = {(s.subject, s.ride, s.place) for s in (scenes.choose(rng, split) for _ in range(2000))}
        assert chosen == set(scenes.COMBINATIONS[split])


def test_every_pair_of_words_is_seen_in_training():
    train = scenes.COMBINATIONS["train"]
    assert len({(s, r) for s, r, _ in train}) == 8 * 4
    assert len({(s, p) for s, _, p in train}) == 8 * 6
    assert len({(r, p) for _, r, p in train}) == 4 * 6


def test_an_unknown_split_is_named():
    with pytest.raises(LabError, match="'test' came"):
        scenes.sample(1, 0, "test")


def test_captions_hold_known_words_only_and_name_the_subject():
    rng, words = np.random.default_rng(1), set(scenes.known_words())
    longest, colours, places = 0, 0, 0
    for _ in range(3000):
        scene = scenes.choose(rng)
        text = scenes.caption(scene, rng).lower()
        found = re.findall(r"[a-z]+", text)
        assert set(found) <= words
        longest = max(longest, len(re.findall(r"[a-z]+|[.,]", text)))
        colours += scene.colour in found
        places += any(where in text for where in _scenes_words.WHERE[scene.place])
    assert longest <= 22  # with start and end it fits into the text encoder's 24 places
    assert 0.65 < colours / 3000 < 0.76 and 0.9 < places / 3000 < 0.96


@pytest.mark.parametrize(
    "prompt", ["A photo of an astronaut riding a horse on mars.", "a cat riding a skateboard", "snow", ""]
)
def test_the_course_prompts_are_in_the_world(prompt):
    assert set(re.findall(r"[a-z]+", prompt.lower())) <= set(scenes.known_words())


def test_a_description_names_everything():
    scene = scenes.Scene("astronaut", "horse", "mars", "orange", "white")
    assert scenes.describe(scene) == "an orange astronaut riding a white horse on mars"
    assert scenes.describe(scenes.Scene("cat", "standing", "snow", "grey", "none")) == "a grey cat standing in the snow"


def test_the_mask_covers_the_figure():
    images, masks, _, _ = scenes.sample_with_masks(40, 9)
    share = (masks > 127).mean((1, 2))
    assert share.min() > 0.06 and share.max() < 0.45
    assert images.std((1, 2, 3)).min() > 20
    assert masks[:, 0].max() == 0  # nobody's head is cut off at the top


def test_the_frechet_distance_of_gaussians():
    import torch

    generator = torch.Generator().manual_seed(0)
    a = torch.randn(20000, 4, generator=generator)
    b = 2 * torch.randn(20000, 4, generator=generator) + torch.tensor([3.0, 0, 0, 0])
    assert evaluation.frechet_distance(a, a) < 1e-6
    assert evaluation.frechet_distance(a, b) == pytest.approx(9 + 4 * 1, rel=0.05)  # |mu|^2 + sum (1 - 2)^2
    assert evaluation.frechet_distance(a, b) == pytest.approx(evaluation.frechet_distance(b, a), rel=1e-6)


def test_the_nearest_picture_is_found():
    images, _, _ = scenes.sample(6, 4)
    index, gap = evaluation.nearest(images[[4, 1]], images)
    assert index.tolist() == [4, 1] and gap.max() < 0.1
    assert evaluation.nearest(images[:1], images[1:])[1][0] > 5
    shifted = images.clip(0, 245) + np.uint8(10)
    assert evaluation.psnr(images.clip(0, 245), shifted) == pytest.approx(20 * np.log10(25.5), abs=1e-3)
