"""A network is opened as it is: real shapes, skips cut and mended, fields computed as measured, guesses foretold."""

import base64
import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_networks import awake

from diffusion_lab import Exact, LocalExact, Toy, as_samples, noise
from diffusion_lab.anatomy import blocks, cut, draw, field, measured, pull, stored_blocks, weights, width, windows
from diffusion_lab.coursework.lessons.lesson_05 import SIGNS
from diffusion_lab.coursework.lessons.lesson_05 import WEIGHTS as COUNTED
from diffusion_lab.coursework.lessons.ward import ILLNESSES, PATIENTS, SABOTAGE, patient
from diffusion_lab.errors import LabError
from diffusion_lab.networks import MLP, ResidualBlock, UNet
from diffusion_lab.places import WEIGHTS
from diffusion_lab.recipes import photos, photos_no_skips
from diffusion_lab.worlds import icons

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network():
    return awake(UNet((8, 16, 24)))


@pytest.fixture(scope="module")
def toys():
    return {True: Toy.load("photos"), False: Toy.load("photos-no-skips")}


def test_blocks_are_what_the_network_makes(network):
    way = blocks(network, X, 60)
    assert [(b.name, b.channels, b.height) for b in way] == [
        ("picture", 3, 16), ("enter", 8, 16), ("first", 8, 16), ("down.0", 16, 8), ("down.1", 24, 4), ("look", 24, 4),
        ("middle", 24, 4), ("up.1", 16, 8), ("up.0", 8, 16), ("leave", 3, 16)]  # fmt: skip
    assert {b.name: b.skip for b in way if b.skip is not None} == {"first": 0, "down.0": 1, "up.1": 1, "up.0": 0}
    assert torch.equal(way[0].maps, X)
    assert torch.equal(way[-1].maps, network(X, torch.full((2,), 60)))
    assert sum(b.weights for b in way) + weights(network.context) == weights(network)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_cut_skip_is_a_skip_of_zeros_and_heals_bit_for_bit(network):
    t, before = torch.full((2,), 60), {name: p.clone() for name, p in network.state_dict().items()}
    whole = network(X, t)
    with torch.no_grad(), cut(network, [1]) as same:
        assert same is network and network.skips == [True, False]
        assert (network(X, t) - whole).abs().max() > 1e-3
    with pytest.raises(ZeroDivisionError), cut(network, (0, 1)):
        assert network.skips == [False, False]
        1 / 0  # noqa: B018
    assert network.skips == [True, True] and torch.equal(network(X, t), whole)
    assert all(torch.equal(p, before[name]) for name, p in network.state_dict().items())


@pytest.mark.parametrize("wrong", [lambda net: cut(net, [2]), lambda net: cut(net, [-1]), lambda net: cut(MLP()),
                                   lambda net: cut(net, ["0"])])  # fmt: skip
def test_what_cannot_be_cut_is_told(network, wrong):
    with pytest.raises(LabError, match="came"), wrong(network):
        pass
    assert network.skips == [True, True]


def test_only_the_courses_unet_and_a_folder_with_weights_are_opened(network, tmp_path):
    with pytest.raises(LabError, match="MLP came"):
        blocks(MLP(), X, 60)
    with pytest.raises(LabError, match="none are there"):
        stored_blocks(tmp_path)
    for wrong in (windows, lambda net: measured(net, "enter")):
        with pytest.raises(LabError, match="MLP came"):
            wrong(MLP())
    with pytest.raises(LabError, match="one of enter, first, down.0, .*, leave; 'down.2' came"):
        measured(network, "down.2", 16)
    with pytest.raises(LabError, match="from 0 to 7; 8 came"):
        pull(network, X, 60, margin=8)


@pytest.mark.parametrize("fault", ["cut", "another network", "no settings"])
def test_a_stored_unet_that_is_broken_or_another_is_told(tmp_path, fault):
    unet = tmp_path / "unet"
    unet.mkdir()
    save_file({"conv_in.weight": torch.zeros(4, 3, 3, 3)}, unet / "a.safetensors")
    settings = {"sample_size": 8, "block_out_channels": [4], "in_channels": 3}
    (unet / "config.json").write_text(json.dumps({} if fault == "no settings" else settings))
    if fault == "cut":
        (unet / "a.safetensors").write_bytes((unet / "a.safetensors").read_bytes()[:40])
    with pytest.raises(LabError, match="U-Net.* was expected in .*unet|weights was expected in .*a.safetensors"):
        stored_blocks(tmp_path)


def test_a_field_is_its_sum_and_what_the_gradient_measures(network):
    assert field([]) == 1 and field([(3, 1), (3, 1)]) == 5 and field([(3, 1), (2, 1), (3, 2)]) == 1 + 2 + 1 + 4
    steps = windows(network)
    names = [name for name, _, _ in steps]
    for name, pixels in (("enter", 3), ("first", 7), ("down.0", 16), ("down.1", 34), ("middle", 50)):
        last = len(names) - names[::-1].index(name)
        seen = measured(network, name, 64) > 0
        assert field([(m, jump) for _, m, jump in steps[:last]]) == pixels
        assert int(seen.any(0).sum()) == int(seen.any(1).sum()) == pixels


