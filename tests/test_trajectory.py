"""The nouns: what a recipe makes of prompts and seeds, and how a path is told in one line."""

import copy
import gc
import json
import pickle
from contextlib import nullcontext
from dataclasses import asdict
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import player_paths as made
import pytest
import torch
from safetensors.torch import save_file

from diffusion_lab.errors import LabError
from diffusion_lab.mixing import add_noise
from diffusion_lab.noising import forward
from diffusion_lab.recipe import (
    as_asked,
    as_number,
    as_prompts,
    as_scale,
    as_seeds,
    as_share,
    as_strength,
    as_whole,
    shortened,
    told,
    words_of,
)
from diffusion_lab.schedules import linear
from diffusion_lab.trajectory import (
    FORMAT,
    ForwardSteps,
    Recipe,
    Step,
    Steps,
    Trajectory,
    arrived,
    in_float16,
    with_pictures,
)

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


def test_a_recipe_holds_plain_values():
    numbers = Recipe.of(MODEL, np.array(["a cat", "a dog"]), np.int64(3), n=np.int32(5), guidance_scale=np.float32(1.5),
                        negative_prompt=np.str_("snow"))  # fmt: skip
    assert numbers == Recipe("a model", ("a cat", "a dog"), (3, 3), "", 5, 1.5, "snow")
    assert json.loads(json.dumps(asdict(numbers)))["seed"] == [3, 3]
    kinds = [type(one) for one in (*numbers.prompt, *numbers.seed, numbers.n, numbers.guidance_scale)]
    assert kinds == [str, str, int, int, int, float] and type(numbers.negative_prompt) is str
    assert Recipe.of(MODEL, "a cat", torch.tensor([4, 5])).seed == (4, 5)


def test_the_largest_numbers_are_numbers_and_the_longest_words_are_cut():
    assert as_seeds([0, 2**63 - 1]) == (0, 2**63 - 1)
    assert [as_scale(most) for most in (-10_000, 10_000)] == [-10_000, 10_000]
    assert shortened("x" * 78) == repr("x" * 78) and shortened("x" * 79) == "'" + "x" * 76 + "..."
    assert shortened(np.array([[1], [2]])) == "array([[1], [2]])"
    assert (as_share(0, "", ""), as_share(1, "", ""), as_strength(1)) == (0, 1, 1)
    assert (as_whole(3, "", "", 3, 3), as_prompts(("a", "b")), as_asked(["a"])) == (3, ("a", "b"), ("a",))
    for wrong in (lambda: as_scale(10_001), lambda: as_whole(2, "", "", 3), lambda: as_whole(4, "", "", 3, 3),
                  lambda: as_share(1.01, "", ""), lambda: as_asked([]), lambda: as_seeds(b"7")):  # fmt: skip
        with pytest.raises(LabError):
            wrong()


@pytest.mark.parametrize(("call", "said"), [
    (lambda: as_whole(0, "n", "try 5"), "n is a whole number, 1 or more; 0 came; try 5"),
    (lambda: as_whole(9, "n", "try 5", 2, 8), "n is a whole number from 2 to 8; 9 came; try 5"),
    (lambda: as_number("x", "n", "try 5"), "n is a number; 'x' came; try 5"),
    (lambda: as_number(9, "n", "try 5", -1, 8.5), "n is a number from -1 to 8.5; 9 came; try 5"),
    (lambda: as_share(0, "n", "try 5", some=True), "n is a number above 0 and up to 1; 0 came; try 5"),
    (lambda: linear().times([]), "from static to picture; none came; "),
    (lambda: linear().times([1, 2]), "from static to picture; [1, 2] came; "),
    (lambda: linear().times([5, 4, 3, 2, 1, 0] * 2), "; [5, 4, 3, 2, 1, 0] and so on came; "),
    (lambda: linear(5), "the linear schedule's number of timesteps is a whole number from 21 to 100000; 5 came"),
])
def test_a_number_that_does_not_fit_is_told_with_its_reach(call, said):
    with pytest.raises(LabError) as told:
        call()
    assert said in str(told.value)


def test_a_recipe_tells_only_what_took_effect():
    asked = dict(prompt="a cat", seed=0, negative_prompt="snow")
    assert Recipe.of(MODEL, **asked, guidance_scale=1).negative_prompt == ""
    assert Recipe(guidance_scale=1.0, negative_prompt="snow").negative_prompt == ""
    assert Recipe.of(MODEL, **asked, guidance_scale=3) == Recipe("a model", ("a cat",), (0,), "", 0, 3.0, "snow")
    assert Recipe.of(MODEL, "a cat", 0, guidance_scale=0).guidance_scale == 0
    assert Recipe.of(MODEL, "a cat", 0, negative_prompt=None).negative_prompt == Recipe().title == ""
    ten = SimpleNamespace(name="ten", n=10, guidance_scale=1.0)
    assert [Recipe.of(ten, "a cat", 0, n=n).n for n in (None, 5)] == [10, 5] and Recipe.of(ten, "a cat", 0).n == 0


