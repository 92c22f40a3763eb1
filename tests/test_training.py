"""The training loop: it learns, it goes on exactly where it was cut, and two processes train one network."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from clock import Clock
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from diffusion_lab.errors import LabError
from diffusion_lab.objectives import Objective, draw
from diffusion_lab.schedules import cosine
from diffusion_lab.training import (
    Checkpoint,
    Optimisers,
    Within,
    adamw,
    horizon,
    looks,
    stopped_kindly,
    together,
    train,
    warm_up_and_down,
    watched,
)
from diffusion_lab.training.checkpoint import State
from diffusion_lab.training.loop import _generator
from diffusion_lab.training.optimisers import Muon, muon_and_adamw, orthogonal

SCHEDULE = cosine()


class Guess(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 2))

    def forward(self, x, t, condition=None):
        return self.net(torch.cat([x, t[:, None] / 1000], dim=1))


def loss(network, generator):
    x0 = torch.randn(32, 2, generator=generator) / 2
    return Objective(SCHEDULE)(network, x0, *draw(x0, len(SCHEDULE), generator))


def two_optimisers(network):
    matrices = [p for p in network.parameters() if p.dim() == 2]
    vectors = [p for p in network.parameters() if p.dim() < 2]
    muon = torch.optim.Muon(matrices, lr=0.02, weight_decay=0.0)
    return Optimisers([muon, torch.optim.AdamW(vectors, 1e-3)], warm_up_and_down(5), clip=0.5)


class Counting(torch.optim.SGD):
    """Smaller steps the more were made: its memory holds a plain number."""

    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            self.state[p]["made"] = made = self.state[p].get("made", 0) + 1
            p.grad.div_(made)
        super().step()


def counting(network):
    return Optimisers([Counting(network.parameters(), 0.1, momentum=0.9)], lambda step, steps: 1.0)


def run(steps, stop=None, optimizer=None, **how):
    network = Guess()
    for progress in train(network, loss, steps, optimizer=optimizer, **how):
        if progress.step == stop:
            break
    return network, progress


def assert_same(a: nn.Module, b: nn.Module):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


def test_it_learns_and_the_average_follows():
    network, progress = run(300)
    assert (progress.step, progress.steps) == (300, 300)
    losses = [float(loss(net, torch.Generator().manual_seed(k)).detach())
              for k in range(20) for net in (Guess(), network, progress.ema)]  # fmt: skip
    before, after, average = np.array(losses).reshape(20, 3).mean(axis=0)
    assert after < 0.8 * before and average < 0.8 * before


@pytest.mark.parametrize("optimizer", [None, two_optimisers, counting],
                         ids=["adamw", "muon and adamw", "a number"])
@pytest.mark.parametrize("ema", [0.99, horizon(0.05)], ids=["constant", "horizon"])
def test_a_resumed_training_is_bit_for_bit_the_uninterrupted_one(tmp_path, optimizer, ema):
    whole, end = run(40, optimizer=optimizer, ema=ema)
    keep = Checkpoint(tmp_path / "run.safetensors", every_seconds=1e9)
    _, early = run(40, stop=7, optimizer=optimizer, ema=ema, checkpoint=keep)
    _, later = run(40, stop=23, optimizer=optimizer, ema=ema, checkpoint=keep)
    resumed, last = run(40, optimizer=optimizer, ema=ema, checkpoint=keep)
    assert (early.step, later.step, last.step) == (7, 23, 40) and last.loss == end.loss
    assert_same(whole, resumed)
    assert_same(end.ema, last.ema)


def test_a_finished_training_gives_its_last_progress_again(tmp_path):
    keep = Checkpoint(tmp_path / "run.safetensors")
    _, first = run(10, checkpoint=keep)
    _, again = run(10, checkpoint=keep)
    assert again[:3] == first[:3]
    assert_same(first.ema, again.ema)


def test_a_training_is_saved_as_often_as_it_should_be(tmp_path, monkeypatch):
    """A hundred steps of a second each, saved every ten seconds."""
    now, saved = [0.0], []
    monkeypatch.setattr("diffusion_lab.training.loop.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(State, "save", lambda self, path: saved.append(self.step))

    def second(network, generator):
        now[0] += 1
        return loss(network, generator)

    list(train(Guess(), second, 100, checkpoint=Checkpoint(tmp_path / "run.safetensors", every_seconds=10)))
    assert saved == list(range(10, 101, 10))


def test_a_loss_that_changes_with_the_time_hears_of_it_before_each_step():
    heard = []

    class Timed:
        def at(self, step, steps):
            heard.append((step, steps))

        def __call__(self, network, generator):
            heard.append("asked")
            return loss(network, generator)

    list(train(Guess(), Timed(), 2))
    assert heard == [(0, 2), "asked", (1, 2), "asked"]


SCRIPT = """
    import os, sys
    sys.path.insert(0, sys.argv[1])
    from pathlib import Path
    from test_training import Guess, loss, two_optimisers
    from diffusion_lab.training import Checkpoint, train
    for life in range(3):
        if not (child := os.fork()):
            for progress in train(Guess(), loss, 4000, optimizer=two_optimisers,
                                  checkpoint=Checkpoint(Path(sys.argv[2]), every_seconds=0)):
                print(life, os.getpid(), progress.step, flush=True)
        os.waitpid(child, 0)
