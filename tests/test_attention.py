"""Where the words of a prompt act: read without changing anything, put back whatever happens, counted truly."""

import json
import re
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_lab import StableDiffusion, Trajectory, denoise, guided, noise
from diffusion_lab.coursework.lessons import focus
from diffusion_lab.coursework.lessons.lesson_07 import TOKENS, counted, decibels, in_its_order
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation import masks, psnr
from diffusion_lab.recipes import attention as recipe
from diffusion_lab.stable_diffusion.attention import (
    attend,
    attending,
    difference,
    finest,
    heat,
    looking,
    token_places,
    without,
)
from diffusion_lab.worlds import icons, scenes

PROMPT = "an astronaut riding a horse on mars"


@pytest.fixture(scope="module")
def sd():
    return StableDiffusion.load("tiny-sd", device="cpu")


def drawn(sd) -> torch.Tensor:
    return Trajectory.of(sd.steps(PROMPT, n=2, seed=0)).x0


def test_attention_is_a_softmax_over_the_tokens():
    q, k, v = (noise((n, 4), s)[0] for n, s in ((5, 1), (3, 2), (3, 3)))
    by_hand = torch.stack([(k @ one / 2).exp() / (k @ one / 2).exp().sum() for one in q]) @ v
    torch.testing.assert_close(attend(q, k, v), by_hand)
    torch.testing.assert_close(attend(q[None], k[None], v[None])[0], by_hand)
    torch.testing.assert_close(attend(q, k, torch.eye(3)).sum(1), torch.ones(5))
    for wrong in ((q, k[:, :3], v), (q, k, v[:2]), (q[None], k, v), (q[0], k[0], v[0]), (None, k, v)):
        with pytest.raises(LabError, match=r"q \(places, d\), .* came; "):
            attend(*wrong)


def test_looking_changes_no_bit_and_sees_every_layer_at_every_call(sd):
    before = drawn(sd)
    with looking(sd) as looks:
        assert torch.equal(drawn(sd), before)
    assert torch.equal(drawn(sd), before)
    assert len(looks) == 5 and {len(calls) for calls in looks.values()} == {2}
    assert sorted(calls[0].shape for calls in looks.values()) == [(2, 8, 8, 24)] * 3 + [(2, 16, 16, 24)] * 2
    for calls in looks.values():
        torch.testing.assert_close(calls[0].sum(-1), torch.ones(calls[0].shape[:3]))
    assert finest(looks).shape == (2, 16, 16, 24)


@pytest.mark.parametrize("listen", [looking, lambda sd: attending(sd, attend)])
def test_the_processors_are_back_in_their_places_also_by_an_error(sd, listen):
    unet, before = sd.pipeline.unet, dict(sd.pipeline.unet.attn_processors)
    hooks = len(unet._forward_pre_hooks)
    with pytest.raises(RuntimeError, match="torn"), listen(sd):
        assert unet.attn_processors != before
        raise RuntimeError("torn")
    assert unet.attn_processors == before and len(unet._forward_pre_hooks) == hooks


def test_what_is_looked_at_is_what_the_layers_compute_with(sd):
    """A layer's output made of its heat: mixing the values by it, with one head, is what the layer hands on."""
    seen = {}

    def kept(q, k, v):
        seen.setdefault(q.shape[1], []).append(attend(q, k, torch.eye(k.shape[1]).expand(len(k), -1, -1)))
        return attend(q, k, v)

    x, rows = noise(sd.shape, seed=3), sd.condition([PROMPT])
    with looking(sd) as looks:
        plain = sd.predict_noise(x, 500, rows)
    with attending(sd, kept):
        own = sd.predict_noise(x, 500, rows)
    torch.testing.assert_close(own, plain, atol=2e-5, rtol=1e-4)
    for places in (64, 256):
        listened = [calls[0] for calls in looks.values() if calls[0][0, ..., 0].numel() == places]
        for one, heads in zip(listened, seen[places], strict=True):
            torch.testing.assert_close(one.flatten(1, 2)[0], heads.mean(0), atol=1e-5, rtol=1e-4)
    with attending(sd, lambda q, k, v: 0 * attend(q, k, v)):
        assert (sd.predict_noise(x, 500, rows) - plain).abs().max() > 0.01