@pytest.mark.parametrize("wrong", [
    {"seed": True}, {"seed": 1.5}, {"seed": 2**63}, {"seed": "7"}, {"seed": [1, None]}, {"seed": np.float32(3)},
    {"guidance_scale": True}, {"guidance_scale": float("inf")}, {"guidance_scale": [2]}, {"negative_prompt": 7},
    {"guidance_scale": "7.5"}, {"guidance_scale": np.True_}, {"guidance_scale": torch.tensor(True)},
    {"guidance_scale": 1e308}, {"guidance_scale": 10**400}, {"guidance_scale": 1j}, {"negative_prompt": ["a", "b"]},
    {"prompt": "\ud800"}, {"negative_prompt": "\ud800"}, {"n": "ten"}, {"n": 2.5}, {"eta": 2}, {"strength": 0},
])  # fmt: skip
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(LabError, match="came; "):
        Recipe.of(MODEL, **{"prompt": "a cat", "seed": 0, **wrong})


def test_a_recipe_s_own_numbers_become_plain(tmp_path):
    recipe = Recipe("m", ["a"], np.array([3]), "ddpm", np.int64(5), Fraction(3, 2), eta=np.float32(0.5),
                    strength=torch.tensor(0.25))  # fmt: skip
    assert recipe == Recipe("m", ("a",), (3,), "ddpm", 5, 1.5, eta=0.5, strength=0.25)
    saved = Trajectory([arrived(torch.zeros(1, 2))], recipe).save(tmp_path / "path.safetensors")
    assert Trajectory.load(saved).recipe == recipe


@pytest.mark.parametrize("wrong", [{"model": 5}, {"sampler": None}, {"title": b"x"}, {"n": -1}, {"seed": (0.5,)},
                                   {"prompt": (1,)}, {"eta": "x"}, {"strength": 2}])
def test_a_recipe_of_other_kinds_is_refused(wrong):
    with pytest.raises(LabError, match="came"):
        Recipe(**wrong)


def test_a_recipe_of_a_later_edition_is_read():
    assert Recipe.from_dict({"model": "m", "prompt": ["a"], "weather": "fine"}) == Recipe("m", ("a",))


def test_a_step_is_copied_pickled_and_labelled_alike_everywhere():
    step = Step(torch.ones(1, 2), torch.zeros(1, 2), np.float32(0.5), 999.0, extras={"seen": torch.ones(1)})
    for again in (copy.deepcopy(step), pickle.loads(pickle.dumps(step))):
        assert torch.equal(again.x0, step.x0) and torch.equal(again.extras["seen"], torch.ones(1))
    assert (type(step.alpha_bar), type(step.t), step.t) == (float, int, 999)
    halfway = Step(step.x_t, step.eps, 0.5, torch.tensor(0.5))
    assert (type(halfway.t), halfway.t) == (float, 0.5)


def test_the_guess_without_the_prompt_has_an_x0_of_its_own():
    x, eps = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 4.0]])
    step = Step(x, eps, 0.36, 7, eps / 2)
    assert torch.allclose(step.x0, (x - 0.8 * eps) / 0.6) and torch.allclose(step.x0_uncond, (x - 0.4 * eps) / 0.6)
    assert Step(x, eps, 0.36, 7).x0_uncond is None


def test_a_path_decodes_while_its_model_lives():
    class Decoder:
        def decode(self, x):
            return x + 1

    model, steps = Decoder(), [arrived(torch.zeros(1, 2))]
    path, other = Trajectory(steps, decode=model.decode), Trajectory(steps, decode=torch.neg)
    assert path.decode(1) == 2 and other.decode is torch.neg and Trajectory(steps).decode is None
    del model
    gc.collect()
    assert path.decode is None and other.decode is torch.neg


