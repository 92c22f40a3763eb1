"""Exercises: the reference and other right answers pass, every known mistake fails under its own name."""

import inspect
import itertools
import random
import re
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_beginners import written
from torch import Tensor

from diffusion_lab import StableDiffusion, Trajectory, ddim_step, guided, noise
from diffusion_lab.coursework.checks import checking, limits
from diffusion_lab.coursework.checks.answers import judge_diagnoses, judge_value
from diffusion_lab.coursework.checks.checking import (
    NEAR,
    RIGHT,
    _results,
    check,
    flat,
    judge_code,
    todo,
    worst,
)
from diffusion_lab.coursework.checks.exercises import Code, Diagnoses, Slip, Value
from diffusion_lab.coursework.checks.limits import Outcome, limited
from diffusion_lab.coursework.checks.measuring import distance, misfit
from diffusion_lab.coursework.checks.verdicts import GO_ON, on_the_leash, stopped, unusable
from diffusion_lab.coursework.lessons import exercises, find, numbers, title
from diffusion_lab.errors import LabError
from diffusion_lab.evaluation.scenes import load_reader, look

ROOT = Path(__file__).parents[1]
ALL = {name: exercise for lesson in numbers() for name, exercise in exercises(lesson).items()}
CODES = [name for name, exercise in ALL.items() if isinstance(exercise, Code)]
SLIPS = [(name, slip.name) for name in CODES for slip in ALL[name].slips]