"""


@pytest.mark.skipif(os.name == "nt", reason="forks as POSIX has them")
def test_a_kill_loses_nothing_that_was_saved(tmp_path):
    """kill -9 at a moment that the training does not choose, three times; then go on and compare."""
    path = tmp_path / "run.safetensors"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), os.path.dirname(__file__), str(path)]
    lasts = [15, 40, 70]  # of each life, the step after which it is killed
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            life, child, step = map(int, line.split())
            if step >= lasts[life]:  # what it had said before it died is read, too
                lasts[life] = np.inf
                os.kill(child, signal.SIGKILL)
    assert process.returncode == 0 and lasts == [np.inf] * 3
    saved = load_file(path)["average.n_averaged"].item()
    assert 70 <= saved < 4000
    network, average = Guess(), None
    for progress in train(network, loss, 4000, optimizer=two_optimisers, checkpoint=Checkpoint(path)):
        average = progress.ema
        if progress.step == 100:
            break
    whole = Guess()
    for progress in train(whole, loss, 4000, optimizer=two_optimisers):
        if progress.step == 100:
            break
    assert_same(whole, network)
    assert_same(progress.ema, average)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-5], lambda raw: b"", lambda raw: b"\x80\x04" + raw,
                                    lambda raw: raw[:40] + b"x" + raw[41:]])  # fmt: skip
def test_a_damaged_checkpoint_is_told_and_kept(tmp_path, damage):
    path = tmp_path / "run.safetensors"
    run(5, checkpoint=Checkpoint(path))
    path.write_bytes(damage(path.read_bytes()))
    kept = path.read_bytes()
    with pytest.raises(LabError, match="checkpoint of this training was expected"):
        run(5, checkpoint=Checkpoint(path))
    assert path.read_bytes() == kept


def test_a_checkpoint_of_another_network_is_told(tmp_path):
    path = tmp_path / "run.safetensors"
    run(5, checkpoint=Checkpoint(path))
    other = nn.Linear(2, 2)
    with pytest.raises(LabError, match="checkpoint of this training was expected"):
        next(train(other, lambda net, g: net.weight.sum(), 9, checkpoint=Checkpoint(path)))


def test_a_loss_that_is_no_number_stops_at_once():
    network = Guess()
    before = [p.detach().clone() for p in network.parameters()]
    with pytest.raises(LabError, match="step 1; lower the learning rate"):
        next(train(network, lambda net, g: loss(net, g) * float("nan"), 10))
    assert all(torch.equal(p, q) for p, q in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize("steps", [0, -1, 2.5, float("nan"), float("inf"), "4", None, True, lambda step: -1])
def test_steps_are_a_positive_whole_number(steps):
    with pytest.raises(LabError, match="whole number"):
        next(train(Guess(), loss, steps))


@pytest.mark.parametrize("wrong", [
    {"ema": float("nan")}, {"ema": 2.0}, {"ema": 1}, {"ema": -1}, {"ema": True}, {"ema": "x"}, {"ema": None},
    {"seed": -1}, {"seed": 1.5}, {"seed": None}, {"seed": True}, {"seed": 2**63}, {"checkpoint": "run.safetensors"},
    {"optimizer": adamw(clip=0)}, {"optimizer": adamw(clip=-1.0)}, {"optimizer": adamw(clip=float("nan"))},
    {"optimizer": "adamw"}, {"optimizer": lambda network: torch.optim.SGD(network.parameters(), 0.1)},
], ids=lambda wrong: ", ".join(wrong))  # fmt: skip
def test_what_no_training_can_be_told_is_refused_before_a_step(wrong):
    def never(network, generator):
        raise AssertionError("a step was made")

    with pytest.raises(LabError, match="came; "):
        next(train(Guess(), never, 5, **wrong))


@pytest.mark.parametrize("call", [
    lambda: horizon(0), lambda: horizon(-1), lambda: horizon(float("nan")), lambda: horizon(2),
    lambda: adamw(float("nan")), lambda: adamw(-1), lambda: adamw("1"), lambda: warm_up_and_down(0),
    lambda: warm_up_and_down(down=0), lambda: next(train(None, loss, 5)), lambda: next(train(Guess, loss, 5)),
    lambda: next(train(nn.Identity(), loss, 5)),
])  # fmt: skip
def test_what_nothing_can_learn_by_is_one_sentence(call):
    with pytest.raises(LabError, match="came; ") as told:
        call()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("decay", [float("nan"), 2, -0.1, None])
def test_a_decay_that_would_spoil_the_average_is_told(decay):
    with pytest.raises(LabError, match="the decay of the average, ema, is a number from 0 to 1; .* came; try"):
        list(train(Guess(), loss, 3, ema=lambda step: decay))


def test_a_loss_of_another_network_is_told():
    other = Guess()
    with pytest.raises(LabError, match="the network in training was expected; one of other weights came; let it call"):
        next(train(Guess(), lambda network, generator: loss(other, generator), 3))


@pytest.mark.parametrize("value, told", [
    (lambda net: None, "NoneType"), (lambda net: 1.0, "float"),
    (lambda net: net.net[0].weight, r"torch.float32 \(32, 3\)"), (lambda net: torch.tensor(1.0), "torch.float32 "),
    (lambda net: net.net[0].weight.sum() * 1j, "torch.complex64 "), (lambda net: torch.tensor(1), "torch.int64 "),
])  # fmt: skip
def test_a_loss_is_one_number_that_hangs_on_the_weights(value, told):
    with pytest.raises(LabError, match=f"a loss that is one number and .* was expected; {told}.*came"):
        next(train(Guess(), lambda net, generator: value(net), 5))


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_how_often_one_looks_is_a_whole_number(n):
    with pytest.raises(LabError, match="how often a training is looked at"):
        next(looks(train(Guess(), loss, 5), n))


@pytest.mark.parametrize("training", ["x", 5, None])
def test_one_looks_at_a_training(training):
    with pytest.raises(LabError, match="give what train"):
        next(looks(training))


@pytest.mark.parametrize(("path", "seconds"), [(None, 5), ("a\0b", 5), ("a", "x"), ("a", -1), ("a", float("nan"))])
def test_a_checkpoint_has_a_path_and_seconds(path, seconds):
    with pytest.raises(LabError, match="came; "):
        Checkpoint(path, seconds)


def test_a_checkpoint_at_home_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run(9, stop=4, checkpoint=Checkpoint("~/c.safetensors"))
    progress = next(train(Guess(), loss, 9, checkpoint=Checkpoint("~/c.safetensors")))
    assert progress.step == 5 and [file.name for file in tmp_path.iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("kept, said", [("run.safetensors", True), ("none", False), ("full", True), ("empty", False)])
def test_ctrl_c_says_how_to_go_on_where_something_was_kept(tmp_path, capsys, kept, said):
    (tmp_path / "run.safetensors").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/run.safetensors").write_text("x")
    with pytest.raises(KeyboardInterrupt), stopped_kindly(tmp_path / kept):
        raise KeyboardInterrupt
    told = capsys.readouterr()
    assert told.out == "" and ("the same command with --resume goes on" in told.err) is said


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_ends_a_step_half_way_loses_no_whole_one(tmp_path, stop):
    """It comes in the middle of the sixth step; the training then goes on as if it never had been."""
    calls = []

    def cut(network, generator):
        calls.append(1)
        if len(calls) == 6:
            raise stop
        return loss(network, generator)

    keep = Checkpoint(tmp_path / "run.safetensors", every_seconds=1e9)
    with pytest.raises(stop):
        list(train(Guess(), cut, 12, optimizer=two_optimisers, checkpoint=keep))
    network = Guess()
    steps = [p.step for p in train(network, loss, 12, optimizer=two_optimisers, checkpoint=keep)]
    assert steps == list(range(6, 13))
    assert_same(run(12, optimizer=two_optimisers)[0], network)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_ctrl_c_waits_until_the_weights_have_moved(tmp_path):
    """It comes while the optimiser moves the weights of the third step: that step is made whole and kept."""
    def interrupted(network):
        plan = adamw()(network)

        def rate(step, steps):
            if step == 2:
                signal.raise_signal(signal.SIGINT)
            return plan.rate(step, steps)

        return plan._replace(rate=rate)

    keep = Checkpoint(tmp_path / "run.safetensors", every_seconds=1e9)
    with pytest.raises(KeyboardInterrupt):
        list(train(Guess(), loss, 8, optimizer=interrupted, checkpoint=keep))
    network = Guess()
    steps = [p.step for p in train(network, loss, 8, checkpoint=keep)]
    assert steps == [4, 5, 6, 7, 8]
    assert_same(run(8)[0], network)


def test_a_step_that_breaks_while_the_weights_move_is_not_kept(tmp_path):
    class Breaking(torch.optim.SGD):
        made = 0

        def step(self, closure=None):
            super().step()
            self.made += 1
            if self.made == 3:
                raise MemoryError

    def breaking(network):
        return Optimisers([Breaking(network.parameters(), 0.1)], lambda step, steps: 1.0)

    keep = Checkpoint(tmp_path / "run.safetensors", every_seconds=1e9)
    with pytest.raises(MemoryError):
        list(train(Guess(), loss, 8, optimizer=breaking, checkpoint=keep))
    assert list(tmp_path.iterdir()) == []  # two steps and a half are no place to go on from


def spoilt(path, **changes):
    """Change what a checkpoint says of itself, or (a name with a dot) a tensor in it; None leaves it out."""
    tensors, about = load_file(path), json.loads(safe_open(path, "pt").metadata()["about"])
    for name, value in changes.items():
        place = tensors if "." in name else about
        place.pop(name)
        if value is not None:
            place[name] = value
    save_file(tensors, path, metadata={"about": json.dumps(about)})


WEIGHT = "average.module.net.0.bias"


@pytest.mark.parametrize(("changes", "said"), [
    ({"step": -3}, "a step is a whole number"), ({"step": float("inf")}, "a step is a whole number"),
    ({"step": None}, "step"), ({"step": 10**30}, "a step is a whole number"),
    ({"loss": "x"}, "could not convert"), ({"seed": 1}, "its seed: 1; 0 of this training"),
    ({"optimisers": [["SGD", 4]]}, "its optimisers"), ({WEIGHT: None}, "other tensors"),
    ({WEIGHT: torch.full((32,), torch.nan)}, "is not finite"), ({WEIGHT: torch.zeros(3)}, r"has the shape \(3,\)"),
    ({"optimiser.0.1.exp_avg": None}, "other tensors"),
    ({"optimiser.0.1.exp_avg": torch.zeros(3)}, r"exp_avg of weight 1 has the shape \(3,\)"),
], ids=str)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path, changes, said):
    path = tmp_path / "run.safetensors"
    run(9, stop=5, checkpoint=Checkpoint(path))
    spoilt(path, **changes)
    with pytest.raises(LabError, match=f"checkpoint of this training was expected in .*{said}"):
        next(train(network := Guess(), loss, 9, checkpoint=Checkpoint(path)))
    assert_same(Guess(), network)


def test_a_checkpoint_of_another_optimiser_or_seed_is_told(tmp_path):
    keep = Checkpoint(tmp_path / "run.safetensors")
    run(9, stop=5, checkpoint=keep)
    for other, said in (({"optimizer": two_optimisers}, "its optimisers"), ({"seed": 1}, "its seed: 0; 1 of")):
        with pytest.raises(LabError, match=said):
            next(train(network := Guess(), loss, 9, checkpoint=keep, **other))
        assert_same(Guess(), network)


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network = nn.Linear(2, 2)
    torch.manual_seed(5)
    list(train(network, lambda net, g: net(torch.randn(4, 2, generator=g)).square().mean(), 3))
    assert torch.equal(torch.rand(3), expected)


def test_rates_rise_stay_and_fall():
    rate = warm_up_and_down(warm_up=10, down=0.5)
    values = [rate(step, 100) for step in range(100)]
    assert values[0] == 0.1 and values[9:51] == [1.0] * 42 and 0 < values[-1] <= 0.02
    assert values[50:] == sorted(values[50:], reverse=True)


def test_a_training_within_its_time_follows_the_clock():
    """A machine becomes five times slower half-way: the training ends in time, and its rate falls to zero by then."""
    clock, rates = Clock(lambda k: 1 if k < 51 else 5), []

    def watched(network):
        plan = adamw(rate=warm_up_and_down(5, down=0.5))(network)
        return plan._replace(rate=lambda step, steps: rates.append(plan.rate(step, steps)) or rates[-1])

    network = Guess()
    *_, last = train(network, loss, Within(100, clock), optimizer=watched)
    assert (last.step, last.steps) == (60, 60) and clock.readings == 62     # 50 steps of 1 s, then ten of 5 s
    assert rates[4:50] == [1.0] * 46
    assert rates[50:] == pytest.approx([2 * (1 - share) for share in np.arange(0.51, 1, 0.05)], abs=0.05)


def test_a_training_within_its_time_goes_on_from_where_it_was():
    plan = Within(40, Clock(lambda k: 1))
    assert plan(1000) > 1000
    assert plan(1010) == plan(1010) == 1000 + int(11 / (2 / 40))            # the third reading: 2 of 40 s are over
    for step in range(1011, 1060):
        ends = plan(step)
    assert ends == step and Within(1e-9)(0) == 1                           # time is over; one step is always made


@pytest.mark.parametrize("seconds", [0, -3, float("nan"), float("inf"), "1", None, True])
def test_a_time_is_above_zero(seconds):
    with pytest.raises(LabError, match="a time in seconds is a number above 0; .* came; try 60"):
        Within(seconds)


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (32, 32)])
def test_the_update_is_made_orthogonal(shape):
    """Two at once, each as if it came alone."""
    updates = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    made = orthogonal(updates)
    for update, near in zip(updates, made, strict=True):
        values = torch.linalg.svdvals(near)
        assert values.max() < 1.3 and values.median() > 0.6
        left, _, right = torch.linalg.svd(update, full_matrices=False)
        assert nn.functional.cosine_similarity((left @ right).flatten(), near.flatten(), 0) > 0.9
        assert torch.allclose(orthogonal(update[None])[0], near, atol=1e-5)


class Matrices(nn.Module):
    """One weight of each kind that muon_and_adamw tells apart, with a gradient."""

    def __init__(self):
        super().__init__()
        shapes = {"tall": (32, 8), "wide": (8, 32), "kernel": (16, 2, 1, 2), "words": (8, 4), "bias": (8,)}
        g = torch.Generator().manual_seed(2)
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.zeros(shape)))
            getattr(self, name).grad = torch.randn(shape, generator=g)


def test_matrices_go_to_muon_and_the_rest_to_adamw():
    network = Matrices()
    made = muon_and_adamw(0.02, 3e-3, lambda name: name == "words", 0.5)(network)
    muon, beside = made.optimisers
    assert isinstance(muon, Muon) and isinstance(beside, torch.optim.AdamW)
    names = {id(p): name for name, p in network.named_parameters()}
    groups = [([names[id(p)] for p in group["params"]], group["lr"]) for group in made.groups()]
    assert groups == [(["tall", "wide", "kernel"], 0.02), (["words", "bias"], 3e-3)]


def test_muon_moves_by_an_orthogonal_update_scaled_by_the_root_of_its_height():
    """Two steps, written out: momentum 0.95, and sqrt(out / in) where a matrix is taller than wide."""
    network = Matrices()
    matrices = [network.tall, network.wide, network.kernel]
    muon, memory = Muon(matrices, 0.02), [torch.zeros_like(p) for p in matrices]
    expected = [torch.zeros_like(p) for p in matrices]
    for _ in range(2):
        muon.step()
        for k, (p, scale) in enumerate(zip(matrices, (2.0, 1.0, 2.0), strict=True)):
            memory[k] = 0.95 * memory[k] + 0.05 * p.grad
            update = orthogonal((0.05 * p.grad + 0.95 * memory[k]).flatten(1)[None])[0]
            expected[k] = expected[k] - 0.02 * scale * update.view_as(p)
            torch.testing.assert_close(p.detach(), expected[k], atol=1e-6, rtol=1e-4)
        for p in matrices:
            p.grad = p.grad.flip(0)


@pytest.mark.parametrize("shape", [(2, 3, 8), (1, 8, 3)])
@pytest.mark.parametrize("rounds", [1, 5])
def test_newton_and_schulz_written_out(shape, rounds):
    given = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    X = given if shape[1] < shape[2] else given.mT
    X = X / X.norm(dim=(1, 2), keepdim=True)
    for _ in range(rounds):
        A = X @ X.mT
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    expected = X if shape[1] < shape[2] else X.mT
    torch.testing.assert_close(orthogonal(given, rounds), expected, atol=1e-5, rtol=1e-4)
    if rounds == 5:
        assert torch.equal(orthogonal(given), orthogonal(given, 5)) and not orthogonal(0 * given).any()


def test_a_horizon_looks_back_over_its_share():
    for decay in (horizon(0.05), horizon()):
        assert decay(1) == 0 and decay(2000) == pytest.approx(1 - 1 / 100)


def test_what_is_not_said_is_what_the_papers_and_the_course_take():
    plain, mixed = adamw()(Guess()), muon_and_adamw(0.02, 1e-3, lambda name: False, 0.5)(Matrices())
    (moved,) = plain.optimisers
    told = {key: moved.defaults[key] for key in ("lr", "betas", "weight_decay")}
    assert isinstance(moved, torch.optim.AdamW) and told == {"lr": 2e-3, "betas": (0.9, 0.99), "weight_decay": 0.0}
    assert [mixed.optimisers[1].defaults[key] for key in ("betas", "weight_decay")] == [(0.9, 0.98), 0.0]
    assert [group.get("momentum") for group in mixed.groups()] == [0.95, None]
    assert (plain.clip, mixed.clip, adamw(clip=None)(Guess()).clip, Optimisers([], None).clip) == (1.0, 1.0, None, 1.0)
    assert [plain.rate(step, 200) for step in (0, 24, 49, 100, 150, 199)] == [0.02, 0.5, 1.0, 1.0, 0.5, 0.01]
    assert [mixed.rate(step, 400) for step in (0, 29, 59, 200, 300)] == [1 / 60, 0.5, 1.0, 1.0, 0.5]
    assert adamw(0.5, rate=max)(Guess()).rate is max and adamw(0.5)(Guess()).groups()[0]["lr"] == 0.5
    assert Checkpoint("a").every_seconds == 120 and len(list(looks(train(Guess(), loss, 30)))) == 10


@pytest.mark.parametrize(("ema", "decays"), [({}, [2 / 11, 3 / 12, 4 / 13]), ({"ema": 0.2}, [2 / 11, 0.2, 0.2])])
def test_a_constant_average_looks_back_less_at_first(ema, decays):
    network, weights, seen = Guess(), [], []
    for progress in train(network, loss, 4, **ema):
        weights.append(network.net[0].weight.detach().clone())
        seen.append(progress.ema.net[0].weight.clone())
        assert not progress.ema.training and not any(p.requires_grad for p in progress.ema.parameters())
    average = weights[0]
    for now, mine, decay in zip(weights[1:], seen[1:], decays, strict=True):
        average = decay * average + (1 - decay) * now
        torch.testing.assert_close(mine, average)


def test_each_seed_step_and_process_draws_numbers_of_its_own():
    """The seeds themselves: of others, a training that was stopped would go on with other pictures."""
    named = {(0, 0, 0): 7896617691693857887, (1, 0, 0): 3717377837946358015, (0, 1, 0): 2918264622725855778,
             (0, 0, 1): 4324601099084218337}  # fmt: skip
    assert {name: _generator(*name).initial_seed() for name in named} == named
    assert not torch.equal(run(1)[0].net[0].weight, run(1, seed=1)[0].net[0].weight)


@pytest.mark.parametrize("clip", [None, 0.05])
def test_a_training_is_what_a_plain_loop_does(clip):
    """Gradients held to `clip`, the rate of each step, and the average, written out."""
    def sgd(network):
        return Optimisers([torch.optim.SGD(network.parameters(), 0.1)], lambda step, steps: (step + 1) / steps, clip)

    *_, progress = train(network := Guess(), loss, 4, optimizer=sgd, ema=lambda step: 0.25)
    plain, sources = Guess(), [_generator(0, step, 0) for step in range(4)]
    average = None
    for step, source in enumerate(sources):
        gradients = torch.autograd.grad(loss(plain, source), list(plain.parameters()))
        norm = float(torch.cat([g.flatten() for g in gradients]).norm())
        share = 1.0 if clip is None else min(1.0, clip / (norm + 1e-6))
        assert clip is None or share < 1
        with torch.no_grad():
            for p, g in zip(plain.parameters(), gradients, strict=True):
                p -= 0.1 * (step + 1) / 4 * share * g
            now = [p.clone() for p in plain.parameters()]
            average = now if average is None else [a * 0.25 + 0.75 * p for a, p in zip(average, now, strict=True)]
    for mine, theirs in ((network, plain.parameters()), (progress.ema, average)):
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine.parameters(), theirs, strict=True))


def test_a_training_is_looked_at_evenly_and_when_it_is_done():
    seen = [progress.step for progress in looks(train(Guess(), loss, 30), 4)]
    assert seen == [8, 15, 23, 30]
    assert [progress.step for progress in looks(train(Guess(), loss, 3), 10)] == [1, 2, 3]


@pytest.mark.parametrize(("device", "expected"), [("cuda", ["cuda:1", "nccl"]), ("cpu", ["gloo"])])
def test_each_process_takes_its_own_gpu_before_it_meets_the_others(monkeypatch, device, expected):
    called = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "set_device", called.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", called.append)
    assert together.start(device) == expected[0].replace("gloo", "cpu") and called == expected


@pytest.mark.parametrize("told", [None, "1"])
def test_a_process_alone_meets_nobody(monkeypatch, told):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if told:
        monkeypatch.setenv("WORLD_SIZE", told)
    assert [together.start(device) for device in ("cpu", "cuda")] == ["cpu", "cuda"]
    assert (together.many(), together.rank(), together.first(), together.agreed(5)) == (False, 0, True, 5)
    network = nn.Linear(2, 1)
    together.share(network)
    together.average_gradients([])
    together.wait()
    together.leave()


def test_with_another_process_gradients_are_means_and_numbers_the_first_one_s(monkeypatch):
    """A stand-in for the other process: its gradients are 0, 1, 2, its weights 7 and its numbers 99."""
    called = []
    monkeypatch.setattr(together, "distributed", SimpleNamespace(
        is_available=lambda: True, is_initialized=lambda: True, get_world_size=lambda: 2, get_rank=lambda: 1,
        all_reduce=lambda flat: flat.add_(torch.arange(3.0)), broadcast=lambda tensor, first: tensor.fill_(7 + first),
        broadcast_object_list=lambda told, first: told.__setitem__(first, 99), barrier=lambda: called.append("wait"),
        destroy_process_group=lambda: called.append("leave")))  # fmt: skip
    assert (together.many(), together.rank(), together.first(), together.agreed(5)) == (True, 1, False, 99)
    network = nn.BatchNorm1d(1)  # it has weights, and numbers that are no weights
    linear = nn.Linear(2, 1)
    linear.weight.grad, linear.bias.grad = torch.tensor([[4.0, 6.0]]), torch.tensor([8.0])
    together.average_gradients(list(linear.parameters()))
    assert linear.weight.grad.tolist() == [[2.0, 3.5]] and linear.bias.grad.tolist() == [5.0]
    together.share(network)
    assert [float(value) for value in network.state_dict().values()] == [7.0] * 5
    together.wait()
    together.leave()
    assert called == ["wait", "leave"]


def test_few_operations_and_many_give_the_same_update(monkeypatch):
    """The branch for a GPU, entered on the CPU."""
    given = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(3))
    here = orthogonal(given), orthogonal(given.mT)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    for made, same in zip((orthogonal(given), orthogonal(given.mT)), here, strict=True):
        torch.testing.assert_close(made, same, atol=1e-4, rtol=1e-3)


TOGETHER = """
    import os, sys
    sys.path.insert(0, sys.argv[1])
    import torch
    from pathlib import Path
    from torch import distributed
    from safetensors.torch import save_file
    from test_training import Guess, loss, two_optimisers
    from diffusion_lab.training import Checkpoint, train
    folder, child = Path(sys.argv[2]), os.fork()  # from here on there are two processes
    rank = int(not child)
    distributed.init_process_group("gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=2)
    for name, where, stop in (("whole", "whole", 12), ("cut", "cut", 5), ("resumed", "cut", 12)):
        network = Guess()
        if rank:
            torch.nn.init.zeros_(network.net[0].weight)
        keep = Checkpoint(folder / f"{where}.safetensors", 1e9)
        for progress in train(network, loss, 12, optimizer=two_optimisers, checkpoint=keep):
            if progress.step == stop:
                break
        distributed.barrier()
        save_file(network.state_dict(), folder / f"{name}{rank}.safetensors")
    distributed.destroy_process_group()
    sys.exit(os.waitpid(child, 0)[1] if child else 0)
"""


@pytest.mark.skipif(os.name == "nt", reason="forks as POSIX has them")
def test_two_processes_train_one_network_and_resume_exactly(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(TOGETHER), os.path.dirname(__file__), str(tmp_path)]
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"})
    ends = [[load_file(tmp_path / f"{name}{rank}.safetensors") for rank in (0, 1)]
            for name in ("whole", "cut", "resumed")]  # fmt: skip
    for first, second in ends:
        assert all(torch.equal(first[name], second[name]) for name in first)
    (whole, _), (cut, _), (resumed, _) = ends
    assert all(torch.equal(whole[name], resumed[name]) and not torch.equal(cut[name], whole[name]) for name in whole)
    alone, _ = run(12, optimizer=two_optimisers)
    assert not torch.equal(alone.net[0].weight, whole["net.0.weight"])  # the other process's pictures count


def test_a_watched_training_draws_at_its_steps_and_ends_without_a_bar(monkeypatch):
    pages = []
    shown = SimpleNamespace(update=lambda html: pages.append(html.data))
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda html, display_id: pages.append(html.data) or shown)
    drawn = []

    def drawing(progress):
        drawn.append(progress.step)
        return SimpleNamespace(_repr_html_=lambda: f"<p>step {progress.step}</p>")

    steps = [progress.step for progress in watched(train(Guess(), loss, 12), drawing, at=(1, 5))]
    assert steps == list(range(1, 13)) and drawn == [1, 5, 12]
    assert pages[0] == pages[0].strip() == "<span></span>" and pages[-1] == "<p>step 12</p>"
    assert any("step 5 of 12, loss" in page and "<progress" in page for page in pages)
    for _ in watched(train(Guess(), loss, 12), drawing, at=(2,)):
        if drawn[-1] == 2:
            break
    assert pages[-1] == "<p>step 2</p>"  # left early: what was drawn stays
    for every, steps in ((-1.0, list(range(1, 13))), (3600.0, [12])):  # seconds from one picture to the next
        drawn.clear()
        assert len(list(watched(train(Guess(), loss, 12), drawing, every=every))) == 12 and drawn == steps
    pages.clear()
    monkeypatch.setattr("time.monotonic", lambda: 100.0)  # no second passes: a bar at the first step and at the last
    assert len(list(watched(train(Guess(), loss, 12), every=-1.0))) == 12
    assert ["step 1 of" in page or "step 12 of" in page for page in pages] == [False, True, True, False]
    with pytest.raises(LabError, match="a training was expected"):
        next(watched("train"))
    with pytest.raises(LabError, match="a picture to show was expected; NoneType came"):
        next(watched(train(Guess(), loss, 12), lambda progress: None, at=(1,)))