def test_saved_and_loaded_a_path_is_the_same(tmp_path):
    x = torch.tensor([[1e6, 2.0], [float("nan"), -1.0]])
    steps = [Step(x, x / 4, 0.25, 7, x / 2, "correction", {"proposal": torch.ones(2, 2)}), arrived(torch.ones(2, 2))]
    path = Trajectory(steps, Recipe("a model", ("a cat",), (1,), "ddpm", 5, 2.0, title="DDPM, eta 0.5", eta=0.5))
    loaded = Trajectory.load(path.save(tmp_path / "new folder" / "path.safetensors"))
    assert loaded.recipe == path.recipe and loaded.alpha_bars == [0.25, 1.0] and not loaded.fixed
    first, told = loaded[0], (7, "correction", ["proposal"])
    assert (first.t, first.note, list(first.extras)) == told and torch.equal(first.extras["proposal"], torch.ones(2, 2))
    for kept, was in ((first.x_t, x), (first.eps, x / 4), (first.eps_uncond, x / 2)):
        assert torch.equal(kept.nan_to_num(3), was.nan_to_num(3))


def test_saved_and_loaded_a_forward_path_is_the_same(tmp_path):
    x0, eps = torch.tensor([[1.0, -0.5]]), torch.tensor([[0.25, 2.0]])
    steps, to_rgb = ForwardSteps(x0, eps, [np.float64(0.81), 0.36, 0.04], range(3)), torch.arange(9.0).view(3, 3)
    loaded = Trajectory.load(Trajectory(steps, Recipe("m"), to_rgb).save(tmp_path / "path.safetensors"))
    for path in (loaded, Trajectory(steps[:], Recipe("m"), to_rgb)):
        assert (path.fixed, path.direction, len(path), path.alpha_bars) == (True, "forward", 3, [0.81, 0.36, 0.04])
        assert path.steps.ts == [0, 1, 2] and torch.equal(path.to_rgb, to_rgb) and path.recipe == Recipe("m")
        assert torch.equal(path[1].x_t, add_noise(x0, 0.36, eps)) and torch.equal(path[1].eps, eps) and path[1].t == 1
        assert torch.allclose(path.x0, x0) and [type(a) for a in path.alpha_bars] == [float] * 3
    assert (steps[1:].alpha_bars, steps[1:].ts) == ([0.36, 0.04], [1, 2])
    seen = torch.full((1, 2, 2, 3), 9, dtype=torch.uint8)
    again = Trajectory.load(Trajectory(steps, pictures={1: seen}).save(tmp_path / "seen.safetensors"))
    assert again.fixed and torch.equal(again.pictures[1], seen)


def test_a_path_keeps_what_its_steps_know():
    known = Steps([arrived(torch.ones(1, 2))], Recipe("m"), torch.ones(3, 3), torch.neg)
    path = Trajectory.of(known)
    assert (path.recipe, path.decode) == (Recipe("m"), torch.neg) and torch.equal(path.to_rgb, torch.ones(3, 3))
    one, two = (torch.full((1, 2, 2, 3), value, dtype=torch.uint8) for value in (1, 2))
    more = with_pictures(with_pictures(path, {5: one, 2: one}), {3: two, 5: two})
    assert [(k, int(more.pictures[k].max())) for k in more.pictures] == [(2, 1), (3, 2), (5, 2)] and not path.pictures


@pytest.mark.parametrize(("values", "kind"), [
    ([0.0, 65504.0], torch.float16), ([0.0, 65505.0], torch.float32), ([0.0, -0.0], torch.float16),
    ([2.0**-14, 0.0], torch.float16), ([2.0**-15, 0.0], torch.float32), ([float("nan")], torch.float16),
    ([float("inf"), 1e6], torch.float32), ([float("inf"), 1.0], torch.float16), ([], torch.float16),
])  # fmt: skip
def test_samples_are_stored_in_half_where_that_holds_them(values, kind):
    given = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    kept = in_float16(given)
    assert kept.dtype == kind and torch.equal(kept.nan_to_num(7), given.detach().to(kind).nan_to_num(7))
    assert not kept.requires_grad
    assert in_float16(torch.arange(3)).dtype == torch.int64


