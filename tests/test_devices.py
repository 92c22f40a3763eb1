"""What is computed is computed where its tensors lie: torch's meta device, which computes nothing, is the other one."""

import numpy as np
import pytest
import torch

from diffusion_lab import Exact, LocalExact, Toy, forward, linear, noise, small_steps
from diffusion_lab.objectives import Objective
from diffusion_lab.worlds import icons

PICTURES, CAPTIONS, _ = icons.sample(20, 0)
META = torch.device("meta")


def test_the_forward_paths_lie_where_their_picture_does():
    x0 = torch.zeros(2, 3, 4, 4, device=META)
    path = forward(x0, linear(), range(0, 1000, 250))
    walk = small_steps(x0, linear(), torch.Generator().manual_seed(0))
    assert {path[2].x_t.device, path[2].eps.device, next(walk).x_t.device, next(walk).eps.device} == {META}


def test_the_exact_denoiser_computes_beside_what_it_is_asked():
    model = Exact(PICTURES, CAPTIONS)
    condition = model.condition(["circle"])
    assert model.predict_noise(noise(model.shape, 0).to(META), 500, condition).device == META
    assert model.predict_noise(noise(model.shape, 0), 500, condition).device.type == "cpu"  # and comes back


def test_the_local_denoiser_computes_beside_what_it_is_asked():
    model = LocalExact(PICTURES, 5)
    guess = model.predict_noise(noise(model.shape, 0).to(META), 500)
    assert guess.device == META and guess.shape == (1, *model.shape)


@pytest.mark.parametrize(("device", "precise"), [("mps", torch.float32), ("cuda", torch.float64)])
def test_float64_is_used_where_it_exists(device, precise):
    """A stand-in for a tensor on a device that this machine may lack: the branch is entered, the move is seen."""

    class Elsewhere:
        def __init__(self):
            self.device = torch.device(device)

    model, moved = Exact(np.zeros((3, 2), np.float32)), []

    class Data:
        def flatten(self, first):
            return self

        def to(self, device, dtype):
            moved.append((device.type, dtype))
            return torch.zeros(3, 2)

    model.data = Data()
    model._beside(Elsewhere())
    assert moved == [(device, precise)]


def test_the_data_are_brought_to_float64_once():
    model = Exact(PICTURES)
    assert model._beside(noise(model.shape, 0)) is model._beside(noise(model.shape, 1))
    assert model._beside(noise(model.shape, 0)).dtype == torch.float64


def test_a_toy_is_asked_where_it_lies_and_answers_where_it_was_asked():
    toy = Toy.load("icons")
    toy.network.to(META)
    x = noise(toy.shape, [0, 1])
    seen = []
    toy.network.register_forward_pre_hook(lambda module, given: seen.extend(one.device for one in given))
    with pytest.raises(NotImplementedError, match="meta"):  # meta computes nothing that could be brought back
        toy.predict_noise(x, 500, toy.condition(["red circle", ""]))
    assert seen == [META] * 3
    assert toy.predict_noise(x.to(META), 500, toy.condition(["red circle", ""])).device == META


def test_a_loss_is_computed_where_its_pictures_lie():
    x0, seen = torch.zeros(4, 2, device=META), []
    loss = Objective(linear(), "v")(lambda x, t, c: seen.append((x.device, t.device)) or x, x0, x0, torch.arange(4))
    assert loss.device == META and seen == [(META, META)]
