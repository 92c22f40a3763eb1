"""One order for every name: a path wins over a name, a name over an address; what is trained here is what loads."""

import json
import os
import re
import shutil
from argparse import Namespace

import pytest
import torch
from safetensors.torch import save_file
from sd_fixtures import folder

from diffusion_lab import LabError, Toy
from diffusion_lab import places as rooms
from diffusion_lab.commands.draw import open_model
from diffusion_lab.places import ROLES, WEIGHTS, Habits, Place, Role, find_model, role_of
from diffusion_lab.recipes import points
from diffusion_lab.stable_diffusion import StableDiffusion
from diffusion_lab.stable_diffusion.loading.folders import ABOUT, habits_in

HOME, OLD = ROLES["stable-diffusion-v1-5"].homes[0], ROLES["stable-diffusion-v1-5"].old_homes[0]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mine(path: str) -> Toy:
    """A toy of one's own in a folder, no weight of it like the shipped one's."""
    toy = Toy(Toy.load(WEIGHTS / "points").config, seed=9)
    toy.save(path)
    return toy


def same(a: Toy, b: Toy) -> bool:
    pairs = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return all(torch.equal(x.half(), y.half()) for x, y in pairs)


def test_a_folder_wins_over_a_name_and_a_name_over_nothing():
    assert find_model("points") == Place(WEIGHTS / "points", ROLES["points"])
    toy = mine("points")
    assert find_model("points") == Place((WEIGHTS.cwd() / "points").resolve())
    assert same(Toy.load("points"), toy) and same(open_model("points"), toy)
    assert not same(Toy.load(WEIGHTS / "points"), toy)


def test_a_dash_is_no_underscore_in_a_path():
    left, right = mine("my_model"), Toy(Toy.load("points").config, seed=10)
    right.save("my-model")
    assert same(open_model("my-model"), right) and same(open_model("my_model"), left)


def test_a_folder_without_a_model_hides_no_name(here):
    (here / "tiny-sd").mkdir()
    (here / "icons").mkdir()
    (here / "icons/training.safetensors").write_bytes(b"")
    assert find_model("tiny-sd").folder == WEIGHTS / "tiny_sd" and find_model("icons").folder == WEIGHTS / "icons"


def test_a_relative_path_stays_that_model_wherever_one_goes(here, tmp_path_factory, monkeypatch):
    shutil.copytree(folder(), here / "sd")
    (here / "sd/diffusion_lab.json").write_text('{"to_rgb": [[0.5, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]}')
    sd = StableDiffusion.load("sd")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert sd.to_rgb[0].tolist() == [0.5, 0, 0] and sd.name == "sd"