def test_the_loop_of_lesson_04_draws_with_stable_diffusion_unchanged():
    """The very lines that lesson 04 shows pass lesson 08's check, and then draw what diffusers' DDIM draws."""
    text = (ROOT / "lessons/text/04_sampling_step_by_step.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"(def my_sampler.*?return x\n)", text, flags=re.DOTALL)
    names = {"torch": torch, "ddim_step": ddim_step}
    exec(lines, names)
    assert judge_code(find("08.loop"), names["my_sampler"]).box.mood == "right"
    sd, prompt = StableDiffusion.load("tiny-sd"), "an astronaut riding a horse on mars"
    with torch.no_grad():
        mine = names["my_sampler"](guided(sd, prompt), sd.schedule, noise(sd.shape, 0), sd.schedule.timesteps(4))
    theirs = Trajectory.of(sd.steps(prompt, n=4, seed=0, sampler="ddim")).x0
    assert float((mine - theirs).abs().max()) < 1e-4


def test_every_slip_of_the_loop_shows_in_the_picture_that_lesson_08_draws_next():
    """In its five steps each picture is at least three grey levels away, on average, from what the right loop draws."""
    sd = StableDiffusion.load("tiny-sd")
    predict = guided(sd, "an astronaut riding a horse on mars")

    def drawn(loop):
        with torch.no_grad():
            x0 = loop(predict, sd.schedule, noise(sd.shape, 0), sd.schedule.timesteps(5))
        return sd.decode(x0).float()

    right = drawn(find("08.loop").reference)
    near = {slip.name: float((drawn(slip.code) - right).abs().mean()) for slip in find("08.loop").slips}
    assert {name: away for name, away in near.items() if away < 3} == {}


def test_the_open_exercise_of_lesson_08_ends_as_its_answer_says():
    """A horse for k of twelve steps, a bicycle for the rest: what a reader sees in the picture of seed 1."""
    text = (ROOT / "lessons/text/08_stable_diffusion.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(first, then = .*?if step < k else then) ", text, flags=re.DOTALL)
    sd, seen = StableDiffusion.load("tiny-sd"), {}
    for k in (4, 6):
        names = {"guided": guided, "sd": sd, "k": k, "x": noise(sd.shape, 1), "ddim_step": ddim_step}
        with torch.no_grad():
            exec(f"{lines}\n    x = ddim_step(x, predict(x, t).eps, alpha_bar, alpha_bar_next)", names)
        seen[k] = str(look(load_reader(), sd.decode(names["x"]).numpy())[0]["ride"])
    assert seen == {4: "bicycle", 6: "horse"}


@pytest.mark.parametrize("name", CODES)
def test_right_answers_pass(name):
    exercise = ALL[name]
    assert len({exercise.reference, *exercise.also_right}) == 3
    for answer in (exercise.reference, *exercise.also_right):
        verdict = judge_code(exercise, answer)
        assert (verdict.slip, verdict.box.mood) == ("", "right"), verdict.box
        assert (verdict.box.head, verdict.box.lines) == ("Right", (exercise.right,)) and verdict.goes_on is answer


@pytest.mark.parametrize("name", CODES)
def test_a_size_that_an_answer_reads_is_another_one_in_each_case(name):
    """Else a number in its place would be right: what `a.shape[k]` reads, and how many numbers a mean is taken of."""
    cases, means = ALL[name].cases(), False
    for answer in (ALL[name].reference, *ALL[name].also_right):
        source, names = inspect.getsource(answer), list(inspect.signature(answer).parameters)
        for argument, k in re.findall(r"(\w+)\.shape\[(-?\d+)\]", source):
            sizes = [case[names.index(argument)].shape[int(k)] for case in cases]
            assert len({*sizes}) == len(sizes), (argument, k)
        means |= ".mean(" in source
    counts = [[a.numel() for a in one] for one in zip(*cases, strict=True) if isinstance(one[0], Tensor)]
    assert not means or any(len({*sizes}) == len(sizes) for sizes in counts)


@pytest.mark.parametrize(("code", "slip"), [
    ("(q @ k.T / 2).softmax(dim=1) @ v", "unrecognised"), ("(q @ k.T / 5**0.5).softmax(dim=1) @ v", "unrecognised"),
    ("(q @ k.T / q.shape[1]**1/2).softmax(dim=1) @ v", "a power of one, divided by two")])
def test_attention_reads_its_d(code, slip):
    assert judge_code(find("07.attention"), written(f"def attend(q, k, v):\n    return {code}")).slip == slip


@pytest.mark.parametrize(("name", "slip"), SLIPS)
def test_each_mistake_fails_under_its_own_name_and_is_handed_back(name, slip):
    code = next(s.code for s in ALL[name].slips if s.name == slip)
    verdict = judge_code(ALL[name], code)
    assert verdict.slip == slip
    assert slip in repr(verdict.box) and verdict.box.mood == "wrong"
    assert verdict.goes_on is code


@pytest.mark.parametrize("name", CODES)
def test_known_mistakes_have_the_right_form_and_lie_well_apart(name):
    exercise = ALL[name]
    assert len(exercise.slips) >= 5
    true, _ = _results(exercise, exercise.reference)
    results = {"the right answer": [flat(t) for t in true]}
    for slip in exercise.slips:
        wrong, _ = _results(exercise, slip.code)
        for w, t in zip(wrong, true, strict=True):
            for one, other in zip(w if isinstance(t, tuple) else [w], t if isinstance(t, tuple) else [t], strict=True):
                if isinstance(other, torch.Tensor):
                    assert one.shape == other.shape and one.dtype == other.dtype, slip.name
        results[slip.name] = [flat(w) for w in wrong]
    for one, other in itertools.combinations(results, 2):
        assert min(worst(results[one], results[other]), worst(results[other], results[one])) > 10 * NEAR, (one, other)


@pytest.mark.parametrize("name", CODES)
def test_another_mistake_is_unrecognised_and_handed_back(name):
    reference = ALL[name].reference

    def strange(*arguments):
        result = reference(*arguments)
        return tuple(r * 1.17 + 0.03 for r in result) if isinstance(result, tuple) else result * 1.17 + 0.03

    verdict = judge_code(ALL[name], strange)
    assert verdict.slip == "unrecognised" and verdict.goes_on is strange


@pytest.mark.parametrize("name", CODES)
def test_stub_says_not_yet_and_the_reference_goes_on(name, capsys):
    def stub(*arguments):
        return todo()

    assert check(name, stub) is ALL[name].reference
    assert "Not yet" in capsys.readouterr().out


@pytest.mark.parametrize("name", ALL)
def test_hints_and_words_never_contain_the_solution(name):
    exercise = ALL[name]
    assert len(exercise.hints) == 3 and all(len(hint.split()) <= 80 for hint in exercise.hints)
    if isinstance(exercise, Code):
        said = " ".join(slip.says for slip in exercise.slips)
        assert "return" not in said
        assert len({slip.name for slip in exercise.slips}) == len(exercise.slips)


def endless(*arguments):
    while True:
        pass


def endless_and_stubborn(*arguments):
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


def endless_and_deaf(*arguments):
    while True:
        try:
            sum(range(1000))
        except:  # noqa: E722
            if len(caught) > 1:
                raise
            caught.append(1)


caught = []


def asleep(*arguments):
    time.sleep(8)


def huge(*arguments):
    return torch.zeros(10**11)


def growing(*arguments):
    kept = []
    while True:
        kept.append(torch.ones(10**5))


@pytest.mark.parametrize(("answer", "stopped", "running"), [
    (endless, "time", False), (endless_and_stubborn, "time", False), (endless_and_deaf, "time", False),
    (asleep, "time", True), (huge, "memory", False), (growing, "memory", False)])
def test_runaways_are_stopped(answer, stopped, running):
    began = time.monotonic()
    outcome = limited(answer, seconds=1.0, gigabytes=0.06)
    assert (outcome.stopped, outcome.running) == (stopped, running)
    assert time.monotonic() - began < 4


def test_the_ceiling_is_gone_afterwards():
    limited(huge, gigabytes=0.06)
    assert limited(lambda: torch.empty(2 * 10**8).numel()).value == 2 * 10**8


def test_an_interrupted_check_stops_what_it_was_checking(monkeypatch):
    turns = []

    def counting():
        while True:
            turns.append(1)

    def interrupted(thread, *limits):
        thread.start()
        while not turns:
            time.sleep(0.001)
        raise KeyboardInterrupt

    monkeypatch.setattr(limits, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        limited(counting)
    kept = len(turns)
    time.sleep(0.1)
    assert len(turns) == kept


def test_an_endless_loop_is_told_in_words_and_the_reference_goes_on():
    verdict = judge_code(ALL["01.q_sample"], endless)
    assert verdict.slip == "stopped" and "did not come to an end" in repr(verdict.box)
    assert verdict.goes_on is ALL["01.q_sample"].reference


def test_a_huge_allocation_is_told_in_words():
    verdict = judge_code(ALL["01.q_sample"], huge)
    assert verdict.slip == "stopped" and "too much memory" in repr(verdict.box)


def test_an_error_is_explained_with_its_line():
    def raises(x0, alpha_bar, eps):
        return alpha_bar**0.5 * x0 + missing * eps  # noqa: F821

    verdict = judge_code(ALL["01.q_sample"], raises)
    text = repr(verdict.box)
    assert verdict.slip == "raised" and verdict.goes_on is ALL["01.q_sample"].reference
    assert "NameError" in text and "missing * eps" in text and "spelled" in text


@pytest.mark.parametrize(("error", "told", "advice"), [
    (ValueError(), "`ValueError`.", ""), (ValueError("\nwhat\nand why"), "`ValueError`: what.", ""),
    (RuntimeError("The size of tensor a must be 8"), "`RuntimeError`: The size of tensor a must be 8.", "their shapes"),
    (RuntimeError("shape '[3]' is invalid"), "`RuntimeError`: shape '[3]' is invalid.", "print their shapes"),
])  # fmt: skip
def test_an_error_is_told_in_its_own_words_and_advice_is_given_where_there_is_some(error, told, advice):
    def raises(x0, alpha_bar, eps):
        raise error

    said, line, *rest = judge_code(ALL["01.q_sample"], raises).box.lines
    assert said == told and line == "It happened in your line `raise error`."
    assert len(rest) == 1 + bool(advice) and advice in rest[0]


@pytest.mark.parametrize(("answer", "says"), [
    (lambda x0, alpha_bar: x0, "q_sample(x0, alpha_bar, eps)"),
    (lambda x0, alpha_bar, eps: x0 + torch.zeros(7), "do not fit together"),
    (lambda x0, alpha_bar, eps: (x0 / 0 if alpha_bar else 1 / 0), "not numbers"),
    (lambda x0, alpha_bar, eps: exit(), "SystemExit"),
    (lambda x0, alpha_bar, eps: None, "return"),
    (lambda x0, alpha_bar, eps: 3.0, "a tensor of shape"),
    (lambda x0, alpha_bar, eps: x0.mean(), "drops or adds a dimension"),
    (lambda x0, alpha_bar, eps: (alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps).double(), "float64"),
    (lambda x0, alpha_bar, eps: x0.mul_(alpha_bar**0.5).add_(eps, alpha=(1 - alpha_bar) ** 0.5), "its arguments"),
    ("q_sample", "its name, without brackets"),
])
def test_unusable_answers_are_told_why(answer, says):
    verdict = judge_code(ALL["01.q_sample"], answer)
    assert says in repr(verdict.box) and verdict.box.mood == "wrong"


def test_slightly_other_rounding_is_right_and_slightly_off_a_mistake_is_that_mistake():
    exercise = ALL["01.q_sample"]
    assert judge_code(exercise, lambda *a: exercise.reference(*a) * (1 + RIGHT / 3)).box.mood == "right"
    slip = exercise.slips[0]
    assert judge_code(exercise, lambda *a: slip.code(*a) * (1 + NEAR / 3)).slip == slip.name


@pytest.mark.parametrize("name", [name for name, e in ALL.items() if isinstance(e, Value)])
def test_values(name, capsys):
    exercise = ALL[name]
    assert check(name, ...) == exercise.truth
    assert "Not yet" in capsys.readouterr().out
    assert judge_value(exercise, exercise.truth).box.mood == "right"
    for wrong, says in exercise.wrong.items():
        verdict = judge_value(exercise, wrong)
        assert verdict.box.mood == "wrong" and says.replace("`", "") in repr(verdict.box).replace("`", "")
        assert verdict.goes_on == wrong
    assert judge_value(exercise, "nonsense").slip == "unusable"
    assert judge_value(exercise, None).slip == "unusable"


def test_a_number_is_told_on_which_side_of_the_truth_it_lies():
    exercise = ALL["08.tokens"]
    far = exercise.truth + 1000 + sum(abs(value) for value in exercise.wrong)
    for number, words in ((far, "too large"), (-far, "too small")):
        verdict = judge_value(exercise, number)
        assert verdict.box.head == f"Not right: {words}" and verdict.slip == "unrecognised"


@pytest.mark.parametrize(("name", "told"), [("08.loop", True), ("01.q_sample", False)], ids=["given", "not given"])
def test_only_who_was_given_predict_hears_of_a_guess(name, told):
    def wrong(*given):
        raise TypeError("unsupported operand type(s) for *: 'float' and 'Guess'")

    assert ("predict(x, t).eps" in repr(judge_code(ALL[name], wrong).box).replace("`", "")) is told


@pytest.mark.parametrize(("name", "answer"), [("01.schedule", ["cosine"]), ("01.schedule", {}), ("08.tokens", [9]),
                                              ("08.tokens", float("nan"))])
def test_an_answer_of_another_kind_is_told_so(name, answer):
    verdict = judge_value(ALL[name], answer)
    assert verdict.slip == "unusable" and verdict.goes_on == ALL[name].truth


def test_a_diagnosis_of_another_kind_is_none_of_the_names():
    clinic = ALL["04.clinic"]
    verdict = judge_diagnoses(clinic, dict.fromkeys(clinic.truth, ...) | {5: ["wrong sign"]})
    assert "5: ['wrong sign'] is none of the names" in repr(verdict.box)


# --- a learner's own objects -------------------------------------------------------------------------------------


class Rude:
    """An object whose every word is an error."""

    def _rude(self, *arguments):
        raise RuntimeError("no")

    __float__ = __eq__ = __repr__ = __str__ = __len__ = __iter__ = __bool__ = _rude
    __hash__ = object.__hash__


class Endless(Rude):
    def __float__(self):
        return endless()

    def __eq__(self, other):
        return endless()

    __hash__ = object.__hash__


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no")


def mute(*arguments):
    raise Mute


def test_what_a_function_does_to_the_whole_process_is_undone():
    """dtype, determinism, the depth of calls, and the random numbers of torch, numpy and random."""
    def drawn():
        return float(torch.rand(())), float(np.random.rand()), random.random()

    def untidy(*arguments):
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        sys.setrecursionlimit(500)
        return [torch.manual_seed(7), np.random.seed(7), random.seed(7)]

    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    wanted = drawn()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    deep = sys.getrecursionlimit()
    limited(untidy)
    assert sys.getrecursionlimit() == deep
    assert torch.get_default_dtype() == torch.float32 and not torch.are_deterministic_algorithms_enabled()
    assert drawn() == wanted
    reference = ALL["01.q_sample"].reference
    assert judge_code(ALL["01.q_sample"], lambda *a: [reference(*a), untidy()][0]).slip == ""
    assert torch.get_default_dtype() == torch.float32


def test_what_is_checked_within_a_check_runs_on_the_same_leash():
    """Two ceilings on the memory of one process would be put back in any order, and one of them would stay."""
    within = limited(lambda: (limited(threading.get_ident).value, threading.get_ident(), limited(lambda: 1 / 0).error))
    inner, outer, error = within.value
    assert inner == outer and isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize(("answer", "says"), [
    (lambda x0, *a: x0.to_sparse(), "torch.sparse_coo on cpu came"), (lambda x0, *a: x0.to("meta"), "on meta came"),
    (lambda x0, *a: Rude(), "a Rude came"), (lambda x0, *a: x0.to(torch.complex64), "torch.complex64 came"),
    (lambda x0, *a: 10**400, "a tensor of shape"), (Rude(), "a Rude came")])
def test_a_result_that_is_no_plain_tensor_is_told_and_the_reference_goes_on(answer, says):
    verdict = judge_code(ALL["01.q_sample"], answer)
    assert verdict.slip == "unusable" and says in repr(verdict.box)
    assert verdict.goes_on is ALL["01.q_sample"].reference


def test_a_number_that_is_too_large_to_be_compared_is_told():
    one_number = replace(ALL["01.q_sample"], reference=lambda *a: 1.0, slips=ALL["01.q_sample"].slips)
    verdict = judge_code(one_number, lambda *a: 10**400)
    assert verdict.slip == "unusable" and "OverflowError" in repr(verdict.box)
    assert verdict.goes_on is one_number.reference


def test_an_error_that_cannot_be_said_is_told_by_its_name():
    verdict = judge_code(ALL["01.q_sample"], mute)
    assert verdict.slip == "raised" and "`Mute`: a Mute" in repr(verdict.box)


@pytest.mark.parametrize("name", [next(n for n, e in ALL.items() if isinstance(e, Value) and e.is_choice),
                                  next(n for n, e in ALL.items() if isinstance(e, Value) and not e.is_choice)])
@pytest.mark.parametrize("answer", [Rude(), 10**400, 10**5000, torch.ones(2), torch.ones((), device="meta"),
                                    np.ones(3)], ids=lambda a: type(a).__name__)
def test_an_answer_that_cannot_be_compared_is_unusable(name, answer):
    verdict = judge_value(ALL[name], answer)
    assert (verdict.slip, verdict.goes_on) == ("unusable", ALL[name].truth)
    assert " came." in repr(verdict.box)


def test_an_answer_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(checking, "limited", lambda call: limited(call, seconds=0.3))
    name = next(n for n, e in ALL.items() if isinstance(e, Value) and not e.is_choice)
    verdict = judge_value(ALL[name], Endless())
    assert (verdict.slip, verdict.goes_on) == ("stopped", ALL[name].truth)


@pytest.mark.parametrize(("said", "shown"), [(np.ones(2), "[1., 1.]"), (Rude(), "a Rude"), (10**5000, "a int")],
                         ids=["array", "rude", "long"])
def test_a_diagnosis_that_cannot_be_compared_is_none_of_the_names_and_the_others_count(said, shown):
    clinic = ALL["04.clinic"]
    verdict = judge_diagnoses(clinic, dict(clinic.truth) | {5: said})
    assert f"{shown}" in repr(verdict.box) and "is none of the names" in repr(verdict.box)
    assert f"{len(clinic.truth) - 1} right, 1 not right, 0 still open" in repr(verdict.box)


# --- exercises that take what changes when it is used ------------------------------------------------------------

def _shaken(x, generator):
    return x + torch.randn(x.shape, generator=generator)


DRAWS = Code(
    call="shaken(x, generator)", reference=_shaken, source=(_shaken,), right="One draw.", hints=("a", "b", "c"),
    also_right=(lambda x, g: torch.randn(2, 3, generator=g) + x, lambda x, g: x.clone().add_(_shaken(0 * x, g))),
    cases=lambda: [(torch.ones(2, 3), torch.Generator().manual_seed(seed)) for seed in (1, 2)],
    slips=(Slip("one grain for all", "Look at the shape.", lambda x, g: x + torch.randn(1, generator=g)),
           Slip("the second draw", "Look for a draw too many.",
                lambda x, g: _shaken(x, g) * 0 + _shaken(x, g)),
           Slip("its own noise", "Look at the generator.", lambda x, g: x + torch.randn(x.shape))),
)


def _trained(network, x, turns=2, rate=0.1, sign=1):
    for _ in range(turns):
        network.zero_grad()
        network(x).square().mean().backward()
        with torch.no_grad():
            for weights in network.parameters():
                weights -= sign * rate * weights.grad
    return network(x)


def _by_optimiser(network, x):
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        network(x).square().mean().backward()
        optimiser.step()
    return network(x)


TRAINS = Code(
    call="trained(network, x)", reference=_trained, source=(_trained,), right="Two steps.", hints=("a", "b", "c"),
    also_right=(_by_optimiser, lambda network, x: _trained(network, x, 1) * 0 + _trained(network, x, 1)),
    cases=lambda: [(torch.nn.Linear(3, 2), torch.ones(4, 3))],  # drawn anew, from the same seed
    slips=(Slip("one step", "Count.", lambda network, x: _trained(network, x, 1)),
           Slip("uphill", "Look at the sign.", lambda network, x: _trained(network, x, sign=-1)),
           Slip("not trained", "Look for the step.", lambda network, x: network(x))),
)


@pytest.mark.parametrize("exercise", [DRAWS, TRAINS], ids=["generator", "network"])
def test_what_changes_when_it_is_used_is_new_for_everyone(exercise):
    for answer in (exercise.reference, *exercise.also_right):
        assert judge_code(exercise, answer).box.mood == "right"
    for slip in exercise.slips:
        assert judge_code(exercise, slip.code).slip == slip.name
    assert judge_code(exercise, lambda *a: exercise.reference(*a) * 1.3 + 0.1).slip == "unrecognised"


@pytest.mark.parametrize("name", ["04.ddmi", "99.x", "", "01", 7, [], Rude(), b"04.ddim"])
def test_unknown_exercise_is_a_sentence(name):
    with pytest.raises(LabError, match="exercise was expected"):
        find(name)


def test_boxes_escape_what_the_learner_wrote():
    html = judge_value(ALL["01.schedule"], "<script>alert(1)</script>").box._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert 'role="status"' in html and "var(--jp-content-font-color0" in html


def rows(*values) -> list:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def test_a_distance_is_relative_and_that_of_the_worst_part():
    nan, inf = float("nan"), float("inf")
    assert distance(rows([3.0, 4.0]), rows([0.0, 0.0])) == pytest.approx(5 / 0.01)
    assert distance(rows([1.0], [6.0, 8.0]), rows([1.0], [3.0, 4.0])) == pytest.approx(5 / 5.01)
    assert distance(rows([nan, 2.0]), rows([nan, 2.0])) == 0 == distance(rows([1.0]), rows([1.0]))
    assert distance(rows([nan, 2.0]), rows([1.0, 2.0])) == distance(rows([1.0]), rows([inf])) == inf
    assert worst([rows([1.0]), rows([2.0])], [rows([1.0]), rows([1.0])]) == pytest.approx(1 / 1.01)
    assert [part.tolist() for part in flat((torch.ones(2, 1), 3, True))] == [[1.0, 1.0], [3.0], [1.0]]
    assert flat(2.5)[0].dtype == torch.float64


@pytest.mark.parametrize(("came", "wanted", "said"), [
    (None, 1.0, "returns nothing"), ((1, 2), (1, 2, 3), "3 things; a tuple of 2 came"), (5, (1, 2), "2 things; 5 came"),
    ((torch.ones(2), 1), (torch.ones(2), 1), ""), ([1, "x"], (1, 2), "One number was expected; 'x' came"),
    ((1.0, torch.ones(2)), (1.0, 2.0), "by a mean, or a sum? That is number 2 of the 2 things"),
    (torch.ones(1), 1.0, ""), (torch.ones(2), 1.0, "a tensor of shape (2,) came. These numbers are still"),
    (torch.ones(1) * 1j, 1.0, "One number"), (3, torch.ones(2), "a tensor of shape (2,); 3 came"),
    (..., torch.ones(2), "`...` came"), (torch.ones(2), torch.ones(3), "drops or adds a dimension"),
    (torch.ones(2, device="meta"), torch.ones(2), "torch.strided on meta came"),
    (torch.eye(2).to_sparse(), torch.eye(2), "torch.sparse_coo on cpu came"),
    (torch.ones(2).double(), torch.ones(2), "torch.float32 values like its arguments; torch.float64"),
    (torch.ones(2), torch.ones(2), ""), ({}, torch.ones(2), "a dict came"),
])  # fmt: skip
def test_what_does_not_fit_is_told(came, wanted, said):
    told = misfit(came, wanted)
    assert said in told and bool(said) == bool(told)


HINTS = ("one", "two", "three")
NUMBER = Value(2.0, {5.0: "five is the other one", -1: "no sign"}, "two it is", HINTS, "2", tolerance=0.25)
CHOICE = Value("noise", {"picture": "not the picture"}, "noise it is", HINTS, "noise")
WARD = Diagnoses({"Ann": "no noise", "Bob": "wrong sign"}, {"no noise": "smooth.", "wrong sign": "grey.", "x": "y."},
                 "well done", HINTS)  # fmt: skip


@pytest.mark.parametrize(("answer", "slip", "mood", "head"), [
    (2, "", "right", "Right"), (2.25, "", "right", "Right"), (1.75, "", "right", "Right"),
    (2.3, "unrecognised", "wrong", "Not right: too large"), (1.7, "unrecognised", "wrong", "Not right: too small"),
    (5.25, "5.0", "wrong", "Not right"), (4.7, "unrecognised", "wrong", "Not right: too large"),
    ("-1", "-1", "wrong", "Not right"),
    (..., "not yet", "not yet", "Not yet"), ("x", "unusable", "wrong", "It cannot be used yet"),
    (float("nan"), "unusable", "wrong", "It cannot be used yet"),
])  # fmt: skip
def test_a_number_is_judged_by_its_tolerance(answer, slip, mood, head):
    verdict = judge_value(NUMBER, answer)
    assert (verdict.slip, verdict.box.mood, verdict.box.head) == (slip, mood, head)
    assert verdict.goes_on == (2.0 if slip in ("not yet", "unusable") else answer)


@pytest.mark.parametrize(("answer", "slip", "head", "line"), [
    (" NOISE ", "", "Right", "noise it is"), ("Picture", "picture", "Not right: picture", "not the picture"),
    ("x", "unusable", "It cannot be used yet", "One of \"noise\", \"picture\" was expected; 'x' came."),
    (noise, "unusable", "It cannot be used yet", 'the function of that name; the word is written "noise".'),
])  # fmt: skip
def test_a_choice_is_judged_by_its_word(answer, slip, head, line):
    verdict = judge_value(CHOICE, answer)
    assert (verdict.slip, verdict.box.head) == (slip, head) and line in verdict.box.lines[0]


@pytest.mark.parametrize(("answers", "slip", "mood", "head"), [
    (["no noise", "wrong sign"], "", "right", "All of them right"), ([..., ...], "not yet", "not yet", "Not yet"),
    (["No Noise ", "x"], "unrecognised", "wrong", "1 right, 1 not right, 0 still open"),
    (["no noise", ...], "", "not yet", "1 right, 0 not right, 1 still open"),
    ([..., "what?"], "unrecognised", "wrong", "0 right, 1 not right, 1 still open"),
])  # fmt: skip
def test_diagnoses_are_counted(answers, slip, mood, head):
    verdict = judge_diagnoses(WARD, dict(zip(WARD.truth, answers, strict=True)))
    assert (verdict.slip, verdict.box.mood, verdict.box.head) == (slip, mood, head)
    if slip == "" and mood == "right":
        assert verdict.box.lines == ("✓ Ann: no noise. smooth.", "✓ Bob: wrong sign. grey.", "well done")
    if "x" in answers:
        assert verdict.box.lines[1] == "✗ Bob: not 'x'. That would show like this: y."
    if "what?" in answers:
        assert verdict.box.lines == ("✗ Bob: 'what?' is none of the names in the list.",
                                     'The names are "no noise", "wrong sign", "x".')


@pytest.mark.parametrize(("why", "head"), [("time", "Stopped: it did not come to an end"),
                                           ("memory", "Stopped: it asked for too much memory")])
def test_what_was_stopped_and_still_runs_is_told_so(why, head):
    boxes = [stopped(ALL["01.q_sample"], Outcome(stopped=why, running=running)).box for running in (False, True)]
    assert [box.head for box in boxes] == [head] * 2 and boxes[0].lines[-1] == GO_ON
    assert boxes[1].lines[-1] == (
        f"A part of it still runs in the background: restart the kernel to be rid of it. {GO_ON}")  # fmt: skip


def test_memory_is_watched_where_no_ceiling_holds(monkeypatch):
    """It grows by a gigabyte each time one looks; the thread waits until it was seen."""
    seen, told = itertools.count(0, 10**9), threading.Event()
    monkeypatch.setattr(limits.psutil, "Process", lambda: SimpleNamespace(
        memory_info=lambda: SimpleNamespace(rss=next(seen), vms=0)))  # fmt: skip
    thread = threading.Thread(target=told.wait, daemon=True)
    assert limits._wait(thread, seconds=1000, gigabytes=2) == "memory" and next(seen) == 4 * 10**9
    told.set()
    assert limits._wait(threading.Thread(target=int), seconds=1000, gigabytes=1e9) == ""


def test_what_cannot_be_used_leaves_the_course_s_own():
    assert unusable(WARD, "").goes_on == WARD.truth and unusable(WARD, "").goes_on is not WARD.truth
    assert unusable(NUMBER, "").goes_on == 2.0
    assert unusable(ALL["01.q_sample"], "").goes_on is ALL["01.q_sample"].reference

    @on_the_leash
    def judge(exercise):
        raise ValueError("no such number")

    told = "What came cannot be compared with the right answer: `ValueError`: no such number."
    assert judge(NUMBER).box.lines == (told, GO_ON)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a ceiling is set on Linux only")
@pytest.mark.parametrize(("before", "wanted"), [(6 * 10**9, 6 * 10**9), (10**18, 8 * 10**9), (-1, 8 * 10**9)])
def test_a_ceiling_is_never_above_the_one_there_was(monkeypatch, before, wanted):
    import resource

    told, memory = [], SimpleNamespace(vms=5 * 10**9, rss=0)
    monkeypatch.setattr(limits.psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: memory))
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (before, 10**18))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, both: told.append(both))
    assert limited(lambda: 5, gigabytes=3).value == 5
    assert told == [(wanted, 10**18), (before, 10**18)]


@pytest.mark.parametrize(("text", "found"), [
    ("+++ {}\n\n# 04 · Sampling, step by step\n\n# Not this", ("04", "Sampling, step by step")),
    ('"source": [\n "# 04 · Sampling\\n",\n "more"]', ("04", "Sampling")),
    ("# A lesson without a number", ("", "A lesson without a number")),
    ("## 04 · A slide\nx # 05 · no", ("", "")), ("", ("", ""))])  # fmt: skip
def test_a_title_is_found_in_a_text_and_in_a_notebook(text, found):
    assert title(text) == found