def test_who_looks_goes_on_looking_while_another_function_attends(sd):
    x, rows = noise(sd.shape, seed=3), sd.condition([PROMPT])
    with looking(sd) as plain:
        sd.predict_noise(x, 500, rows)
    with looking(sd) as looks, attending(sd, lambda q, k, v: 0 * q):
        none = sd.predict_noise(x, 500, rows)
    assert looks.keys() == plain.keys() and {len(calls) for calls in looks.values()} == {1}
    first = next(iter(plain))
    assert torch.equal(looks[first][0], plain[first][0])  # before any layer was changed
    with attending(sd, lambda q, k, v: 0 * q), looking(sd):
        assert torch.equal(sd.predict_noise(x, 500, rows), none)
    for wrong in (lambda q, k, v: q[:1], lambda q, k, v: None):
        with pytest.raises(LabError, match="what attention returns has the shape of q"), attending(sd, wrong):
            sd.predict_noise(x, 500, rows)
    with pytest.raises(LabError, match="a function of q, k and v was expected; 5 came"), attending(sd, 5):
        pass


def test_the_finest_is_a_mean_over_calls_of_one_shape(sd):
    calls = [torch.full((1, 4, 4, 3), value) for value in (1.0, 2.0, 6.0)]
    coarse = [torch.full((1, 2, 2, 3), 99.0)]
    assert torch.equal(finest({"a": coarse, "b": calls[:2], "c": calls[2:]}), torch.full((1, 4, 4, 3), 3.0))
    with pytest.raises(LabError, match="calls of one shape were expected"):
        finest({"a": [calls[0], calls[0].expand(2, -1, -1, -1)]})


def test_a_picture_of_another_size_is_looked_at_in_its_own_form(sd):
    with looking(sd) as looks:
        sd.predict_noise(noise((4, 16, 32), seed=0), 500, sd.condition([PROMPT]))
    assert {calls[0].shape[1:3] for calls in looks.values()} == {(8, 16), (16, 32)}
    with looking(sd) as looks:
        sd.predict_noise(noise((4, 15, 17), seed=0), 500, sd.condition([PROMPT]))
    assert {calls[0].shape[1:3] for calls in looks.values()} == {(8, 9), (15, 17)}  # a half is rounded up


def test_what_a_mask_hides_is_not_looked_at(sd):
    """Other pipelines mask rows: their shares are 0, and what is drawn is the layers' own."""
    x, rows, seen = noise(sd.shape, seed=3), sd.condition([PROMPT]), torch.ones(1, 24)
    seen[:, 9:] = 0
    with torch.no_grad():
        plain = sd.pipeline.unet(x, 500, rows, encoder_attention_mask=seen).sample
        with looking(sd) as looks:
            assert torch.equal(sd.pipeline.unet(x, 500, rows, encoder_attention_mask=seen).sample, plain)
    for (shares,) in looks.values():
        assert shares[..., 9:].max() < 1e-6 and shares[..., :9].min() >= 0
        torch.testing.assert_close(shares.sum(-1), torch.ones(shares.shape[:3]))


def test_heat_of_a_word_is_its_column_of_the_guided_pictures(sd):
    maps = heat(sd, PROMPT, "horse", n=2)
    with looking(sd) as looks:
        drawn(sd)
    assert set(maps) == set(looks)
    for layer, calls in looks.items():
        assert torch.equal(maps[layer], torch.stack([call[1, ..., 5] for call in calls]))
    pieces = heat(sd, PROMPT, "horse on", n=2)  # of two tokens: their mean
    for layer, calls in looks.items():
        torch.testing.assert_close(pieces[layer], torch.stack([call[1, ..., 5:7].mean(-1) for call in calls]))


def test_words_are_found_by_their_tokens(sd):
    assert token_places(sd, PROMPT, "horse") == [5] and token_places(sd, PROMPT, "horse on") == [5, 6]
    assert token_places(sd, "a cat and a dog", "a") == [1, 4]
    assert without(PROMPT, "horse") == "an astronaut riding a on mars" and without("a cat a dog", "a") == "cat dog"
    for call in (lambda: token_places(sd, PROMPT, "cat"), lambda: without(PROMPT, "cat")):
        with pytest.raises(LabError, match="a word of the prompt was expected, .*'cat' came"):
            call()
    with pytest.raises(LabError, match="a Stable Diffusion was expected"), looking(object()):
        pass
    with pytest.raises(LabError, match="a Stable Diffusion was expected"):
        token_places(object(), PROMPT, "horse")
    with pytest.raises(LabError, match="a prompt is text"):
        without(None, "horse")
    with pytest.raises(LabError, match="a seed is a whole number"):
        heat(sd, PROMPT, "horse", n=1, seed=[1, 2])
    with looking(sd) as looks:
        pass
    with pytest.raises(LabError, match="none came"):
        finest(looks)