PATHS = ["/no/where", "/no", "./x", "../x", "~/x", "models/goood", "a/b/c", "mine.safetensors", "sub/mine.ckpt",
         "empty", "models", "file", "x" * 300 + ".bin"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_what_is_meant_as_a_path_is_never_an_address(here, path):
    for name in ("models/good", "empty"):
        (here / name).mkdir(parents=True)
    (here / "file").write_text("x")
    for load in (Toy.load, StableDiffusion.load, open_model):
        with pytest.raises(LabError, match="was expected at .* is there; give another path, or a name") as told:
            load(path)
        assert "\n" not in str(told.value) and os.path.abspath(os.path.expanduser(path)) in str(told.value)


def test_what_is_no_model_but_weights_has_a_remedy_of_its_own(here):
    (here / "dreamy").mkdir()
    for file, name, tensor, said in (
        ("dreamy/pytorch_lora_weights.safetensors", "dreamy", "x", "a LoRA, .* is there; give the model that"),
        ("style.safetensors", "style.safetensors", "unet.lora_A.weight", "a LoRA, .* is there; give the model that"),
        ("whole.safetensors", "whole.safetensors", "unet.weight", "a model in one file is there; make a folder of it"),
    ):
        save_file({tensor: torch.zeros(1)}, here / file)
        with pytest.raises(LabError, match=said):
            find_model(name)


@pytest.mark.parametrize("page", ["https://huggingface.co/", "http://www.huggingface.co/", "hf.co/"])
@pytest.mark.parametrize("end", ["", "/", "/tree/main"])
def test_the_page_of_a_model_is_its_address(page, end):
    assert find_model(f"{page}someone/some.thing{end}") == find_model("someone/some.thing")
    assert find_model(page + HOME + end).role is ROLES["stable-diffusion-v1-5"]


@pytest.mark.parametrize("page", ["https://huggingface.co/one", "https://huggingface.co/a/b/blob/main/x.ckpt",
                                  "https://example.org/a/b", "https://huggingface.co/a/b/tree/fp16"])
def test_another_page_is_told_as_it_was_written(page):
    with pytest.raises(LabError, match=re.escape(f"an address on the hub (owner/name) or a folder; {page!r} came")):
        find_model(page)


def test_addresses_are_roles():
    assert role_of("stabilityai/sd-turbo") is ROLES["sd-turbo"]
    assert find_model("sd-turbo") == Place(None, ROLES["sd-turbo"])
    assert role_of(OLD) is role_of(HOME) is find_model(OLD).role is ROLES["stable-diffusion-v1-5"]
    assert find_model("someone/something") == Place(None, Role("something", homes=("someone/something",),
                                                               habits=Habits("something")))  # fmt: skip
    for name in ("nonsense", "dragons", "a" * 40, "own er/name", "-a/b", "a/b-", "a/" + "b" * 95, "a/b..c", "a/b--c",
                 "a/b.git", "ä/ö", "a/"):  # fmt: skip
        names = ("icons, icons-two-calls, points, photos, photos-no-skips, tiny-sd, tiny-sd-turbo, "
                 "stable-diffusion-v1-5, sd-turbo")
        with pytest.raises(LabError, match=f"a model is one of {names}"):
            find_model(name)


GREY = [[0, 0, 0]] * 5


@pytest.mark.parametrize("stated", [
    {"sampler": ["ddim"]}, {"name": 5}, {"n": 0}, {"n": "20"}, {"guidance_scale": None}, {"to_rgb": "x"},
    {"to_rgb": [[0, 0, 0], [0, 0]]}, {"to_rgb": [[0, 0, float("nan")]] * 5}, {"to_rgb": []}, {"to_rgb": [5]},
    {"to_rgb": [[True, 0, 0]] * 5}, {"to_rgb": [[0, 0, float("inf")]] * 5}, {"n": True}, {"guidance_scale": True},
], ids=str)  # fmt: skip
def test_habits_of_the_wrong_kind_are_one_sentence(here, stated):
    (here / ABOUT).write_text(json.dumps({"name": "mine", "n": 4, "to_rgb": GREY}))
    assert habits_in(here) == Habits("mine", 4, to_rgb=GREY)
    (here / ABOUT).write_text(json.dumps(stated))
    with pytest.raises(LabError, match="how a model is called and draws was expected in .*diffusion_lab.json") as told:
        habits_in(here)
    assert "\n" not in str(told.value) and next(iter(stated)) in str(told.value)


def test_each_kind_is_loaded_by_its_own_class():
    with pytest.raises(LabError, match="'icons' is a toy; load it with Toy.load"):
        StableDiffusion.load("icons")
    for name in ("tiny-sd", folder(), "someone/something"):
        with pytest.raises(LabError, match="is a Stable Diffusion; load that with StableDiffusion.load"):
            Toy.load(name)


def test_a_toy_refuses_what_only_a_stable_diffusion_can_be_told():
    with pytest.raises(LabError, match="--device and --preset came, which only a Stable Diffusion has; icons is a toy"):
        open_model("icons", device="cuda", preset="fast")


def test_a_new_role_is_one_entry(monkeypatch, here):
    shutil.copytree(folder(), here / "weights/thrown_away")
    monkeypatch.setattr(rooms, "WEIGHTS", here / "weights")
    monkeypatch.setitem(ROLES, "thrown-away", Role("Thrown away", shipped="thrown_away"))
    assert open_model("thrown-away").shape == (4, 8, 8)
    with pytest.raises(LabError, match="thrown-away"):
        find_model("dragons")


@pytest.mark.parametrize("out", ["points", "runs/points", "my model"])
def test_what_train_says_at_its_end_loads_what_it_trained(here, capsys, tmp_path_factory, monkeypatch, out):
    points.run(Namespace(out=here.__class__(out), steps=2, seconds=None, resume=False))
    said = capsys.readouterr().out
    call = re.search(r"use it with (Toy\.load\(.*\))$", said.strip())[1]
    trained = Toy.load(here / out)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert same(eval(call, {"Toy": Toy}), trained) and not same(trained, Toy.load("points"))


@pytest.mark.parametrize("name", ["a.safetensors", "a.ckpt", "a.bin", "a.pt", "a.PTH", "a.gguf", "/a", "../a", "~/a",
                                  "./a", "a/b/c", ".\\a"])
def test_what_is_written_as_a_path_is_never_an_address(name):
    with pytest.raises(LabError, match="a folder with a model in it .* was expected at .*; no such folder is there"):
        find_model(name)


def test_what_a_model_is_called_and_how_it_draws_where_nothing_is_said():
    habits, role = Habits("mine"), Role("Mine")
    assert (habits.n, habits.guidance_scale, habits.sampler, habits.to_rgb) == (20, 7.5, "own", None)
    assert (role.shipped, role.homes, role.old_homes, role.licence, role.needs, role.habits) == (
        "", (), (), "", "a GPU", None)  # fmt: skip
    assert Place(None) == Place(None, None) and Place(None).kind == "stable diffusion"
    assert [ROLES[name].title for name in ("icons", "points", "tiny-sd")] == ["icons", "points", "Tiny SD"]
    stated = {name: (role.title, role.habits) for name, role in ROLES.items() if role.habits}
    drawn = {name: (title, own.name, own.n, own.guidance_scale) for name, (title, own) in stated.items()}
    assert drawn == {"sd-turbo": ("SD-Turbo", "SD-Turbo", 4, 1.0), "stable-diffusion-v1-5": (
        "Stable Diffusion v1.5", "Stable Diffusion v1.5", 50, 7.5)}  # fmt: skip
    assert all(role.licence and role.needs == "a GPU with 4 GB of memory" for role in ROLES.values() if role.homes)
    own = role_of("somebody/model")
    assert (own.title, own.homes, own.habits) == ("model", ("somebody/model",), Habits("model"))
    assert role_of(OLD) is role_of(HOME) is ROLES["stable-diffusion-v1-5"]
    for wrong in ("somebody/", "/model", "a", "a/b/c"):
        with pytest.raises(LabError, match="a model is one of"):
            role_of(wrong)


@pytest.mark.parametrize(("rows", "fits"), [
    ([[1, 2, 3]] * 2, True), (((1, 2.5, 3),) * 5, True), (None, True), ([[1, 2, 3]], False), ([[1, 2]] * 3, False),
    ([[1, 2, float("inf")]] * 2, False), ([[1, 2, "3"]] * 2, False), (["abc"] * 2, False), (5, False),
])  # fmt: skip
def test_a_preview_is_rows_of_three_numbers(rows, fits):
    if fits:
        assert Habits("mine", to_rgb=rows).to_rgb == rows
    else:
        with pytest.raises(LabError, match="to_rgb is rows of three numbers"):
            Habits("mine", to_rgb=rows)
