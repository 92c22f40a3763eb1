"""Every displayed formula of the lessons is read as it stands and must agree with the package, number by number."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from latex import sides

from diffusion_lab.exact import Exact
from diffusion_lab.guidance import guide
from diffusion_lab.noising import add_noise, noise, small_steps
from diffusion_lab.sampling import ancestral, ddim_step, predicted_x0
from diffusion_lab.schedules import linear
from diffusion_lab.trajectory import Step

TEXTS = Path(__file__).parents[1] / "lessons" / "text"
BLOCK = re.compile(r"(?:<!-- formula: ([\w-]+) -->\n)?^\$\$(.*?)\$\$", re.M | re.S)
OTHER = re.compile(r"\\begin\{(equation|align|gather|math)|```\{math\}|\\\[")
MISPRINTS = ((r"\\sqrt", ""), (r"\+", "-"), (r"(?<![=(^{]) - ", " + "), (r"\|\^2", "|"), (r"=1\}", "=2}"))
A, B = 0.36, 0.81  # alpha_bar here and after a step


def q_sample():
    x0, eps = noise((5,), 1)[0].double(), noise((5,), 2)[0].double()
    return {r"x_t": add_noise(x0, A, eps), r"x_0": x0, r"\epsilon": eps, r"\bar\alpha_t": A}


def small_step():
    schedule = linear()
    walk = small_steps(q_sample()["x_0"][None], schedule, torch.Generator().manual_seed(3))
    states = [next(walk) for _ in range(8)]
    source = torch.Generator().manual_seed(3)
    z = [torch.randn((1, 5), generator=source, dtype=torch.float64) for _ in range(8)][-1]
    alpha_t = schedule.alpha_bar(7) / schedule.alpha_bar(6)
    return {r"x_t": states[7].x_t, r"x_{t-1}": states[6].x_t, r"\alpha_t": alpha_t, "z": z}


def alpha_bar_product():
    """The lesson counts timesteps from 1, the package from 0: the product of the first t alphas is alpha_bar[t - 1]."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    return {r"\bar\alpha_t": linear().alpha_bar(41), "t": 42, r"\alpha_*": list(1 - betas)}


def snr():
    return {r"\bar\alpha_t": A, "SNR": Step(torch.ones(1, 2), torch.ones(1, 2), A, 5).snr}


def _three_points():
    points = np.array([[0.9, -0.3], [-0.6, 0.7], [0.1, 0.2]], dtype=np.float32)
    model, x_t = Exact(points), torch.tensor([[0.2, 0.3]], dtype=torch.float64)
    weights, guess = model.weights(x_t, A)[0], model.guess(x_t, A)[0]
    return {"x_*": list(torch.tensor(points).double()), "w_*": list(weights), "N": 3, r"\hat x_0": guess,
            r"\bar\alpha_t": A, "x_t": x_t[0]}


def posterior_weights():
    """w_i stands on the left with a free index i: one equation for each picture."""
    values = _three_points()
    return [{**values, ("index", "i"): k} for k in (1, 2, 3)]


def eps_from_x0():
    values = _three_points()
    model = Exact(torch.stack(values["x_*"]).float().numpy())
    t = next(t for t in range(1000) if model.schedule.alpha_bar(t) < A)
    a = model.schedule.alpha_bar(t)
    x_t = values["x_t"][None]
    eps = model.predict_noise(x_t, t)
    return {"x_t": x_t, r"\bar\alpha_t": a, r"\hat x_0": model.guess(x_t, a), r"\hat\epsilon": eps}


def x0_from_eps():
    values = q_sample()
    eps = values[r"\epsilon"] * 0.7
    return {**values, r"\hat\epsilon": eps, r"\hat x_0": predicted_x0(values["x_t"], eps, A)}


def ddim():
    values = x0_from_eps()
    return {**values, r"\bar\alpha_s": B, "x_s": ddim_step(values["x_t"], values[r"\hat\epsilon"], A, B)}


