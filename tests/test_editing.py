"""Editing: what is kept is kept to the last bit, what is drawn anew is drawn as ever."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.pyplot import close
from PIL import Image

from diffusion_lab import Exact, Player, Toy, Trajectory, as_pictures, denoise, guided, noise
from diffusion_lab.coursework.lessons.band import far, predicted
from diffusion_lab.coursework.lessons.lesson_09 import PATIENTS, masked, put_back, verdict
from diffusion_lab.editing import (
    Edit,
    begin,
    blend,
    feathered,
    image_to_image,
    inpaint,
    keep,
    outpaint,
    seam,
    steps_of,
)
from diffusion_lab.errors import LabError
from diffusion_lab.mixing import add_noise
from diffusion_lab.protocol import Guess, Move
from diffusion_lab.recipes import editing as recipe
from diffusion_lab.sampling import SAMPLERS, ddim_step
from diffusion_lab.schedules import linear
from diffusion_lab.worlds import icons, scenes

SCHEDULE = linear()
PICTURES, CAPTIONS, _ = icons.sample(60, 0)
OTHERS, SIZE = icons.sample(8, 99)[0], icons.SIZE  # none of them is known to the exact denoiser
LEFT = np.zeros((SIZE, SIZE), dtype=bool)
LEFT[:, : SIZE // 2] = True
MODELS = {"exact": lambda: Exact(PICTURES, CAPTIONS), "icons": lambda: Toy.load("icons")}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_what_lies_outside_of_the_mask_is_kept_to_the_last_bit(model, sampler, strength):
    image = Image.fromarray(OTHERS[7])
    path = Trajectory.of(model.steps("circle", n=6, seed=[1, 2], sampler=sampler, edit=Edit(image, LEFT, strength)))
    known, new = model.encode(image)[0], torch.tensor(LEFT)
    for x0 in path.x0:
        assert torch.equal(x0[:, ~new], known[:, ~new])
        assert float((x0[:, new] - known[:, new]).abs().mean()) > 0.01
    assert len(path) == SAMPLERS[sampler].calls(steps_of(6, strength)) + 1 and path.recipe.strength == strength
    assert all(step.extras["proposal"].shape == step.x_t.shape for step in path[1:]) and not path[0].extras
    assert torch.equal(path[-1].extras["proposal"][:, :, new], path[-1].x_t[:, :, new])
    assert "circle" in Player(path)._repr_html_()


def test_on_the_way_the_kept_part_is_at_the_noise_of_its_step_with_the_noise_it_began_with(model):
    image, eps = Image.fromarray(OTHERS[7]), noise(model.shape, 5)
    path = list(model.steps("circle", n=6, seed=5, edit=Edit(image, LEFT)))
    assert torch.equal(path[0].x_t, eps)
    for step in path[1:]:
        expected = add_noise(model.encode(image), step.alpha_bar, eps)
        assert torch.equal(step.x_t[..., SIZE // 2 :], expected[..., SIZE // 2 :])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_all_of_the_path_with_no_mask_is_plain_drawing(model, sampler):
    how = dict(n=5, seed=[1, 2], sampler=sampler)
    plain = list(model.steps("circle", **how))
    for edit in (Edit(OTHERS[7]), Edit(OTHERS[7], np.ones((SIZE, SIZE)))):
        edited = list(model.steps("circle", **how, edit=edit))
        assert all(torch.equal(a.x_t, b.x_t) for a, b in zip(plain, edited, strict=True))


def test_a_weak_edit_stays_near_the_picture(model):
    image = Image.fromarray(OTHERS[7])
    known = model.encode(image)
    off = [float((Trajectory.of(model.steps("", n=20, seed=3, edit=Edit(image, strength=s))).x0 - known).abs().mean())
           for s in (0.1, 1.0)]  # fmt: skip
    assert 0 < off[0] < 0.6 * off[1]


def test_where_an_edit_begins():
    x0 = torch.ones(1, 2, 3, 3)
    x, timesteps = begin(x0, SCHEDULE, 10, 0.3, seed=[4, 5])
    assert timesteps == SCHEDULE.timesteps(10)[7:] == [299, 199, 99]
    assert torch.equal(x, add_noise(x0.expand(2, -1, -1, -1), SCHEDULE.alpha_bar(299), noise((2, 3, 3), [4, 5])))
    x, timesteps = begin(x0, SCHEDULE, 10, 1, seed=4)
    assert torch.equal(x, noise((2, 3, 3), 4)) and timesteps == SCHEDULE.timesteps(10)
    assert [steps_of(20, s) for s in (0.01, 0.05, 0.5, 0.99, 1)] == [1, 1, 10, 20, 20]
    assert torch.equal(begin(x0, SCHEDULE, 10)[0], noise((2, 3, 3), 0))
    assert begin(x0.double(), SCHEDULE, 10, 0.5, [1, 2])[0].dtype == torch.float64
    plain = Edit(OTHERS[7], strength=np.float32(0.5))
    assert (type(plain.strength), plain.mask, Edit(OTHERS[7]).strength) == (float, None, 1.0)


def test_a_mask_on_a_coarser_grid_has_the_mean_of_what_lies_under_it():
    mask = np.zeros((4, 6))
    mask[0, 0] = mask[2:, 2:4] = 1
    edit = Edit(np.zeros((4, 6, 3), np.uint8), mask)
    assert edit.on((8, 2, 3)).tolist() == [[[[0.25, 0, 0], [0, 1, 0]]]]


def test_a_rule_that_keeps_goes_into_the_loop_of_the_lesson():
    toy = Toy.load("icons")
    known, eps = toy.encode(Image.fromarray(OTHERS[3])), noise(toy.shape, 1)
    rule = keep(ddim_step, known, torch.tensor(LEFT), eps)
    path = list(denoise(guided(toy, "blue star"), toy.schedule, eps, toy.schedule.timesteps(8), rule))
    again = list(toy.steps("blue star", n=8, seed=1, edit=Edit(Image.fromarray(OTHERS[3]), LEFT)))
    assert torch.equal(path[-1].x0, again[-1].x0)


def test_a_soft_mask_blends_and_the_last_step_is_clean_at_the_schedule_s_own_end():
    known, eps, x = torch.full((1, 1, 1, 3), 4.0), torch.ones(1, 1, 1, 3), torch.full((1, 1, 1, 3), 8.0)
    mask = torch.tensor([[0.0, 0.25, 1.0]])
    rule = keep(lambda x_t, eps, a, b: x_t, known, mask, eps, final=0.9)
    for end in (0.9, 0.95):
        assert rule(x, eps, 0.5, end).x.flatten().tolist() == [4, 5, 8]
    kept = 0.6 * 4 + 0.8 * 1
    assert rule(x, eps, 0.2, 0.36).x.flatten().tolist() == pytest.approx([kept, 2 + 0.75 * kept, 8])
    broken = keep(lambda x_t, eps, a, b: x_t * float("nan"), known, mask, eps)(x, eps, 0.5, 1.0).x.flatten()
    assert broken[0] == 4 and broken[1:].isnan().all()


def deep(values: np.ndarray, mode: str) -> Image.Image:
    """A picture of one grey channel in a mode of Pillow's."""
    kind = {"L": np.uint8, "F": np.float32, "I": np.int32, "I;16": np.uint16}[mode]
    return Image.fromarray(values.astype(kind))