def test_a_difference_is_that_of_two_guesses(sd):
    x, other = noise(sd.shape, [0, 1]), [without(PROMPT, "mars")] * 2
    found = difference(sd, x, 500, [PROMPT] * 2, other)
    pair = [sd.predict_noise(x, 500, sd.condition(words)) for words in ([PROMPT] * 2, other)]
    assert found.shape == (2, 16, 16) and torch.equal(found, (pair[0] - pair[1]).abs().mean(1))
    assert not difference(sd, x, 500, [PROMPT] * 2, [PROMPT] * 2).any()


def test_chance_is_what_random_heat_gives():
    true, generator = torch.zeros(32, 32, dtype=torch.bool), torch.Generator().manual_seed(0)
    true[4:14, 6:26] = True
    maps = torch.rand(400, 32, 32, generator=generator)
    point, cover = masks.by_chance(true)
    assert sum(masks.pointed(one, true) for one in maps) / 400 == pytest.approx(point, abs=0.05)
    assert sum(masks.overlap(one, true) for one in maps) / 400 == pytest.approx(cover, abs=0.01)
    assert masks.pointed(true.float(), true) and not masks.pointed(-true.float(), true)
    for one, mask in ((maps[0], true.byte() * 255), (maps[0], true.float()), (maps[0], true & False), (maps[0], None),
                      (maps[0, :16], true), (maps[0] * torch.nan, true), (maps[0].numpy(), true), (true, true),
                      (maps[0] * 1j, true)):  # fmt: skip
        for score in (masks.pointed, masks.overlap):
            with pytest.raises(LabError, match="was expected; .* came; "):
                score(one, mask)
    with pytest.raises(LabError, match="a mask of truth values"):
        masks.by_chance(true.byte() * 255)


def test_parts_are_what_was_drawn():
    images, parts, captions, labels = scenes.sample_with_parts(6, 9)
    again, mask, said, _ = scenes.sample_with_masks(6, 9)
    assert (images == again).all() and captions == said and parts.shape == (6, 128, 128)
    figure = (parts > 0) & (parts < scenes.PARTS.index("light"))
    assert ((mask > 127) == figure).mean() > 0.98 and (parts == scenes.PARTS.index("subject")).any((1, 2)).all()
    for start in (-1, 1.5, None, "x", True):
        with pytest.raises(LabError, match="a whole number"):
            scenes.sample_with_parts(1, 0, start=start)
        with pytest.raises(LabError, match="a whole number"):
            scenes.windows(1, 0, start=start)
    assert (scenes.sample_with_parts(torch.tensor(1), torch.tensor(9))[1] == parts[:1]).all()
    assert (scenes.sample_with_parts(2, 9, start=4)[1] == parts[4:]).all()
    for call in (lambda: scenes.windows(1, 0, width=10**9), lambda: scenes.windows(10**10, 0),
                 lambda: scenes.sample(10**10, 0), lambda: icons.sample(10**10, 0)):  # fmt: skip
        with pytest.raises(LabError, match="at most .* came; draw "):
            call()
    for one, ride in zip(parts, labels["ride"], strict=True):
        assert (one == scenes.PARTS.index("ride")).any() == (ride != "standing")


def test_a_prompt_loses_the_rows_that_are_taken_away(sd):
    assert recipe.rows_left(sd, PROMPT, ()) == list(range(24))
    assert recipe.rows_left(sd, PROMPT, ("mars", "after")) == list(range(7))
    scene = scenes.Scene("astronaut", "horse", "mars", "white", "brown")
    assert recipe.plain_prompt(scene) == PROMPT
    predict = guided(sd, PROMPT, guidance_scale=sd.guidance_scale)
    *_, last = denoise(predict, sd.schedule, noise(sd.shape, [3]), sd.schedule.timesteps(1))
    whole = recipe.drawn_without(sd, PROMPT, (), [3], n=1)
    torch.testing.assert_close(whole, last.x0, atol=1e-4, rtol=1e-4)
    assert (recipe.drawn_without(sd, PROMPT, ("horse",), [3], n=1) - whole).abs().max() > 0.01