def _ancestral():
    """Mean and sigma of the package's rule, measured from two draws whose noise is known."""
    values, eta = x0_from_eps(), 0.6
    x_t, eps = values["x_t"][None], values[r"\hat\epsilon"][None]
    x_s = ancestral(torch.Generator().manual_seed(5), eta)(x_t, eps, A, B)[0]
    other = ancestral(torch.Generator().manual_seed(6), eta)(x_t, eps, A, B)[0]
    z, z_other = (torch.randn(5, generator=torch.Generator().manual_seed(k)).double() for k in (5, 6))
    sigma = float(((x_s - other) / (z - z_other)).mean())
    return {**values, r"\bar\alpha_s": B, r"\sigma": sigma, r"\eta": eta, "z": z, "x_s": x_s, r"\mu": x_s - sigma * z}


def cfg():
    cond, uncond = noise((4,), [1, 2]).double()
    return {r"\epsilon": guide(uncond, cond, 3.0), "w": 3.0, r"\epsilon_c": cond, r"\epsilon_u": uncond}


VALUES = {
    "q_sample": q_sample, "small_step": small_step, "alpha_bar_product": alpha_bar_product, "snr": snr,
    "posterior_mean": _three_points, "posterior_weights": posterior_weights, "eps_from_x0": eps_from_x0,
    "x0_from_eps": x0_from_eps, "ddim": ddim, "ancestral_sigma": _ancestral, "ancestral_step": _ancestral,
    "ancestral_mean": _ancestral, "cfg": cfg,
}


def displayed() -> list[tuple[str, str, str]]:
    """(text, id, LaTeX) of every displayed formula; the id is empty where none stands on the line before."""
    return [(path.name, found[1] or "", " ".join(found[2].split()))
            for path in sorted(TEXTS.glob("[0-9][0-9]_*.md")) for found in BLOCK.finditer(path.read_text("utf-8"))]


def gap(latex: str, identity: str) -> float:
    """The largest relative difference between the sides of an equation."""
    values = VALUES[identity]()
    worst = 0.0
    for one in values if isinstance(values, list) else [values]:
        left, *others = sides(latex, one)
        worst = max(worst, *(float((left - right).abs().max() / (left.abs().max() + 1e-12)) for right in others))
    return worst


FORMULAS = displayed()


def test_there_are_formulas():
    assert len(FORMULAS) >= 7


@pytest.mark.parametrize(("text", "identity", "latex"), FORMULAS)
def test_formula_is_what_the_package_computes(text, identity, latex):
    assert identity, f"{text}: write <!-- formula: ID --> on the line before $$ {latex} $$"
    assert identity in VALUES, f"{text}: formula {identity!r} has no test; add its values to VALUES"
    assert gap(latex, identity) < 1e-6


@pytest.mark.parametrize(("text", "identity", "latex"), FORMULAS)
def test_a_misprint_would_be_noticed(text, identity, latex):
    """A root removed, a sign turned, a square dropped, a series begun one too late: none of them passes."""
    misprints = [latex[:m.start()] + new + latex[m.end():] for old, new in MISPRINTS for m in re.finditer(old, latex)]
    assert misprints, f"{text}: {latex} has nothing that this test can misprint; teach it another way"
    for misprint in misprints:
        assert gap(misprint, identity) > 1e-4, f"{text}: {misprint} passes as {identity}"


def test_no_two_formulas_share_a_name():
    seen = {}
    for text, identity, latex in FORMULAS:
        assert seen.setdefault(identity, latex) == latex, f"{text}: {identity!r} is another formula elsewhere"


@pytest.mark.parametrize("path", sorted(TEXTS.glob("[0-9][0-9]_*.md")), ids=lambda p: p.name)
def test_formulas_are_written_in_the_one_way_that_is_tested(path):
    assert not OTHER.search(path.read_text("utf-8")), "write displayed formulas between $$ and $$"


@pytest.mark.parametrize("latex", [r"x_t = \foo", r"x_t = (1", r"= x_t", r"x_t = \frac{1}", r"x_t & = 1"])
def test_what_cannot_be_read_is_refused(latex):
    with pytest.raises((ValueError, IndexError, KeyError)):
        sides(latex, {"x_t": 1.0})