def test_a_path_that_cannot_be_written_is_told_and_leaves_what_was_there(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(LabError, match="the disk refused"):
        Trajectory([arrived(torch.zeros(3, 2))]).save(tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_forward_path_is_told_apart_by_what_holds_its_steps():
    fixed = forward(torch.zeros(1, 2), linear(), range(0, 1000, 100))
    walked = Trajectory(list(fixed))
    assert (fixed.fixed, walked.fixed) == (True, False)
    assert fixed.direction == walked.direction == "forward" and fixed.alpha_bars == walked.alpha_bars
    clear, static = (Step(torch.full((1, 2), x), torch.zeros(1, 2), a, 0) for x, a in ((1.0, 0.81), (2.0, 0.16)))
    assert torch.equal(Trajectory([clear, static]).x0, clear.x0)  # what a walk began with
    assert torch.equal(Trajectory([static, clear]).x0, clear.x0)


def test_a_plain_generator_of_steps_is_a_path_too():
    path = Trajectory.of(iter([arrived(torch.ones(1, 2))]))
    assert len(path) == 1 and path.recipe == Recipe() and torch.equal(path.x0, torch.ones(1, 2))


def about(**changes) -> dict:
    """What a saved path of two steps says of itself, with something else said in it."""
    step = {"alpha_bar": 0.5, "t": 7, "note": ""}
    return {"forward": False, "recipe": {}, "steps": [step, {**step, "alpha_bar": 1.0, "t": -1}], **changes}


TENSORS = {f"{i}.{name}": torch.zeros(1, 2) for i in (0, 1) for name in ("x_t", "eps")}
ONE = {"alpha_bar": 0.5, "t": 7}


@pytest.mark.parametrize(("said", "tensors"), [
    ("{", {}), ("[" * 100_000, {}), ("[]", {}), (about(forward=None, steps=5), {}), (about(steps=None), {}),
    ({"steps": []}, {}), (about(steps=[5]), {}), (about(recipe=5), {}),
    (about(), {"0.eps": torch.zeros(1, 3)}), (about(steps=[{**ONE, "alpha_bar": "x"}]), {}),
    (about(steps=[{**ONE, "alpha_bar": 2}]), {}), (about(steps=[{**ONE, "t": None}]), {}),
    (about(steps=[ONE] * 3), {}), (about(), {"0.picture": torch.zeros(9, dtype=torch.uint8)}),
    (about(), {"0.picture": torch.zeros(1, dtype=torch.uint8)}), (about(), {"to_rgb": torch.zeros(4)}),
    (about(forward=True), {}), (about(forward=True, steps=[{**ONE, "t": None}]), {"x0": torch.zeros(1, 2),
                                                                                "eps": torch.zeros(1, 2)}),
])  # fmt: skip
def test_a_file_that_is_no_path_is_one_sentence(tmp_path, said, tensors):
    path = tmp_path / "path.safetensors"
    metadata = {"format": FORMAT, "trajectory": said if isinstance(said, str) else json.dumps(said)}
    save_file({**TENSORS, **tensors}, path, metadata=metadata)
    with pytest.raises(LabError, match="a saved trajectory was expected in .*cut short or broken") as told:
        Trajectory.load(path)
    assert "\n" not in str(told.value) and len(str(told.value)) < 700
    save_file(TENSORS, path, metadata={"format": FORMAT, "trajectory": json.dumps(about())})
    assert Trajectory.load(path).alpha_bars == [0.5, 1.0]


def test_of_a_long_forward_path_one_step_is_made_and_each_is_judged(tmp_path, monkeypatch):
    made, init = [], Step.__post_init__
    monkeypatch.setattr(Step, "__post_init__", lambda step: made.append(step) or init(step))
    steps = [{"alpha_bar": 1 - k / 1000, "t": k} for k in range(900)]
    for last, right in (({"alpha_bar": 0.05, "t": 900}, True), ({"alpha_bar": 2, "t": 900}, False)):
        path, said = tmp_path / "path.safetensors", about(forward=True, steps=[*steps, last])
        save_file({"x0": torch.zeros(1, 2), "eps": torch.zeros(1, 2)}, path,
                  metadata={"format": FORMAT, "trajectory": json.dumps(said)})
        made.clear()
        with nullcontext() if right else pytest.raises(LabError, match="share of signal"):
            assert Trajectory.load(path).alpha_bars[-1] == 0.05
        assert len(made) <= 1


def test_what_is_saved_can_be_loaded(tmp_path):
    """An extra that is called as the pictures are; small numbers; and more pictures than one WebP can hold."""
    extras = {"picture": torch.ones(1, 2), "0.picture": torch.zeros(1)}
    small = torch.tensor([[1e-9, -3e-9]])
    pictures = torch.zeros(33, 512, 8, 3, dtype=torch.uint8)
    pictures[32, 511, 7] = 200
    small = small.expand(33, 2)
    path = Trajectory([Step(small, small, 0.5, 7, extras=extras), arrived(torch.ones(33, 2))], pictures={1: pictures})
    loaded = Trajectory.load(path.save(tmp_path / "path.safetensors"))
    assert torch.equal(loaded[0].x_t, small) and list(loaded.pictures) == [1]
    assert sorted(loaded[0].extras) == ["0.picture", "picture"]
    assert loaded[0].extras["picture"].tolist() == [[1.0, 1.0]]
    assert torch.equal(loaded.pictures[1], pictures)
    assert loaded[0].x_t.dtype == loaded.x0.dtype == loaded[0].extras["picture"].dtype == torch.float32


@pytest.mark.parametrize("value", [5, None, np.ones(2), torch.eye(2).to_sparse(), torch.ones(2, device="meta")])
def test_an_extra_is_a_dense_tensor(value):
    with pytest.raises(LabError, match="an extra of a step is a dense tensor; 'seen'"):
        Step(torch.ones(1, 2), torch.zeros(1, 2), 0.5, 3, extras={"seen": value})


def test_a_path_of_a_later_edition_is_read(tmp_path):
    """What it says of its steps and we do not know is left out, as in its recipe."""
    later = about(steps=[{**step, "weather": "fine"} for step in about()["steps"]], weather="fine")
    metadata = {"format": FORMAT, "trajectory": json.dumps(later)}
    save_file({**TENSORS, "0.foo": torch.zeros(1)}, tmp_path / "path.safetensors", metadata=metadata)
    assert Trajectory.load(tmp_path / "path.safetensors").alpha_bars == [0.5, 1.0]


POINT, PICTURE = torch.zeros(1, 2), torch.zeros(1, 8, 8, 3, dtype=torch.uint8)


@pytest.mark.parametrize("pictures", [PICTURE.float(), PICTURE.numpy(), PICTURE[0], PICTURE[:, :0], PICTURE[..., :1],
                                      PICTURE.expand(2, 8, 8, 3), None])
def test_pictures_that_are_none_are_refused_and_nothing_is_written(tmp_path, pictures):
    with pytest.raises(LabError, match=r"decoded pictures uint8 \(1, H, W, 3\), .* were expected at step 0; .* came;"):
        Trajectory([arrived(POINT)], pictures={0: pictures}).save(tmp_path / "path.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", [
    lambda: Trajectory(None), lambda: Trajectory([None]), lambda: Trajectory.of("abc"), lambda: Trajectory.of(5),
    lambda: Trajectory([arrived(POINT)], None), lambda: Trajectory([arrived(POINT)], {"model": "m"}),
    lambda: Trajectory([arrived(POINT)], to_rgb=5), lambda: Trajectory([arrived(POINT)], to_rgb=[[1, 2]]),
    lambda: Trajectory([arrived(POINT)], to_rgb="rgb"), lambda: Trajectory([]).x0, lambda: Trajectory([]).direction,
    lambda: Step(POINT.long(), POINT, 0.5, 1), lambda: Step(POINT, POINT.bool(), 0.5, 1),
    lambda: Step(POINT + 0j, POINT + 0j, 0.5, 1), lambda: Step(POINT.to_sparse(), POINT, 0.5, 1),
    lambda: Step(POINT, POINT, 0.5, 1, POINT.long()), lambda: Step(POINT, POINT, 0.5, 1, note=5),
    lambda: Step(POINT, POINT, 0.5, 1, note="\ud800"), lambda: Step(POINT, POINT, 0.5, 1, extras={"\ud800": POINT}),
    lambda: Step(POINT, POINT, 0.5, 1, extras={5: POINT}),
])  # fmt: skip
def test_what_is_no_path_and_no_step_is_one_sentence(call):
    with pytest.raises(LabError, match="came;") as told:
        call()
    assert "\n" not in str(told.value)


def test_a_path_keeps_what_an_iterator_gave_it_once(tmp_path):
    path = Trajectory(iter([arrived(POINT)]), to_rgb=[[1, 0, 0], [0, 0, 0]])
    loaded = Trajectory.load(path.save(tmp_path / "path.safetensors"))
    assert len(path) == len(loaded) == 1 and loaded.to_rgb.tolist() == [[1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("prompt", "words"), [
    ("A red circle!", ["a", "red", "circle"]), ('"red"-(circle),\tCAT\u2019s ...', ["red", "circle", "cat", "s"]),
    ("a \U0001f431 on mars", ["a", "\U0001f431", "on", "mars"]), ("cat\u2605", ["cat\u2605"]),
    ("2 + 2", ["2", "+", "2"]), ("a \\cat, red_circle & #7", ["a", "\\cat", "red_circle", "&", "#7"]),
    ("\u200bcat", ["\u200bcat"]), ("\u2026 \u3001\xa0", []), ("", []), ("e\u0301t\xe9", ["e\u0301t\xe9"]),
])  # fmt: skip
def test_words_stand_between_spaces_and_punctuation(prompt, words):
    assert words_of(prompt) == words


def test_unknown_words_are_told_on_one_line_and_not_whole():
    assert told(["cat", "\u200bx", "a\nb"]) == r"'cat', '\u200bx', 'a\nb'"
    assert len(told(["x" * 20_000] * 20_000)) < 700 and told(["x"] * 10).endswith("'x' and 2 more")