def test_a_word_s_maps_are_read_while_its_prompt_is_whole(sd):
    """The calls without the word are no part of its heat: there another token stands in its place."""
    x, words = noise(sd.shape, [0, 1]), ["horse", "astronaut"]
    apart, maps = recipe.read(sd, x, 500, [PROMPT] * 2, words)
    with looking(sd) as looks:
        sd.predict_noise(x, 500, sd.condition([PROMPT] * 2))
    heats = finest(looks)
    assert torch.equal(maps, torch.stack([heats[0, ..., 5], heats[1, ..., 2]]))
    assert torch.equal(apart, difference(sd, x, 500, [PROMPT] * 2, [without(PROMPT, word) for word in words]))


def test_the_windows_that_are_counted_hold_one_rider_anywhere():
    windows = recipe.chosen(40)
    assert {len(one.figures) for one in windows} == {1} and not any(one.plain() for one in windows)
    assert "standing" not in {one.figures[0].ride for one in windows}


def test_the_maps_of_the_exercise_are_those_of_its_words():
    heat_of_all = torch.arange(24.0).expand(1, 1, 24)  # the number of each token
    found = [int(one) for one in in_its_order(heat_of_all, "a cat riding a skateboard in the city")]
    assert found == [8, 0, 2, 5] and list(TOKENS.values()) == ["city", "start", "cat", "skateboard"]


def test_heat_glows_where_it_is_hot_and_is_read_with_chance_beside():
    true, hot = torch.zeros(8, 8, dtype=torch.bool), torch.zeros(8, 8)
    true[:4, :4] = True
    hot[:4, :4] = 1
    sheet = np.asarray(focus.glow(np.zeros((8, 8, 3), np.uint8), hot, 80)).astype(int).sum(2)
    assert sheet[:30, :30].min() > 300 and sheet[50:].max() < 30
    lines = focus._read([hot, -hot], true)
    assert lines == [("attention: 25 %", "on it, overlap 100 %"), ("difference", "beside it, overlap 0 %"),
                     ("true mask", "by chance 14 %")]


def test_what_was_counted_is_what_a_few_windows_say(sd):
    """The record against the command's own functions on six of its windows; and what the lesson says of it."""
    record, few = counted(), recipe.scores(sd, 6)
    assert record["n"] == 240 and tuple(record["t"]) == recipe.TIMES
    for part, row in record["maps"].items():
        assert row["n"] >= 200 and abs(row["attention"][1] - few[part]["attention"][1]) < 0.15
        assert row["attention"][1] > row["one for all"][1] > row["chance"][1] - 0.01
        assert row["attention"][0] > row["difference"][0]
    gone = record["removed"]
    assert gone["place"]["place"] == 1 and gone["place and after"]["place"] < 0.25 and gone["ride"]["ride"] < 0.05


def test_decibels_are_those_of_the_package():
    images, *_ = scenes.sample(2, 4)
    x, y = torch.from_numpy(images).double() / 255
    assert float(decibels(x, y)) == pytest.approx(psnr(images[0], images[1]), abs=1e-4)


def test_the_lesson_says_what_was_counted():
    book = json.loads(next(Path(__file__).parents[1].glob("lessons/07_*.ipynb")).read_text("utf-8"))
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", [])]
    pages = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    record = counted()
    (said,) = re.findall(r"Counted in (\d+) scenes", pages)
    assert int(said) == record["n"]
    for part, row in record["maps"].items():
        attention = " and ".join(f"{100 * value:.0f}" for value in row["attention"])
        assert re.search(rf"{part}: chance [^;]*attention {attention}[;.]", pages), part
    share = record["removed"]["place and after"]["place"]
    assert re.search(rf"rows after it, too: ({100 * share:.0f} %|{record['drawn'] * share:.0f}\.)", pages)


def test_where_the_table_goes_is_asked_before_it_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "scores", lambda *_: pytest.fail("it was counted"))
    with pytest.raises(LabError, match="something that is no file is there"):
        recipe.evaluate(Namespace(n=2, drawn=2, out=tmp_path))
