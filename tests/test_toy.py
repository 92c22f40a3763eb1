"""The toys: they load, they say which words they know, they draw what they were asked for, and training makes one."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from diffusion_lab import worlds
from diffusion_lab.__main__ import main
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation.icons import obeyed, read, reader
from diffusion_lab.places import WEIGHTS, find_model, own_model
from diffusion_lab.recipes import icons as icons_recipe
from diffusion_lab.recipes import points as points_recipe
from diffusion_lab.recipes._toys import STATE
from diffusion_lab.sampling import SAMPLERS
from diffusion_lab.toy import Toy
from diffusion_lab.training import Checkpoint, train
from diffusion_lab.worlds import icons, points

RECIPES = {"icons": icons_recipe.RECIPE, "points": points_recipe.RECIPE}


@pytest.fixture(scope="module")
def toys():
    return {name: Toy.load(name) for name in RECIPES}


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_shipped_is_what_the_recipe_makes_and_small(toys, name):
    assert toys[name].config == RECIPES[name].config
    assert sum(file.stat().st_size for file in (WEIGHTS / name).iterdir()) <= 500_000
    assert {file.name for file in (WEIGHTS / name).iterdir()} == {"config.json", "model.safetensors", "README.md"}


@pytest.mark.parametrize("name", RECIPES)
def test_saved_and_loaded_it_is_the_same_toy(toys, name, tmp_path):
    again = Toy.load(toys[name].save(tmp_path / "mine"))
    assert again.config == toys[name].config
    for (key, a), b in zip(toys[name].network.state_dict().items(), again.network.state_dict().values(), strict=True):
        assert torch.equal(a, b), key


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left")])
def test_what_breaks_off_a_saving_leaves_the_toy_that_was_there(toys, tmp_path, monkeypatch, stop):
    toys["points"].save(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def breaks_off(*_, **__):
        raise stop
    monkeypatch.setattr("pathlib.Path.write_text", breaks_off)  # the second of the two files
    with pytest.raises((KeyboardInterrupt, LabError)):
        toys["icons"].save(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_icons_toy_obeys_colour_and_shape(toys):
    """A hundred pictures of each kind; `evaluate icons` prints the figures of 500."""
    network = reader()
    images, _, labels = icons.sample(300, seed=99)
    assert read(network, worlds_samples(images), labels)["both"] >= 0.99
    assert obeyed(toys["icons"], network, "train", 100, 3.0)["both"] >= 0.95
    assert obeyed(toys["icons"], network, "held-out", 100, 3.0)["both"] >= 0.80
    untrained = icons_recipe.RECIPE.untrained()
    assert obeyed(untrained, network, "train", 100, 3.0)["both"] <= 0.20  # the reader does not say yes to everything


def test_evaluate_prints_the_ceiling_and_every_figure(capsys):
    icons_recipe.evaluate(argparse.Namespace(model="icons", pictures=12))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and "ceiling" in lines[1]
    assert all(line.count("%") == 3 for line in lines[1:])


def worlds_samples(images: np.ndarray) -> torch.Tensor:
    return torch.tensor(images).permute(0, 3, 1, 2) / 127.5 - 1


@pytest.mark.parametrize("kind", points.KINDS)
def test_the_points_toy_draws_each_cloud(toys, kind):
    *_, last = toys["points"].steps(kind, n=50, seed=list(range(400)))
    real = torch.tensor(points.sample(6000, 9, kinds=kind)[0])
    away = torch.cdist(last.x0, real).min(dim=1).values > 0.1
    assert away.float().mean() <= 0.06                                          # no dust between the clouds
    covered = torch.cdist(real[:400], last.x0).min(dim=1).values < 0.2
    assert covered.float().mean() >= 0.95                                       # and no part of a cloud is lost
    for other in set(points.KINDS) - {kind}:
        cloud = torch.tensor(points.sample(6000, 9, kinds=other)[0])
        assert (torch.cdist(last.x0, cloud).min(dim=1).values > 0.1).float().mean() > 0.2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_arrives_at_the_ring(toys, sampler):
    *_, last = toys["points"].steps("ring", n=20, seed=list(range(300)), sampler=sampler)
    real = torch.tensor(points.sample(6000, 9, kinds="ring")[0])
    assert (torch.cdist(last.x0, real).min(dim=1).values > 0.1).float().mean() <= 0.10


def test_a_toy_begins_with_a_trace_of_signal(toys):
    """Nearly static, but never so nearly that a small difference of two guesses becomes a large one."""
    bars = toys["icons"].schedule.alpha_bars
    assert 4e-5 <= bars[-1] < 5e-5 and (bars.diff() < 0).all() and bars[0] > 0.9999


def test_words_are_switches(toys):
    toy = toys["icons"]
    rows = toy.condition(["a red circle", "", "(Circle; RED!)", "blue"])
    assert rows.shape == (4, 12) and rows.sum(dim=1).tolist() == [2, 0, 2, 1]
    assert torch.equal(rows[0], rows[2]) and rows[0, toy.words.index("red")] == 1


def test_unknown_words_are_named_with_the_known_ones(toys):
    with pytest.raises(LabError, match="'pink', 'dragon'; write only words that it knows: red, orange, .*moon"):
        toys["icons"].condition(["a pink dragon on a square"[:13]])
    with pytest.raises(LabError, match="'saturn'; write only words that it knows: moons, spiral, ring, pixels"):
        toys["points"].steps("saturn")


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40))
def test_any_prompt_is_understood_or_told(prompt):
    toy = icons_recipe.RECIPE.untrained()
    try:
        row = toy.condition([prompt])
    except LabError as told:
        assert "it knows: red" in str(told)
    else:
        assert row.shape == (1, 12) and set(row.unique().tolist()) <= {0.0, 1.0}


def test_a_wrong_shape_is_told(toys):
    with pytest.raises(LabError, match=r"\(B, 3, 16, 16\) were expected; \(1, 3, 8, 8\) came"):
        toys["icons"].predict_noise(torch.zeros(1, 3, 8, 8), 5)
    for t in (-1, 1000, 2.5, True):
        with pytest.raises(LabError, match="whole number from 0 to 999"):
            toys["icons"].predict_noise(torch.zeros(1, 3, 16, 16), t)


def test_pictures_in_and_out(toys):
    drawing = Image.fromarray(icons.sample(1, 0)[0][0])
    x0 = toys["icons"].encode(drawing)
    assert x0.shape == (1, 3, 16, 16) and -1 <= x0.min() and x0.max() <= 1
    np.testing.assert_array_equal(np.asarray(toys["icons"].picture(x0)[0]), np.asarray(drawing))
    assert toys["icons"].encode(Image.new("L", (99, 40))).shape == (1, 3, 16, 16)
    with pytest.raises(LabError, match="points draws points"):
        toys["points"].encode(drawing)
    with pytest.raises(LabError, match="points draws points"):
        toys["points"].picture(torch.zeros(1, 2))


def copy_of(name: str, folder) -> str:
    return str(shutil.copytree(WEIGHTS / name, folder / "copy"))


@pytest.mark.parametrize("part", ["config.json", "model.safetensors"])
def test_a_missing_part_is_named(tmp_path, part):
    folder = copy_of("points", tmp_path)
    os.remove(os.path.join(folder, part))
    told = "config.json .* a folder without these" if part == "config.json" else f"{part} is missing in"
    with pytest.raises(LabError, match=told):
        Toy.load(folder)


def spoil_config(folder, **changes):
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config = json.load(file)
    with open(path, "w") as file:
        json.dump({**config, **changes}, file)


def cut_weights(folder):
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb+") as file:
        file.truncate(os.path.getsize(path) // 2)


def lose_a_tensor(folder):
    path = os.path.join(folder, "model.safetensors")
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, path)


def not_finite(folder):
    path = os.path.join(folder, "model.safetensors")
    tensors = load_file(path)
    save_file(tensors | {"leave.bias": torch.full_like(tensors["leave.bias"], float("inf"))}, path)


def no_json(folder):
    with open(os.path.join(folder, "config.json"), "wb") as file:
        file.write(b"\xff{")


WRONG_SHAPES = ("abc", [3, -1, 16], [], [2, 2], 5, [2.0], [3], [3, 16, 16], [3, 10**6, 10**6])


@pytest.mark.parametrize("spoil", [
    cut_weights, lose_a_tensor, not_finite, no_json,
    lambda folder: spoil_config(folder, words=["one"]), lambda folder: spoil_config(folder, network="GAN"),
    lambda folder: spoil_config(folder, network="math"), lambda folder: spoil_config(folder, schedule="steep"),
    lambda folder: spoil_config(folder, target="score"), lambda folder: spoil_config(folder, arguments={"deep": 3}),
    *(lambda folder, shape=shape: spoil_config(folder, shape=shape) for shape in WRONG_SHAPES),
    lambda folder: spoil_config(folder, words=["ring", "ring"]), lambda folder: spoil_config(folder, words="ring"),
    lambda folder: spoil_config(folder, name=5), lambda folder: spoil_config(folder, guidance_scale=None),
    lambda folder: spoil_config(folder, schedule=["cosine"]), lambda folder: spoil_config(folder, network=5),
])  # fmt: skip
def test_a_damaged_toy_is_told_in_one_sentence(tmp_path, spoil):
    folder = copy_of("points", tmp_path)
    spoil(folder)
    with pytest.raises(LabError, match="cut short or broken|do not fit") as told:
        Toy.load(folder)
    assert "\n" not in str(told.value)


def test_a_toy_that_cannot_be_written_leaves_nothing(tmp_path, toys):
    toy = Toy(toys["points"].config | {"guidance_scale": np.float32(2)}, toys["points"].network)
    assert Toy.load(toy.save(tmp_path / "numpy")).guidance_scale == 2.0
    toy.config["notes"] = object()
    with pytest.raises(LabError, match="object is no number, text or list"):
        toy.save(tmp_path / "object")
    assert [folder.name for folder in tmp_path.iterdir()] == ["numpy"]


def test_a_config_without_a_setting_is_told(toys):
    config = {name: value for name, value in toys["points"].config.items() if name != "schedule"}
    with pytest.raises(LabError, match="; schedule is missing; add it"):
        Toy(config)


def test_weights_too_large_for_float16_are_kept(tmp_path):
    toy = points_recipe.RECIPE.untrained()
    with torch.no_grad():
        toy.network.leave.bias.fill_(1e6)
        toy.network.enter.bias.fill_(1e-9)
    toy.save(tmp_path)
    again, kept = Toy.load(tmp_path).network, load_file(tmp_path / "model.safetensors")
    assert again.leave.bias.tolist() == [1e6, 1e6] and again.enter.bias.unique().tolist() == pytest.approx([1e-9])
    assert (kept["leave.bias"].dtype, kept["leave.weight"].dtype) == (torch.float32, torch.float16)


@pytest.mark.parametrize(("how", "captions"), [
    ({"batch": 0}, 4), ({"batch": 1.5}, 4), ({"dropout": 2.0}, 4), ({"dropout": float("nan")}, 4),
    ({"dropout": "x"}, 4), ({}, 5), ({}, 3),
])  # fmt: skip
def test_what_no_step_can_learn_from_is_refused(toys, how, captions):
    with pytest.raises(LabError, match="came; "):
        toys["icons"].loss(worlds.icons.sample(4, 0)[0], ["red circle"] * captions, **how)


def test_no_such_toy():
    known = "icons, icons-two-calls, points, .*"
    with pytest.raises(LabError, match=f"a model is one of {known} or a folder; 'dragons' came"):
        Toy.load("dragons")


def test_a_toy_learns_from_a_few_steps():
    recipe = icons_recipe.RECIPE
    toy = recipe.untrained()
    images, captions, _ = worlds.icons.sample(200, 0, "train")
    loss = toy.loss(images, captions, batch=16)
    losses = [progress.loss for progress in train(toy.network, loss, 30)]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:4])


def test_a_toy_hears_no_caption_now_and_then_and_misses_words_as_often():
    """Of two words each is missing in a tenth; all of the caption in a tenth more (and where both words miss)."""
    toy, heard = icons_recipe.RECIPE.untrained(), []
    images, _, _ = worlds.icons.sample(4, 0)

    def network(x_t, t, condition):
        heard.append(condition)
        return x_t

    toy.loss(images, ["red circle"] * 4, batch=4000, dropout=0.1)(network, torch.Generator().manual_seed(0))
    both, one, none = ((heard[0].sum(dim=1) == k).float().mean().item() for k in (2, 1, 0))
    assert (both, one, none) == pytest.approx((0.9 * 0.81, 0.9 * 0.18, 0.1 + 0.9 * 0.01), abs=0.02)


def test_the_same_seed_makes_the_same_untrained_toy_and_leaves_torch_alone():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    a, b = (points_recipe.RECIPE.untrained() for _ in range(2))
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(x, y) for x, y in zip(a.network.parameters(), b.network.parameters(), strict=True))


def command(*arguments: str, **how) -> subprocess.CompletedProcess:
    """`train` in a process of its own."""
    return subprocess.run([sys.executable, "-m", "diffusion_lab", "train", *arguments], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}, timeout=240,
                          **how)  # fmt: skip


def here(capsys, *arguments: str) -> tuple[int, str, str]:
    """`train` in this process, which spares the seconds of starting one: its exit code, output and complaint."""
    code = main(["train", *arguments])
    return code, *capsys.readouterr()


def test_the_command_trains_a_toy_that_loads(tmp_path, capsys):
    out = tmp_path / "mine"
    done = command("points", "--steps", "3", "--out", str(out))
    assert done.returncode == 0 and "trained in 3 steps" in done.stdout, done.stderr
    assert {file.name for file in out.iterdir()} == {"config.json", "model.safetensors"}
    assert Toy.load(out).name == "points"
    code, _, told = here(capsys, "points", "--steps", "3", "--out", str(out))
    assert code != 0 and "holds a model already" in told and "Traceback" not in told
    code, _, told = here(capsys, "points", "--resume", "--out", str(tmp_path / "new"))
    assert code != 0 and "leave --resume out" in told


def test_a_stopped_command_goes_on(tmp_path, capsys):
    """Stopped after seven steps, then resumed by the command, the toy is the one that was never stopped."""
    cut, recipe = tmp_path / "cut", points_recipe.RECIPE
    toy = recipe.untrained()
    for progress in recipe.train(toy, 20, Checkpoint(cut / STATE, every_seconds=1e9)):
        if progress.step == 7:
            break
    whole = recipe.untrained()
    *_, last = recipe.train(whole, 20)
    code, _, told = here(capsys, "points", "--steps", "20", "--out", str(cut))
    assert code != 0 and "add --resume" in told
    assert here(capsys, "points", "--steps", "20", "--out", str(cut), "--resume")[0] == 0
    resumed = load_file(cut / "model.safetensors")
    assert all(torch.equal(value.half(), resumed[key]) for key, value in last.ema.state_dict().items())


@pytest.mark.skipif(os.name == "nt", reason="limits the size of files, which only POSIX can")
def test_a_full_disk_is_one_sentence_and_leaves_the_checkpoint_whole(tmp_path):
    """The system itself refuses to write a file longer than 100 kB, as a full disk would."""
    import resource

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))

    recipe = points_recipe.RECIPE
    for progress in recipe.train(recipe.untrained(), 20, Checkpoint(tmp_path / STATE, every_seconds=1e9)):
        if progress.step == 7:
            break
    before = (tmp_path / STATE).read_bytes()
    assert len(before) > 100_000
    done = command("points", "--steps", "9", "--out", str(tmp_path), "--resume", preexec_fn=no_room)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "the disk refused" in done.stderr.splitlines()[-1] and "make room" in done.stderr.splitlines()[-1]
    assert [file.name for file in tmp_path.iterdir()] == [STATE] and (tmp_path / STATE).read_bytes() == before


def test_a_toy_in_a_second(tmp_path, capsys):
    code, told, _ = here(capsys, "points", "--seconds", "1", "--out", str(tmp_path / "quick"))
    assert code == 0 and int(told.split("trained in ")[1].split()[0]) >= 1
    assert Toy.load(tmp_path / "quick").name == "points"


def test_a_model_of_ones_own_goes_on_each_time_and_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSION_LAB_PROGRESS", str(tmp_path))
    recipe, folder = replace(points_recipe.RECIPE, ready=6), own_model("my-points")
    assert folder == tmp_path / "models" / "my-points"
    with pytest.raises(LabError, match="my-points"):
        Toy.load("my-points")
    for first in (0, 3):
        assert not (folder / "config.json").exists()  # not yet ready to be asked
        reached = [progress.step for progress in recipe.go_on(recipe.untrained(), 3, folder)]
        assert reached == [first + 1, first + 2, first + 3]
    kept = Toy.load("my-points")
    assert kept.config == recipe.config and find_model("my-points").folder == folder
    assert not torch.equal(kept.network.leave.weight, recipe.untrained().network.leave.weight)
    shutil.copytree(folder, own_model("icons"))
    assert find_model("icons").folder == WEIGHTS / "icons"  # a name of the course's stays the course's


def test_where_nothing_can_be_kept_a_model_is_trained_all_the_same():
    recipe, folder = points_recipe.RECIPE, own_model("my-points")  # as tests and builds have it: in no folder at all
    assert [progress.step for progress in recipe.go_on(recipe.untrained(), 2, folder)] == [1, 2]
    assert not folder.exists()