def test_a_mask_is_turned_with_its_picture_and_keeps_its_shades(tmp_path):
    lying = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (1, 1)))  # black, white, side by side
    exif = lying.getexif()
    exif[0x0112] = 6  # turn by a quarter
    for name in ("picture.png", "mask.png"):
        lying.save(tmp_path / name, exif=exif)
    edit = Edit(Image.open(tmp_path / "picture.png"), Image.open(tmp_path / "mask.png"))
    assert edit.image.size == (1, 2) and edit.mask.tolist() == [[0.0], [1.0]]
    ramp = np.array([[0, 16384, 65535]])
    assert Edit(Image.new("L", (3, 1)), deep(ramp, "I;16")).mask.tolist() == [pytest.approx([0, 0.25, 1], abs=1e-4)]
    assert Edit(Image.new("L", (3, 1)), deep(np.array([[0, 0.25, 1]]), "F")).mask.tolist() == [[0, 0.25, 1]]


def test_a_strength_is_written_down_as_a_plain_number(model, tmp_path):
    for strength in (np.float32(0.5), Fraction(1, 2), torch.tensor(0.5)):
        path = Trajectory.of(model.steps("circle", n=2, edit=Edit(OTHERS[7], strength=strength)))
        assert type(path.recipe.strength) is float
        assert Trajectory.load(path.save(tmp_path / "path.safetensors")).recipe.strength == 0.5