def test_pull_is_the_squared_gradient_around_a_pixel():
    blur = torch.nn.Conv2d(3, 3, 3, padding=1)
    around = pull(lambda x, t, condition: blur(x), X, 60)
    one = blur.weight.detach().sum(0).square().sum(0)                             # (3, 3)
    assert around.shape == (31, 31)
    torch.testing.assert_close(around[14:17, 14:17], one / one.sum())
    torch.testing.assert_close(pull(lambda x, t, condition: blur(x), X, 60, margin=7), around)  # one pixel tells all
    both = pull(lambda x, t, condition: torch.stack([x[0], x[1].roll(1, -1)]), X, 60)
    assert both[15, 15] == both[15, 14] == 0.5  # each picture counts: one looks at itself, one to its left
    assert width(around, 1.0) == 3 and width(torch.eye(5), 0.6) == 3 and width(torch.ones(5, 5), 0.01) == 1


def test_the_drawing_is_as_wide_as_channels_and_as_high_as_pixels(network):
    way = blocks(network, X, 60)
    html = draw(way, caption="a caption")._repr_html_()
    svg = base64.b64decode(re.search(r"svg\+xml;base64,([\w+/=]+)", html)[1]).decode()
    sizes = [(float(w), float(h)) for w, h in re.findall(r'<rect [^>]*width="([\d.]+)" height="([\d.]+)"', svg)]
    assert len(sizes) == len(way) == html.count("tabindex")
    for (w, h), block in zip(sizes, way, strict=True):
        assert w / block.channels == pytest.approx(sizes[1][0] / way[1].channels, rel=0.02)
        assert h / block.height == pytest.approx(sizes[1][1] / way[1].height, rel=0.02)
    assert svg.count("<path") == len(way) - 1 + 2  # from block to block, and two skips
    corners = [(float(x), float(y)) for x, y in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"', svg)]
    middles = {block.height: y + h / 2 for (_, y), (_, h), block in zip(corners, sizes, way, strict=True)}
    assert middles[16] < middles[8] < middles[4] and corners == sorted(corners, key=lambda corner: corner[0])
    wide, high = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    shares = re.findall(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%", html)
    for share, corner, size in zip(shares, corners, sizes, strict=True):  # a place lies over its block
        assert [float(s) / 100 for s in share] == pytest.approx(
            [corner[0] / wide, corner[1] / high, size[0] / wide, size[1] / high], abs=2e-3)
    assert re.findall(r"--dl-to:(-\d+%)", html) == ["-10%"] * 3 + ["-90%"] * 2  # words at the sides stay on the page
    assert '<rect width="100%" height="100%" fill="#ffffff"/>' in svg  # white in forced colours, too
    assert html.count("max-width:100%") >= 3  # and no wider than the page where styles are stripped
    assert "skip 0: 8 maps of 16 x 16 pixels" in svg and "skip 1: 16 maps of 8 x 8 pixels" in svg
    assert "down.0: 16 maps of 8 x 8" in html and "weights" not in html + svg
    assert "a caption" in html and 'alt="A U-Net' in html
    for part in (way[:1], way[:5]):  # a skip whose other end is not there is not drawn
        assert draw(part).svg.count("<rect") == 1 + len(part) and "skip" not in draw(part).svg
    named = draw([replace(block, name="a_long_name") for block in way]).svg
    ends = [float(x) for x in re.findall(r'<text x="([\d.]+)"', named)]
    assert min(ends) > 0.29 * 28 * len("a_long_name") and max(ends) < wide - 0.29 * 28 * len("a_long_name")
    with pytest.raises(LabError, match="one or more blocks were expected"):
        draw([])


def test_the_shapes_of_tiny_sd_are_read_without_loading_it():
    way = stored_blocks(WEIGHTS / "tiny_sd")
    assert [(b.name, b.channels, b.height, b.skip) for b in way] == [
        ("latent", 4, 16, None), ("conv_in", 64, 16, None), ("down_blocks.0", 64, 16, 0),
        ("down_blocks.1", 128, 8, None), ("mid_block", 128, 8, None), ("up_blocks.0", 128, 8, None),
        ("up_blocks.1", 64, 16, 0), ("conv_out", 4, 16, None)]  # fmt: skip
    stored = load_file(WEIGHTS / "tiny_sd/unet/diffusion_pytorch_model.safetensors")
    for block in way[1:]:
        assert block.weights == sum(p.numel() for name, p in stored.items() if name.startswith(f"{block.name}."))


# --- lesson 05 ---------------------------------------------------------------------------------------------------


def test_the_photos_toys_are_small_and_what_their_recipes_make(toys):
    for skips, recipe, folder in ((True, photos.RECIPE, "photos"), (False, photos_no_skips.RECIPE, "photos_no_skips")):
        assert toys[skips].config == recipe.config == photos.config(skips)
        assert toys[skips].network.skips == [skips] * 2
        assert (WEIGHTS / folder / "model.safetensors").stat().st_size <= 200_000
        assert recipe.steps == 400 and (WEIGHTS / folder / "README.md").exists()
    learned, unseen = as_samples(photos.patches()[0]).flatten(1), photos.unseen()
    assert learned.shape == (600, 3 * 32 * 32) and unseen.shape == (64, 3, 32, 32)
    assert torch.cdist(unseen.flatten(1), learned).min() > 1


def test_the_wrong_counts_of_a_block_are_those_that_their_sentences_speak_of():
    block = ResidualBlock(16, 24, 32)
    one, two = weights(block.conv1), weights(block.conv2)
    rest = weights(block) - one - two
    narrow, swapped = (3 * 16 + 1) * 24 + (3 * 24 + 1) * 24, weights(torch.nn.Conv2d(24, 16, 3))
    assert COUNTED.truth == weights(block) and rest == 2072
    assert set(COUNTED.wrong) == {one + two, one + two + rest - 48, 2 * one + rest, narrow + rest, 2 * one, one, two,
                                  one + rest, two + rest, one + two - 48, 2 * two + rest, swapped + two + rest}
    assert {5208, 5552, 7280, 8640} < set(COUNTED.wrong)


def test_skips_are_worth_decibels_at_little_noise_and_none_at_much(toys):
    record = json.loads((WEIGHTS / "photos/skips.json").read_text("utf-8"))
    assert tuple(record["t"]) == photos.TIMES
    runs = {(row["steps"], row["seed"], row["skips"]): row["dB"] for row in record["rows"]}
    assert len(runs) == 12 == len(record["rows"])
    for steps, apart in ((photos.SHORT, 1.9), (400, 3.0)):
        for k in (0, 1):  # t = 50 and 100: the worst with skips against the best without
            worst = min(runs[steps, seed, True][k] for seed in range(3))
            assert worst - max(runs[steps, seed, False][k] for seed in range(3)) >= apart, (steps, k)
        assert all(abs(runs[steps, s, True][4] - runs[steps, s, False][4]) < 0.5 for s in range(3))
    clean = photos.unseen(64)
    for skips, toy in toys.items():  # the shipped ones are the recorded ones of seed 0
        assert photos.quality(toy, clean, 50) == pytest.approx(runs[400, 0, skips][0], abs=0.1)


def test_a_guess_is_foretold_better_than_by_the_truth_and_by_reciting_where_there_is_much_noise():
    toy = Toy.load("icons")
    known, hidden = icons.sample(6000, 1, "train")[0], as_samples(icons.sample(8, 77)[0])
    truth = []
    for t in (60, 450, 650):
        x, net = photos.guesses(toy, hidden, t)
        alpha_bar = toy.schedule.alpha_bar(t)
        window, recited = (float((model.guess(x, alpha_bar) - net).square().mean() ** 0.5) for model in (
            LocalExact(known[:2000], {60: 3, 450: 5, 650: 9}[t], schedule=toy.schedule),
            Exact(known, schedule=toy.schedule)))
        truth.append(float((hidden - net).square().mean() ** 0.5))
        assert recited - window > 0.01
        assert truth[-1] - window > 0.01 or t == 60
    assert abs(window - 0.114) < 0.003 and truth == pytest.approx([0.048, 0.111, 0.158], abs=0.003)


def test_every_patient_of_the_ward_has_one_part_out_of_order(toys):
    assert set(PATIENTS.values()) == set(ILLNESSES) == set(SABOTAGE) == set(SIGNS)
    for listed in (ILLNESSES, SIGNS):  # who writes the list down in its order has none right
        assert all(a != b for a, b in zip(PATIENTS.values(), listed, strict=True))
    healthy, x = toys[True], noise((3, 32, 32), [1, 2])
    before = healthy.predict_noise(x, 50)
    guesses = [before, *(patient(number, healthy).predict_noise(x, 50) for number in PATIENTS)]
    assert all((a - b).abs().max() > 1e-2 for k, a in enumerate(guesses) for b in guesses[:k])
    assert torch.equal(healthy.predict_noise(x, 50), before)
    bed = {name: number for number, name in PATIENTS.items()}
    no_time = patient(bed["no time"], healthy)
    assert torch.equal(no_time.predict_noise(x, 500), healthy.predict_noise(x, 500))
    without = Toy(photos.config(skips=False), seed=0)
    without.network.load_state_dict(healthy.network.state_dict())
    assert torch.equal(guesses[bed["no skips"]], without.predict_noise(x, 50))
    plain = patient(bed["no normalisation"], healthy).network
    assert not any(isinstance(part, torch.nn.GroupNorm) for part in plain.modules())
    alone, whole = (toy.network.down[0] for toy in (patient(bed["nothing added"], healthy), healthy))
    h, context = noise((16, 8, 8), 3), noise((32,), 4)
    torch.testing.assert_close(alone(h, context), whole(h, context) - whole.bypass(h))
    with pytest.raises(LabError, match="from 1 to 4; 5 came"):
        patient(5, healthy)