def test_what_a_rule_wants_to_be_seen_is_seen_beside_its_proposal():
    x, eps = torch.full((1, 2), 8.0), torch.ones(1, 2)
    rule = keep(lambda x_t, eps, a, b: Move(x_t / 2, {"a": x_t}), torch.zeros(1, 2), torch.ones(2), eps)
    path = list(denoise(lambda x_t, t: torch.zeros_like(x_t), SCHEDULE, x, [900, 500], rule))
    told = [{name: value.tolist() for name, value in step.extras.items()} for step in path]
    assert told == [{}, {"a": [[8, 8]], "proposal": [[4, 4]]}, {"a": [[4, 4]], "proposal": [[2, 2]]}]


def test_a_mask_may_be_a_picture_truths_or_shares():
    image = Image.fromarray(PICTURES[0])
    as_picture = Image.fromarray((LEFT * 255).astype(np.uint8))
    for mask in (as_picture, LEFT, torch.tensor(LEFT), LEFT.astype(np.float32)):
        assert torch.equal(Edit(image, mask).mask, torch.tensor(LEFT).float())
    with_grad = torch.tensor(LEFT).float().requires_grad_()
    for mask in (LEFT.astype(np.uint8), torch.tensor(LEFT).byte(), with_grad, LEFT.tolist(), deep(LEFT * 65535, "I;16"),
                 *(deep(LEFT * white, mode) for white in (1, 255) for mode in ("L", "F", "I", "I;16"))):  # fmt: skip
        assert torch.equal(Edit(image, mask).mask, torch.tensor(LEFT).float())
    half = Edit(image, LEFT).on((4, SIZE // 2, 1))
    assert half.shape == (1, 1, SIZE // 2, 1) and torch.equal(half, torch.full_like(half, 0.5))


@pytest.mark.parametrize("call", [
    lambda: Edit(PICTURES[0], LEFT[1:]), lambda: Edit(PICTURES[0], 3 * LEFT), lambda: Edit(PICTURES[0], LEFT[None]),
    lambda: Edit(PICTURES[0], -1.0 * np.ones((SIZE, SIZE))),
    lambda: Edit(PICTURES[0], strength=0), lambda: Edit(PICTURES[0], strength=1.1), lambda: Edit("picture.png"),
    lambda: Edit(PICTURES[0], strength="much"), lambda: begin(torch.zeros(1, 2), SCHEDULE, 10, float("nan")),
    lambda: keep(ddim_step, torch.zeros(1, 3, 4, 4), torch.ones(1, 1), torch.zeros(1, 3, 4, 4)),
    lambda: keep(ddim_step, torch.zeros(1, 3, 4, 4), torch.ones(2, 4, 4), torch.zeros(1, 3, 4, 4)),
    lambda: Toy.load("points").steps("ring", edit=Edit(PICTURES[0])), lambda: Edit(PICTURES[0], strength=None),
    lambda: begin(torch.zeros(3, 2), SCHEDULE, 10, 0.5, [1, 2]), lambda: Toy.load("icons").steps(edit=PICTURES[0]),
    lambda: keep(ddim_step, torch.zeros(2, 3, 4, 4), torch.ones(4, 4), torch.zeros(3, 3, 4, 4)),
    lambda: keep(ddim_step, torch.zeros(1, 3, 4, 4), "white", torch.zeros(1, 3, 4, 4)),
    *(lambda mask=mask: Edit(PICTURES[0], mask) for mask in (
        "white", [["1"] * SIZE] * SIZE, [[1], [1, 0]], LEFT * 1j, torch.ones(SIZE, SIZE, device="meta"),
        Image.new("RGBA", (SIZE, SIZE), (255, 255, 255, 0)), LEFT / 0.5, LEFT * float("nan"))),
    lambda: Edit(Image.new("RGB", (0, 5))), lambda: Edit(np.zeros((0, 5, 3), np.uint8)),
    lambda: Edit(PICTURES[0], strength=10**400), lambda: Edit(PICTURES[0], strength=np.True_),
    lambda: inpaint(Toy.load("icons"), "star", PICTURES[0], None), lambda: seam(PICTURES[0], None),
    lambda: Edit(PICTURES[0]).on((3, 4, 4)), lambda: image_to_image("icons", "star", PICTURES[0]),
    lambda: image_to_image(Toy.load("icons"), ["star", "heart"], PICTURES[0]), lambda: feathered(torch.ones(3, 3), -1),
    lambda: keep(ddim_step, torch.zeros(1, 3, 4, 4).int(), 0.5 * torch.ones(4, 4), torch.zeros(1, 3, 4, 4)),
    lambda: keep(ddim_step, np.zeros((1, 3, 4, 4)), torch.ones(4, 4), torch.zeros(1, 3, 4, 4)),
    lambda: keep(ddim_step, torch.zeros(1, 3, 4, 4), torch.ones(4, 4), None), lambda: Edit(PICTURES[0], np.array(1.0)),
    *(lambda shape=shape: Edit(PICTURES[0], LEFT).window(shape)
      for shape in ((3,), (3, 0, 4), "abc", None, (3, 4.5, 4))),
    lambda: Edit(PICTURES[0], LEFT).on((3,)), lambda: Edit(PICTURES[0], LEFT).within(None),
    *(lambda n=n: steps_of(n, 0.5) for n in ("3", 0, 2.5, None)), lambda: feathered(torch.ones(3), 1),
    lambda: feathered(None, 1), lambda: blend(torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.ones(5, 5)),
    lambda: blend(torch.ones(2, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.ones(4, 4)),
    lambda: blend(torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4), None),
    *(lambda final=final: keep(ddim_step, torch.zeros(1, 2), torch.ones(2), torch.zeros(1, 2), final)
      for final in ("x", None, 0, 2)),
])  # fmt: skip
def test_bad_input_is_one_sentence(call):
    with pytest.raises(LabError, match=".*came;|draws points") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_edited_picture_is_a_picture(model):
    (picture,) = as_pictures(Trajectory.of(model.steps("", n=3, edit=Edit(OTHERS[1], LEFT, 0.6))).x0)
    assert np.array_equal(np.asarray(picture)[:, SIZE // 2 :], OTHERS[1][:, SIZE // 2 :])


# --- a picture of any size -------------------------------------------------------------------------------------------

SIZES, SOFT = st.integers(1, 40), st.sampled_from([0.0, 0.0, 0.3, 1.0])


@settings(max_examples=60, deadline=None)
@given(width=SIZES, height=SIZES, drawn=st.tuples(SIZES, SIZES), feather=st.integers(0, 5), data=st.data())
def test_what_is_kept_is_kept_to_the_grey_level_whatever_the_size_and_the_mask(width, height, drawn, feather, data):
    dice = np.random.default_rng(data.draw(st.integers(0, 99)))
    image = dice.integers(0, 256, (height, width, 3), np.uint8)
    mask = np.zeros((height, width))
    w, h = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    x, y = data.draw(st.integers(0, width - w)), data.draw(st.integers(0, height - h))
    mask[y : y + h, x : x + w] = dice.choice([data.draw(SOFT), 1.0], (h, w))
    edit, new = Edit(image, mask), Image.fromarray(dice.integers(0, 256, (drawn[1], drawn[0], 3), np.uint8))
    try:
        left, top, right, bottom = edit.window((3, *drawn[::-1]))
    except LabError as error:
        scale = min(width / drawn[0], height / drawn[1])
        wide, high = (np.ptp(np.flatnonzero(mask.any(axis))) + 1 for axis in (0, 1))
        assert wide > max(1, round(scale * drawn[0])) or high > max(1, round(scale * drawn[1]))
        assert "\n" not in str(error) and "one window" in str(error)
        return
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    assert right - left == width or bottom - top == height
    assert not mask[: top].any() and not mask[bottom:].any() and not mask[:, :left].any() and not mask[:, right:].any()
    pasted = np.asarray(edit.paste(new, feather))
    assert pasted.shape == image.shape and np.array_equal(pasted[mask == 0], image[mask == 0])
    if feather == 0:
        fits = np.asarray(new.resize((right - left, bottom - top), Image.Resampling.LANCZOS))
        there = np.pad(fits, ((top, height - bottom), (left, width - right), (0, 0)))
        assert np.array_equal(pasted[mask == 1], there[mask == 1])


def test_a_feather_is_as_wide_in_the_picture_as_the_model_s_pixels_are():
    """Of a picture twice as large as what was drawn, a feather of 2 is 4 wide; a tiny one has fewer, or none."""
    mask = np.zeros((64, 64), bool)
    mask[:, 20:] = True
    for size, wide, feather in ((32, 4, 2), (32, 4, None), (64, 4, None), (16, 4, None), (8, 0, None)):
        white = Image.new("RGB", (size, size), "white")
        row = np.asarray(Edit(np.zeros((64, 64, 3), np.uint8), mask).paste(white, feather))[32, :, 0]
        assert row[:20].max() == 0 and (row[20 : 20 + wide] < 255).all() and (row[20 + wide :] == 255).all()
        assert row[20] == round(255 / (wide + 1))


def test_a_window_lies_in_the_middle_and_moves_only_as_far_as_the_mask_asks():
    def left(first, last):
        mask = np.zeros((10, 40))
        mask[3:5, first:last] = 1
        return Edit(np.zeros((10, 40, 3), np.uint8), mask).window((4, 8, 8))[::2]

    assert left(18, 22) == (15, 25) and left(15, 25) == (15, 25) and left(22, 30) == (20, 30)
    assert left(2, 9) == (2, 12) and left(39, 40) == (30, 40)
    assert Edit(np.zeros((10, 40, 3), np.uint8)).window((4, 8, 8)) == (15, 0, 25, 10)
    with pytest.raises(LabError, match="at most 10 pixels .*; one of 11 came"):
        left(0, 11)


def test_a_feather_grows_inwards_ring_by_ring():
    mask = torch.zeros(7, 9)
    mask[1:6, 2:] = 1
    assert torch.allclose(feathered(mask, 10**9) * (10**9 + 1), feathered(mask, 9) * 10)  # no ring is left to take away
    rows = feathered(mask, 2) * 3
    assert rows[3].tolist() == pytest.approx([0, 0, 1, 2, 3, 3, 3, 3, 3])  # no rim at the picture's own edge
    assert rows[1].tolist() == pytest.approx([0, 0] + [1] * 7)
    assert torch.equal(feathered(mask, 0), mask.double()) and torch.equal(feathered(mask.bool(), 2) * 3, rows)
    assert torch.equal(feathered(torch.full((3, 3), 0.5), 4), torch.full((3, 3), 0.5).double())


def test_the_seam_is_the_mean_step_across_the_border():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:, 2:] = 10
    picture[1, 1] = 4
    right, corner = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    right[:, 2:], corner[1, 1] = True, True
    assert seam(picture, right) == (10 + 6 + 10 + 10) / 4 and seam(picture, corner) == (4 + 4 + 4 + 6) / 4
    with pytest.raises(LabError, match="with a border"):
        seam(picture, np.ones((4, 4)))


def test_beyond_the_edge_its_outermost_column_stands_until_it_is_drawn():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    right, left = Edit.wider(image, 2), Edit.wider(image, -3)
    assert np.array_equal(np.asarray(right.image), np.concatenate([image, image[:, -1:], image[:, -1:]], axis=1))
    assert np.array_equal(np.asarray(left.image), np.concatenate([image[:, :1]] * 3 + [image], axis=1))
    assert right.mask.tolist() == [[0] * 4 + [1] * 2] * 2 and left.mask.tolist() == [[1] * 3 + [0] * 4] * 2
    assert np.array_equal(np.asarray(Edit.wider(image, 0).image), image)
    for none in (1.5, "96", 10**6):
        with pytest.raises(LabError, match="a number of columns"):
            Edit.wider(image, none)


def test_three_words_for_three_edits(model):
    image = Image.fromarray(OTHERS[7])
    whole = image_to_image(model, "circle", image, 0.5, seed=3)
    path = Trajectory.of(model.steps("circle", seed=3, edit=Edit(image, strength=0.5)))
    assert np.array_equal(whole, model.picture(path.x0)[0])
    path = Trajectory.of(model.steps("circle", edit=Edit(image, strength=0.6)))
    assert np.array_equal(image_to_image(model, "circle", image), model.picture(path.x0)[0])
    part = inpaint(model, "circle", image, LEFT, seed=3, sampler="ddpm")
    path = Trajectory.of(model.steps("circle", seed=3, sampler="ddpm", edit=Edit(image, LEFT)))
    assert np.array_equal(part, Edit(image, LEFT).paste(model.picture(path.x0)[0]))
    assert not np.array_equal(part, image)
    assert np.array_equal(np.asarray(part)[:, SIZE // 2 :], OTHERS[7][:, SIZE // 2 :])
    for by in (5, -5):
        wide = np.asarray(outpaint(model, "circle", image, by, seed=1))
        assert wide.shape == (SIZE, SIZE + 5, 3)
        assert np.array_equal(wide[:, -SIZE:] if by < 0 else wide[:, :SIZE], OTHERS[7])
        assert not np.array_equal(wide, np.asarray(Edit.wider(image, by).image))
    with pytest.raises(LabError, match="one window"):
        outpaint(model, "circle", image, SIZE + 1)


def test_a_part_of_a_large_picture_is_drawn_where_it_was_marked(model):
    large = np.kron(np.concatenate([OTHERS[1], OTHERS[2], OTHERS[3]], axis=1), np.ones((3, 3, 1), np.uint8))
    mask = np.zeros(large.shape[:2], bool)
    mask[10:30, -40:-2] = True
    new = np.asarray(inpaint(model, "circle", large, mask, seed=2))
    changed = (new != large).any(axis=2)
    assert changed[mask].mean() > 0.5 and not changed[~mask].any()
    nothing = inpaint(model, "circle", large, np.zeros_like(mask), seed=2)
    assert np.array_equal(nothing, large)
    with pytest.raises(LabError, match="one window"):
        inpaint(model, "circle", large, np.ones_like(mask))


# --- what is counted, and what lesson 09 draws -----------------------------------------------------------------------


def test_the_box_around_a_figure():
    figure = np.zeros((20, 30), bool)
    figure[8:11, 2:20] = True
    box = recipe.box_of(figure)
    assert np.argwhere(box)[0].tolist() == [2, 0] and np.argwhere(box)[-1].tolist() == [16, 25] and box.sum() == 15 * 26


def test_the_table_of_edits_counts_what_is_kept_and_what_is_read(monkeypatch):
    """Every edit draws white; the reader sees in the first of two pictures what was asked."""
    images, masks, _, labels = scenes.sample_with_masks(2, 3)
    asked, white = [], Image.new("RGB", (128, 128), "white")
    sd = SimpleNamespace(steps=lambda prompt, **how: asked.append(prompt) or iter([SimpleNamespace(x0=None)]),
                         picture=lambda x0: [white])  # fmt: skip
    monkeypatch.setattr(recipe, "look", lambda reader, pictures: ({"subject": [asked[0].split()[1], "nobody"]}, None))
    lines = list(recipe.replaced("subject", sd, None, images, masks, labels))
    assert [value for _, value in lines[:2]] == ["50%", "0"] and float(lines[2][1]) > 1
    for k, prompt in enumerate(asked):
        assert prompt.split()[1] != labels["subject"][k] and prompt.endswith(recipe.PLACES[labels["place"][k]])


def test_one_of_the_four_masks_is_healthy_and_the_others_are_as_sick_as_they_are_called():
    known, eps, mask = torch.full((1, 1, 1, 2), 3.0), torch.ones(1, 1, 1, 2), torch.tensor([[[[0.0, 1.0]]]])
    drawn = {name: masked(k, lambda x, t: Guess(torch.zeros_like(x)), SCHEDULE, known, mask, eps, 5).flatten().tolist()
             for k, name in PATIENTS.items()}  # fmt: skip
    *_, (_, last, _) = SCHEDULE.times(SCHEDULE.timesteps(5))
    assert drawn["healthy"][0] == 3 != drawn["healthy"][1] and drawn["inside out"][1] == 3 != drawn["inside out"][0]
    assert drawn["too noisy"][0] == pytest.approx(last**0.5 * 3 + (1 - last) ** 0.5) != 3
    assert drawn["forgotten"][0] != 3 and drawn["forgotten"][1] == drawn["healthy"][1]
    with pytest.raises(LabError, match="a patient from 1 to 4"):
        masked(5, None, SCHEDULE, known, mask, eps, 5)


def test_two_paths_show_the_guess_and_what_was_put_back(model):
    edit = Edit(OTHERS[7], LEFT)
    path, known = Trajectory.of(model.steps("circle", n=4, edit=edit)), model.encode(edit.image)
    free, pasted = put_back(path, known, edit.on(model.shape))
    new = torch.tensor(LEFT)
    for step, one, two in zip(path, free, pasted, strict=True):
        wanted = step.x0 if step.t != path[-1].t else path[-1].extras["proposal"]
        torch.testing.assert_close(one.x0, wanted)
        torch.testing.assert_close(two.x0[..., ~new], known[..., ~new], atol=2e-3, rtol=0)
        torch.testing.assert_close(two.x0[..., new], one.x0[..., new], atol=2e-3, rtol=0)


@pytest.mark.parametrize(("guess", "said"), [("a", "the places"), (" B", "the riders"), ("c", "both"), ("d", "neither"),
                                             (..., ""), ("", ""), ("ab", "")])  # fmt: skip
def test_a_guess_is_drawn_with_the_truth(guess, said):
    figure, alt, caption = predicted(guess, 7, 2)
    marked = [text.get_text() for text in figure.axes[0].texts if "your guess" in text.get_text()]
    assert len(marked) == {"the places": 1, "the riders": 1, "both": 2}.get(said, 0)
    assert "7 of 8 riders are new, 2 of 8 places" in caption and (f"Your guess: {said}." in alt) == bool(said)
    close(figure)


def test_a_strength_is_judged_by_what_is_new():
    said = [verdict(*one) for one in ((7, 8, 0.6), (8, 6, 0.5), (8, 7, 0.6), (8, 8, 0.7), (8, 8, 0.5), (8, 8, 0.8))]
    assert said == ["too weak", "places stay", "both", "both", "both", "too strong"]
    dark, light = np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 30, np.uint8)
    assert np.array_equal(far(dark, light), far(light, dark)) and far(dark, light).max() == 120
