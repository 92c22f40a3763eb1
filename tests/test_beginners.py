"""The slips of every beginner are named in every exercise, by mending the learner's own code, and never by guessing."""

import ast
import inspect
import linecache
import math
import textwrap

import numpy as np
import pytest
import torch

from diffusion_lab import add_noise, cosine, ddim_step, denoise, noise
from diffusion_lab.coursework.checks.answers import judge_diagnoses, judge_value
from diffusion_lab.coursework.checks.beginners import repaired
from diffusion_lab.coursework.checks.checking import check, judge_code, todo
from diffusion_lab.coursework.checks.exercises import Code
from diffusion_lab.coursework.checks.tables import kept
from diffusion_lab.coursework.lessons import exercises, find, numbers

CODES = [name for lesson in numbers() for name, one in exercises(lesson).items() if isinstance(one, Code)]
Q = "def q_sample(x0, alpha_bar, eps):\n    "
D = "def ddim_step(x_t, eps, alpha_bar, alpha_bar_next):\n    "
L = "def draw(predict, schedule, x, timesteps):\n    "
P = "def posterior_mean(x_t, a, b, alpha_bar):\n    "
R = "def reverse_step(x_t, x0, alpha_bar, alpha_bar_next):\n    "
A = "def ancestral_parts(x_t, eps, alpha_bar, alpha_bar_next, eta):\n    "
NOISE = "eps = (x_t - alpha_bar**0.5 * x0) / (1 - alpha_bar)**0.5\n    "
MIX = "return alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next)**0.5 * eps"
GOOD = "x0 = (x_t - (1 - alpha_bar)**0.5 * eps) / alpha_bar**0.5\n    "
G = "def denoising_loss(network, x0, eps, t, alpha_bars):\n    "
V = "def from_v(x_t, v, alpha_bar):\n    "
F = "def guide(eps_uncond, eps_cond, guidance_scale):\n    "
B = "def residual_block(x, scale, shift, block):\n    "
FIRST, SECOND = "h = block.conv1(silu(block.norm1(x)))\n    ", "h = block.norm2(h) * (1 + scale) + shift\n    "
PUSHED = "g = eps_uncond + guidance_scale * (eps_cond - eps_uncond)\n    "
PICTURE = "x0 = alpha_bar**0.5 * x_t - (1 - alpha_bar)**0.5 * v\n    "
DUST = "eps = (1 - alpha_bar)**0.5 * x_t + alpha_bar**0.5 * v\n    "
SQUARED = "return ((network(x_t, t) - eps)**2).mean()"
MIXED = "a = alpha_bars[t][:, None]\n    x_t = a**0.5 * x0 + (1 - a)**0.5 * eps\n    "
S = "def seam_at(pixels, column):\n    "
M = "def masked_step(proposal, known, mask, eps, alpha_bar_next):\n    "
AT = "def attend(q, k, v):\n    "
E = "def decibels(picture, again):\n    "
FL = "def flow_loss(network, x0, eps, s):\n    "
PA = "def pairs_of(predict, schedule, eps, timesteps):\n    "
T = "def target_of_jump(x_t, x_e, alpha_bar, alpha_bar_e):\n    r = ((1 - alpha_bar_e) / (1 - alpha_bar))**0.5\n    "
EACH = "for t, a, b in schedule.times(timesteps):\n        "


def weighed(far: str, scale: str = "2 * (1 - alpha_bar)", power: str = "torch.exp") -> str:
    """A posterior mean written out, with `far` the distance of one picture, @."""
    lines = [f"f{p} = {far.replace('@', p)}" for p in "ab"] + [f"e{p} = {power}(-f{p} / ({scale}))" for p in "ab"]
    return P + "\n    ".join([*lines, "return ea / (ea + eb) * a + eb / (ea + eb) * b"])


def shaken(kept: str = "(1 - alpha_bar_next - sigma**2)**0.5", result: str = "mean, sigma",
           ratio: str = "(1 - alpha_bar_next) / (1 - alpha_bar)") -> str:
    """The two parts of a shaken step written out."""
    sigma = f"sigma = eta * ({ratio})**0.5 * (1 - alpha_bar / alpha_bar_next)**0.5\n    "
    return A + sigma + GOOD + f"mean = alpha_bar_next**0.5 * x0 + {kept} * eps\n    return {result}"


def written(code: str, **names):
    """A function as a cell of a notebook defines it: its source can be found."""
    file = f"<cell {abs(hash(code))}>"
    linecache.cache[file] = (len(code), None, code.splitlines(True), file)
    known = dict(names)
    exec(compile(code, file, "exec"), known)
    return known[code.split("(")[0].removeprefix("def ").strip()]


K = "def skip_steps(predict, schedule, x, n):\n    T = len(schedule)\n    "
EVERY = "timesteps = [T - k * T // n - 1 for k in range(n)]\n    "
WALKED = "for t, a, b in schedule.times(timesteps):\n        x = ddim_step(x, predict(x, t).eps, a, b)\n    return x"
H = "def heun_step(predict, x_t, t, t_next, alpha_bar, alpha_bar_next):\n    eps = predict(x_t, t).eps\n    "
TRIED = "trial = ddim_step(x_t, eps, alpha_bar, alpha_bar_next)\n    "
LOOKED = "again = predict(trial, t_next).eps\n    "
LEAPT = "return ddim_step(x_t, (eps + again) / 2, alpha_bar, alpha_bar_next)"


C = "def coverage(heap, near, K):\n    "
C += "found = (torch.bincount(heap[near], minlength=K) >= len(heap) / (4 * K)).sum()\n    "
SHARES = "p = torch.bincount(heap, minlength=K) / len(heap)\n    "
THREE = "found, near.float().mean(), torch.xlogy(p, K * p).sum()"
GL = "def gan_losses(real, fake):\n    "
GL += "critic = torch.log(1 + (-real).exp()).mean() + torch.log(1 + fake.exp()).mean()\n    "


@pytest.mark.parametrize(("name", "code", "slip", "words"), [
    ("11.skip", K + EVERY + WALKED.replace("    return", "        return"), "return inside the loop", "to the left"),
    ("11.skip", K + EVERY + WALKED.replace("a, b)", "b, a)"), "two arguments changed places", "b, a)`"),
    ("11.skip", K + EVERY + WALKED.replace("predict(x, t)", "predict(t, x)"), "two arguments changed places",
     "`predict(t, x)`"),
    ("11.skip", K + "timesteps = [k * T // n for k in range(n)][::-1]\n    " + WALKED, "never begins at static",
     "first number"),
    ("11.heun", H + TRIED + LOOKED + LEAPT.replace("(eps + again) / 2", "eps + again / 2"), "brackets are missing",
     "all that is divided"),
    ("11.heun", H + TRIED + LOOKED + LEAPT.replace("return ", "x = "), "no return", "`return x`"),
    ("11.heun", H + TRIED + LOOKED.replace("t_next", "t") + LEAPT, "asked at the old time", "second call"),
    ("11.heun", H + TRIED + LOOKED.replace("trial", "x_t") + LEAPT, "asked at the old place", "second call"),
    ("11.heun", H + TRIED + LOOKED + LEAPT.replace("(eps + again)", "(predict(x_t, t).eps + again)"), "too many calls",
     "asks the network 3 times where 2 are enough"),
    ("11.skip", K + EVERY + WALKED.replace("predict(x, t).eps", "(predict(x, t).eps + predict(x, t).eps) / 2"),
     "too many calls", "asks the network 8 times where 4 are enough"),
    ("11.skip", K + EVERY + WALKED.replace("x = ddim_step(x, predict(x, t).eps, a, b)",
     "x.copy_(ddim_step(x, predict(x, t).eps, a, b))"), "changes its arguments", "ends in `_`"),
    ("11.heun", H + "predict(x_t, t)\n    " + TRIED + LOOKED + LEAPT, "too many calls", "3 times where 2 are enough"),
    ("11.heun", H + TRIED + LOOKED + LEAPT + ".double()", "unusable", "torch.float64 came"),
    ("11.heun", H + TRIED + LEAPT.replace("(eps + again)", "(predict(x_t, t) + predict(trial, t_next))"), "raised",
     "`predict(x, t).eps`"),
    ("11.skip", K + EVERY + WALKED.replace("t, a, b in", "t, a in"), "raised", "not as many as the things"),
    ("11.skip", K + "timesteps = range(T - 1, 0, -(T // n))\n    " + WALKED, "more than n timesteps", "it is 8"),
    ("11.skip", K.replace("len(schedule)", "1000") + EVERY + WALKED, "always 1000 timesteps", "`len(schedule)`"),
    ("11.skip", K + "timesteps = range(T - 1, -1, -{4: 250, 5: 200}[n])\n    " + WALKED, "raised", "`KeyError`"),
    ("11.heun", H + TRIED + LOOKED + LEAPT.replace("(eps + again) / 2", "torch.stack([eps, again]).mean()"), "raised",
     "half their sum"),
    ("11.heun", H + TRIED + LOOKED + LEAPT.replace("(eps + again) / 2", "[eps, again]"), "raised", "stay a tensor"),
    ("11.heun", H + TRIED + LOOKED + "mean = (eps + again) / 2\n    return mean", "the guess is handed back", "step"),
    ("11.skip", K + EVERY.replace("//", "/") + WALKED, "raised", "gives a whole number"),
    ("11.skip", K + EVERY + WALKED.replace("x = ddim_step(x, predict(x, t).eps, a, b)",
     "eps = predict(x, t).eps; x = ddim_step(x, eps, a, b)").replace("return x", "return eps"),
     "the guess is handed back", "in place of x"),
    ("11.skip", K.replace("T = len(schedule)\n    ", "") + EVERY + WALKED, "raised", "`n`. Whatever else"),
    ("11.skip", K + EVERY + WALKED.replace("x = ddim", "y = ddim").replace("return x", "return y"),
     "no step goes on from the last one", "before the `=`"),
    ("11.skip", K + EVERY + WALKED.replace("schedule.times(timesteps)", "schedule.times(timesteps)[:-1]"),
     "the last step is missing", "one more step"),
    ("09.seam", S + "return (pixels[:, column] - pixels[:, column - 1]).abs().mean", "a method that is not called",
     "`()`"),
    *(("09.seam", S + code.replace("STEP", "(pixels[:, column] - pixels[:, column - 1])"), slip, words)
      for code, slip, words in (
        ("return STEP.abs.mean()", "a method that is not called", "`()`"),
        ("return float(round(float(STEP.abs().mean())))", "rounded", "`round("),
        ("return float(int(STEP.abs().mean()))", "rounded", "`int("),
        ("return float(STEP.abs().mean().int())", "rounded", "behind the point"),
        ("return abs(float(STEP)).mean()", "no tensor any more", "cannot become one"),
        ("return float((pixels[:, column - 1] - pixels[:, column - 2]).abs().mean())", "one column too far left",
         "brackets"),
        ("column = 5\n    return float(STEP.abs().mean())", "an argument is overwritten", "`column = 5`"))),
    ("09.masked", M + "mask = 1\n    kept = alpha_bar_next**0.5 * known + (1 - alpha_bar_next)**0.5 * eps\n    "
     "return mask * proposal + (1 - mask) * kept", "an argument is overwritten", "`mask = 1`"),
    ("09.masked", M + "kept = alpha_bar_next**0.5 * known + (1 - alpha_bar_next)**0.5 * eps\n    "
     "return mask * proposal + 1 - mask * kept", "brackets are missing", "the difference"),
    ("09.masked", M + "kept = add_noise(known, eps, alpha_bar_next)\n    return mask * proposal + (1 - mask) * kept",
     "two arguments changed places", "`add_noise(known, eps, alpha_bar_next)`"),
    ("12.flow", FL + "x = (1 - s) * x0 + s * eps\n    return ((network(x, s) - (eps - x0))**2).mean",
     "a method that is not called", "`()`"),
    ("12.flow", FL + "x = 1 - s * x0 + s * eps\n    return ((network(x, s) - (eps - x0))**2).mean()",
     "brackets are missing", "the sum."),
    ("12.flow", FL + "x = (1 - s) * x0 + s * eps\n    return ((network(x, s) - eps - x0)**2).mean()",
     "brackets around the flow are missing", "in brackets"),
    ("12.flow", FL + "x0 *= 1 - s\n    x0 += s * eps\n    return ((network(x0, s) - (eps - x0))**2).mean()",
     "a name is used twice", "`x0`"),
    ("12.flow", FL + "x = (1 - s) * x0 + s * eps\n    return torch.nn.MSELoss(network(x, s), eps - x0)", "raised",
     "torch.nn.functional.mse_loss"),
    ("12.reflow", PA + "last = denoise(predict, schedule, eps, timesteps)[-1]\n    return last.x0, eps", "raised",
     "list(denoise(...))"),
    ("12.reflow", PA + "last = denoise(predict, schedule, eps, timesteps)\n    return last.x0, eps", "raised",
     "list(denoise(...))"),
    ("12.reflow", PA + "return denoise(predict, schedule, eps, timesteps)", "unusable", "`list(...)`"),
    ("12.flow", FL + "x0 = (1 - s) * x0\n    eps = s * eps\n    return ((network(x0 + eps, s) - (eps - x0))**2).mean()",
     "the parts where the whole was asked for", "other names"),
    *(("12.flow", FL + "x = (1 - s) * x0 + s * eps\n    " + rest, slip, words) for rest, slip, words in (
        ("return ((network(x, s.squeeze()) - (eps - x0))**2).mean()", "a column made flat", "`s.squeeze()`"),
        ("return ((network(x, s) - (eps - x0)) * 2).mean()", "twice the mistake, not its square", "`**2`"),
        ("return ((network(x, s) - (eps - x0))**2).mean() + 0.01", "something is too much", "`((network"),
        ("return ((network(x, s[:, 0]) - (eps - x0))**2).mean()", "a column is missing", "makes one"))),
    ("12.flow", FL + "eps = torch.randn_like(eps)\n    x = (1 - s) * x0 + s * eps\n    "
     "return ((network(x, s) - (eps - x0))**2).mean()", "an argument is overwritten", "leave that line out"),
    *(("12.reflow", PA + start + "p = list(denoise(predict, schedule, eps, timesteps))\n    " + rest, slip, words)
      for start, rest, slip, words in (
        ("", "return p[-1].x0.clamp(-1,1), eps", "cut off", "all of it is needed"),
        ("", "return torch.clamp(p[-1].x0, -2,2), eps", "cut off", "all of it is needed"),
        ("", "return p[len(p)].x0, eps", "one too many or too few", "has number 0"),
        ("eps = torch.randn_like(eps)\n    ", "return p[-1].x0, eps", "an argument is overwritten", "leave that"))),
    ("12.reflow", PA + "*_, last = denoise(predict, schedule, eps, timesteps)\n    return last", "unusable",
     "the picture that it guesses its `.x0`"),
    ("12.target", T.replace("(1 - alpha_bar_e) / (1 - alpha_bar)", "alpha_bar_e / alpha_bar")
     + "return (x_e - r * x_t) / (alpha_bar_e**0.5 - r * alpha_bar**0.5)", "r of the pictures", "look at r"),
    ("12.target", T.replace(") / (", ") // (") + "return (x_e - r * x_t) / (alpha_bar_e**0.5 - r * alpha_bar**0.5)",
     "rounded", "all of it is needed"),
    *(("12.target", T + f"return (x_e - r * x_t) / ({below})", slip, words) for below, slip, words in (
        ("alpha_bar_e**0.5 - r * alpha_bar_e**0.5", "one name for another", "into `r * alpha_bar_e ** 0.5`"),
        ("alpha_bar_e**0.5 - r * alpha_bar*0.5", "a half for a root", "`r * alpha_bar * 0.5` is a half"),
        ("alpha_bar_e*0.5 - r * alpha_bar*0.5", "a half for a root", "`alpha_bar_e * 0.5` is a half"))),
    ("12.target", T.replace("**0.5", "*0.5") + "return (x_e - r * x_t) / (alpha_bar_e*0.5 - r * alpha_bar*0.5)",
     "a half for a root", "is a half"),
    ("12.reflow", PA + "for step in denoise(predict, schedule, eps, timesteps):\n        return step.x0, eps",
     "return inside the loop", "`return (step.x0, eps)` stands inside the loop"),
    ("12.reflow", PA + "*_, last = denoise(predict, schedule, eps, timesteps[:1])\n    return last.x0, eps",
     "the first guess, not the end", "Walk all of `timesteps`"),
    ("12.flow", FL + "x0 *= (1 - s)\n    return ((network(x0 + s * eps, s) - (eps - x0))**2).mean()",
     "a name is used twice", "`x0 *= 1 - s`"),
    ("12.flow", FL + "x = (1 - s) * x0 + s * eps\n    return (network(x, s)**2 - (eps - x0)**2).mean()",
     "a difference of squares", "squared first"),
    ("12.target", T + "return x_e - r * x_t / (alpha_bar_e**0.5 - r * alpha_bar**0.5)", "brackets are missing",
     "all that is divided"),
    ("12.target", T + "return (x_e - r * x_t) / alpha_bar_e**0.5 - r * alpha_bar**0.5", "brackets are missing",
     "all that you divide by"),
    *(("03.loss", G + MIXED + rest, "cut off from the network", word) for rest, word in (
        ("return ((network(x_t, t).detach() - eps)**2).mean()", "`network(x_t, t).detach()`"),
        ("return torch.tensor(((network(x_t, t) - eps)**2).mean())", "torch.tensor("),
        ("return float(((network(x_t, t) - eps)**2).mean())", "float("),
        ("return ((network(x_t, t) - eps)**2).mean().item()", ".item()"),
        ("return ((network(x_t, t).detach().numpy() - eps.numpy())**2).mean()", "detach()"),
        ("with torch.no_grad():\n        guess = network(x_t, t)\n    return ((guess - eps)**2).mean()", "no_grad()"))),
    *(("03.loss", G + MIXED.replace("alpha_bars[t][:, None]", share) + "return ((network(x_t, t) - eps)**2).mean()",
       slip, word) for share, slip, word in (
        ("alpha_bars(t)[:, None]", "round brackets for a list", "square ones"),
        ("alpha_bars[:, None]", "a column is missing", "`alpha_bars[:, None]`"),
        ("alpha_bars[t]", "a column is missing", "`[:, None]`"))),
    ("03.loss", G + MIXED + "return ((network(x_t, t) - eps)**2).mean", "a method that is not called", "`()`"),
    ("03.loss", G + MIXED + "return ((network(x_t, t / 1000) - eps)**2).mean()", "the network is not told the time",
     "second argument"),
    ("01.q_sample", Q + "return torch.sqrt(alpha_bar) * x0 + torch.sqrt(1 - alpha_bar) * eps",
     "a root that does not take this", "`torch.sqrt(alpha_bar)`"),
    ("01.q_sample", Q + "return sqrt(alpha_bar) * x0 + sqrt(1 - alpha_bar) * eps", "sqrt has another name", "a**0.5"),
    ("01.q_sample", Q + "return maths.sqrt(alpha_bar) * x0 + maths.sqrt(1 - alpha_bar) * eps",
     "a name spelt otherwise", "Is it `math`?"),
    ("01.q_sample", Q + "return math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * eps", "not imported",
     "`import math`"),
    ("01.q_sample", Q + "return alpha_bar**1/2 * x0 + (1 - alpha_bar)**1/2 * eps", "a power of one, divided by two",
     "`alpha_bar ** 1 / 2`"),
    ("01.q_sample", Q + "return alpha_bar^0.5 * x0 + (1 - alpha_bar)^0.5 * eps", "^ is no power", "`**`"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0, (1 - alpha_bar)**0.5 * eps", "a comma", "Was a `+` meant"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps,", "a comma", "or nothing at all"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x + (1 - alpha_bar)**0.5 * eps", "a variable of an earlier cell",
     "is called `x0`"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + (1 - alfa_bar)**0.5 * eps", "a name spelt otherwise",
     "Is it `alpha_bar`?"),
    ("01.q_sample", "def q_sample(x0, eps, alpha_bar):\n    return alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps",
     "two arguments changed places", "the function's first line"),
    ("01.q_sample", Q + "y = alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps", "no return", "`return y`"),
    ("01.q_sample", Q + "return [alpha_bar**0.5 * x + (1 - alpha_bar)**0.5 * e for x, e in zip(x0, eps)]",
     "a list for a tensor", "`torch.stack(...)`"),
    ("01.q_sample", Q + "return np.sqrt(alpha_bar) * x0.numpy() + np.sqrt(1 - alpha_bar) * eps.numpy()", "no tensor",
     "torch.as_tensor"),
    ("04.ddim", D + "x0 = x_t - (1 - alpha_bar)**0.5 * eps / alpha_bar**0.5\n    "
     "return alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next)**0.5 * eps", "brackets are missing",
     "all that is divided"),
    ("04.ddim", D + GOOD + "alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next)**0.5 * eps", "no return",
     "`return` before"),
    ("02.posterior", P +
     "e = [torch.exp(-((x_t - alpha_bar**.5 * p)**2).sum() / 2 * (1 - alpha_bar)) for p in (a, b)]\n"
     "    w = e[0] / (e[0] + e[1])\n    return w * a + (1 - w) * b", "brackets are missing",
     "all that you divide by"),
    ("02.posterior", P +
     "e = [torch.exp(-((x_t - alpha_bar**.5 * p)**2).sum() / (2 * (1 - alpha_bar))) for p in (a, b)]\n"
     "    w = e[0] / e[0] + e[1]\n    return w * a + (1 - w) * b", "brackets are missing",
     "`e[0] / e[0] + e[1]`"),
    ("02.posterior", P +
     "e = [torch.exp(-((x_t - alpha_bar**.5 * p)**2).sum() / (2 * 1 - alpha_bar)) for p in (a, b)]\n"
     "    w = e[0] / (e[0] + e[1])\n    return w * a + (1 - w) * b", "brackets are missing", "the sum."),
    ("04.ddim", D + GOOD + "return alpha_bar_next**0.5 * x0 + (1 - alpha_bar_next**0.5) * eps",
     "brackets are missing", "what stands under the root"),
    ("02.posterior", P + "d = [((x_t - alpha_bar**.5 * p)**2).sum() / (2 * (1 - alpha_bar)) for p in (a, b)]\n"
     "    w = np.stack([-d[0], -d[1]]).softmax(0)\n    return w[0] * a + w[1] * b", "numpy for torch",
     "write `torch.`"),
    ("08.loop", L + "for t, a, b in schedule.times(timesteps):\n        x = ddim_step(x, predict(x, t).eps, a, b)\n"
     "        return x", "return inside the loop", "from diffusion_lab import ddim_step"),
    ("07.attention", AT + "rows = []\n    for one in q:\n        s = (one @ k.T / len(one)**0.5).softmax(0)\n"
     "        rows.append(s @ v)\n        return torch.stack(rows)", "return inside the loop", "below the loop"),
    ("07.error", E + "total = 0\n    for x, y in zip(picture, again):\n        total += ((y - x)**2).mean()\n"
     "        return -10 * torch.log10(total / len(picture))", "return inside the loop", "below the loop"),
    ("07.error", E + "return [-10 * torch.log10(((again - picture)**2).mean())]", "a list of one",
     "Hand back what is in them"),
    ("07.error", E + "return -10 * math.log10(((again - picture)**2).mean())", "no tensor",
     "Not right: not imported, and no tensor"),
    ("07.attention", AT + "for one in q:\n        s = (one @ k.T).softmax(0)\n        return s @ v",
     "return inside the loop", "in its first round"),
    ("07.error", E + "return -10 * torch.log10((again - picture).var())", "the mean difference taken off",
     "count as perfect"),
    ("07.attention", AT + "return (q @ k.T / q.shape[1]**1/2).softmax(dim=1) @ v", "a power of one, divided by two",
     "The root is `a**0.5`"),
    ("08.loop", L + "for t, a, b in timesteps:\n        x = ddim_step(x, predict(x, t).eps, a, b)\n    return x",
     "timesteps holds only t", "schedule.times(timesteps)"),
    ("08.loop", L + "for t, a, b in schedule.times(timesteps):\n        eps = predict(x, t).eps\n"
     "        ddim_step(x, eps, a, b)\n    return x + 0 * eps", "a result that nobody keeps", "write `x = ` before it"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * ε", "a name spelt otherwise",
     "Is it `eps`?"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**2).sum()", power="e**"), "not imported",
     "from math import e"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**2).sum()", power="exp"), "not imported",
     "from torch import exp"),
    ("02.posterior", weighed("((x_t - 0.8 * @)**2).sum()", "0.72"), "a number of the table kept", "`0.72`, `0.8`"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**2).sum()", "0.72"), "a number of the table kept", "`0.72`"),
    ("02.reverse", R + "dust = (x_t - 0.6 * x0) / 0.8\n    return 0.8 * x0 + 0.6 * dust", "a number of the table kept",
     "`0.8`, `0.6`"),
    ("04.ddim", D + "x0 = (x_t - 0.8 * eps) / 0.6\n    " + MIX, "a number of the table kept", "`0.6`, `0.8`"),
    ("02.posterior", weighed("(x_t[0] - alpha_bar**.5 * @[0])**2 + (x_t[1] - alpha_bar**.5 * @[1])**2"),
     "only the first two numbers are looked at", "any length"),
    ("02.posterior", P + "fa, fb = (x_t[0] - 0.8)**2 + x_t[1]**2, (x_t[0] + 0.4)**2 + (x_t[1] - 0.8)**2\n    "
     "ea, eb = torch.exp(-fa / 0.72), torch.exp(-fb / 0.72)\n    return (ea * a + eb * b) / (ea + eb)",
     "something given is never used", "`alpha_bar`"),
    ("02.posterior", weighed("(x_t - alpha_bar**.5 * @)**2"), "nothing is added up", "`.sum()`"),
    ("02.posterior", weighed("(x_t - alpha_bar**.5 * @).sum()**2"), "added up before it is squared", "squared first"),
    ("02.reverse", R + NOISE + "return add_noise(x0, eps, alpha_bar_next)", "two arguments changed places",
     "`add_noise(x0, eps, alpha_bar_next)`"),
    ("02.reverse", R + NOISE + "return eps", "something given is never used", "`alpha_bar_next`"),
    ("02.reverse", R + "eps = noise(x_t.shape[1:], [0, 1]) + 0 * x_t * alpha_bar\n    " + MIX, "noise of its own",
     "none is asked for"),
    ("02.reverse", R + "eps = (x_t - (1 - alpha_bar)**.5 * x0) / alpha_bar**.5\n    " + MIX,
     "two factors changed places",
     "`(1 - alpha_bar) ** 0.5`"),
    ("04.ddim", D + GOOD + "return (1 - alpha_bar_next)**.5 * x0 + alpha_bar_next**.5 * eps",
     "two factors changed places", "ask of each"),
    ("04.ddim", D + GOOD + "return alpha_bar_next**0.5 * x_t + (1 - alpha_bar_next)**0.5 * eps", "one name for another",
     "`x_t` is not what belongs"),
    ("04.ddim", D + GOOD + "guess = 1.1 * x0\n    return alpha_bar_next**0.5 * (x_t + x0) + alpha_bar_next * eps",
     "something computed is never used", "`guess`"),
    ("01.q_sample", Q + "return alpha_bar**2 * x0 + (1 - alpha_bar)**2 * eps", "a square for a root", "`**0.5`"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**0.5).sum()"), "a root for a square", "`**2`"),
    ("01.q_sample", Q + "return (alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps).clamp(-1, 1)", "cut off",
     "all of it is needed"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**2).sum()").replace("ea / (ea + eb) * a + eb / (ea + eb) * b",
     "ea * a + eb * b / (ea + eb)"), "brackets are missing", "all that is divided"),
    ("01.q_sample", Q + "return np.clip(alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps, -1, 1)", "cut off",
     "`np.clip("),
    ("01.q_sample", Q + "return torch.clip(alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps, -1, 1)", "cut off",
     "all of it is needed"),
    ("01.q_sample", Q + "return 0.5**0.5 * x0 + (1 - 0.5)**0.5 * eps", "something given is never used",
     "a number perhaps"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + 1 - alpha_bar**0.5 * eps", "brackets are missing",
     "the difference"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**2).sum()").replace("eb / (", "1 - ea / ("),
     "brackets are missing", "the difference"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + (alpha_bar - 1)**0.5 * eps",
     "a difference the wrong way round", "`alpha_bar - 1`"),
    ("01.q_sample", Q + "return alpha_bar**0,5 * x0 + (1 - alpha_bar)**0,5 * eps", "a comma for a point", "`0.5`"),
    ("01.q_sample", Q + "return [alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * eps]", "a list of one", "in them"),
    ("01.q_sample", Q + "half = 0.5\n    return alpha_bar**half * x0 + half(2) * (1 - alpha_bar)**half * eps",
     "a `*` is missing", "`half(2)`"),
    ("04.ancestral", shaken("((1 - alpha_bar_next)**0.5 - sigma)"), "sizes subtracted, not squares", "under the root"),
    ("04.ancestral", shaken("((1 - alpha_bar_next)**0.5 - sigma**2)"), "brackets are missing", "stands under the root"),
    ("04.ancestral", shaken("(1 - alpha_bar_next + sigma**2)**0.5"), "a wrong sign", "is turned"),
    ("04.ancestral", shaken("(1 - alpha_bar_next - sigma)**0.5"), "a square is missing", "sigma"),
    ("04.ancestral", shaken(ratio="(1 - alpha_bar) / (1 - alpha_bar_next)"), "a fraction upside down",
     "`ZeroDivisionError`"),
    ("04.ancestral", shaken(result="sigma, mean"), "results that changed places", "sigma, mean"),
    ("08.loop", L + EACH + "x = ddim_step(x, predict(x, t).eps, b, a)\n    return x", "two arguments changed places",
     "b, a)`"),
    ("08.loop", L + EACH + "x = ddim_step(x, predict(t, x).eps, a, b)\n    return x", "two arguments changed places",
     "`predict(t, x)`"),
    ("08.loop", L + EACH + "x = ddim_step(x, predict(x, t).eps, schedule.alpha_bar[t], b)\n    return x",
     "square brackets for a call", "round ones"),
    ("08.loop", L + "for t, c, d in schedule.times(timesteps):\n        eps = predict(x, c).eps\n"
     "        x = 0 * t + ddim_step(x, eps, c, d)\n    return x", "one name for another", "`predict(x, c)`"),
    ("08.loop", L + EACH + "eps = predict(x, t).eps\n        x = x - eps\n    return x", "a call is missing",
     "`ddim_step` is never called"),
    ("08.loop", L + "for i, t in enumerate(timesteps):\n        eps = predict(x, t).eps\n        x = x - eps\n"
     "    return ddim_step(x, eps, 0.5, schedule.alpha_bar(3))", "unrecognised", "term by term"),
    ("08.loop", L + EACH + "x = ddim_step(x, predict(x, t).eps_uncond, a, b)\n    return x",
     "the guess without the prompt", "is `.eps`"),
    ("08.loop", L + "for t, a, b in reversed(schedule.times(timesteps)):\n        "
     "x = ddim_step(x, predict(x, t).eps, a, b)\n    return x", "the other order", "`reversed("),
    ("08.loop", L + "for t, a, b in schedule.times(timesteps[::-1]):\n        "
     "x = ddim_step(x, predict(x, t).eps, a, b)\n    return x", "the other order", "`timesteps[::-1]`"),
    ("08.loop", L + "for t in range(len(timesteps)):\n        eps = predict(x, t).eps\n"
     "        x = ddim_step(x, eps, schedule.alpha_bar(t), schedule.alpha_bar(t + 1))\n    return x",
     "a place for what stands there", "places in the list"),
    ("08.loop", L + "bars = dict(zip(timesteps, schedule.times(timesteps)))\n    for t in range(len(timesteps)):\n"
     "        x = ddim_step(x, predict(x, t).eps, *bars[t][1:])\n    return x",
     "a place for what stands there", "`range(len(timesteps))`"),
    ("02.posterior", weighed("((x_t - alpha_bar**.5 * @)**2).sum() / (2 * (1 - alpha_bar))").partition("    ea =")[0]
     + "    w = torch.softmax([-fa, -fb], dim=0)\n    return w[0] * a + w[1] * b", "a list for a tensor",
     "`torch.stack(...)`"),
    ("02.posterior", weighed("abs(x_t - alpha_bar**.5 * @).sum()"), "differences without a square", "squared first"),
    ("02.posterior", P + "fa, fb = (((x_t - alpha_bar**.5 * p)**2).sum() for p in (a, b))\n    "
     "return (a / fa + b / fb) / (1 / fa + 1 / fb)", "one over the distance", "1 / far"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * (noise * 1)", "a function for a number",
     "is called `eps`"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * (x0 + eps)", "one factor for both", "each has its own"),
    ("01.q_sample", Q + "return alpha_bar**0.5 * x0 + alpha_bar**0.5 * eps", "unrecognised", "term by term"),
    ("01.q_sample", Q + "return (alpha_bar * x0 + (1 - alpha_bar) * eps)**0.5", "the root of the whole",
     "one of its own"),
    ("04.ddim", D + GOOD + MIX.replace("return", "x_s =") + "\n    return x_s, x0", "more than one thing is returned",
     "one thing is wanted"),
    ("04.ddim", D + "x0 = (x_t - (1 - alpha_bar) * eps) / alpha_bar\n    " + MIX, "no square roots in the guess",
     "first beat"),
    ("04.ddim", D + GOOD.replace(" / ", " * ") + MIX, "a `*` for a `/`", "or divided?"),
    ("04.ancestral", shaken(result="mean + sigma * torch.randn_like(x_t)"), "two things added up", "adds the noise"),
    ("04.ancestral", shaken(result="mean + (eps * 0 + 1) * sigma"), "two things added up", "with a comma"),
    ("04.ancestral", shaken().replace("x0 + (1", "x_t + (1"), "the noisy picture for the guess", "first beat"),
    ("04.ancestral", shaken().replace(")**0.5 * (1 - alpha_bar / alpha_bar_next)**0.5",
                                      ") * (1 - alpha_bar / alpha_bar_next)"), "no square roots in sigma", "roots"),
    ("03.loss", G + MIXED.replace("(1 - a)**0.5", "(1 - a)") + SQUARED, "a root is forgotten", "`(1 - a) * eps`"),
    ("03.loss", G + MIXED.replace("= a**0.5", "= a") + SQUARED, "a root is forgotten", "`a * x0`"),
    ("03.targets", V + PICTURE.replace("alpha_bar)**0.5", "alpha_bar)") + DUST + "return x0, eps",
     "a root is forgotten", "`(1 - alpha_bar) * v`"),
    ("03.targets", V + PICTURE + DUST.replace("+ alpha_bar**0.5 * v", "+ v * alpha_bar") + "return x0, eps",
     "a root is forgotten", "`v * alpha_bar`"),
    ("03.targets", V + PICTURE.replace("x0 =", "x_t =") + DUST + "return x_t, eps", "a name is used twice",
     "`x_t` has a new value since"),
    ("03.loss", G + "a = alpha_bars[t][:, None]\n    eps = (1 - a)**0.5 * eps\n    x_t = a**0.5 * x0 + eps\n    "
     + SQUARED, "a name is used twice", "`eps = (1 - a) ** 0.5 * eps`"),
    ("05.block", B + (FIRST + SECOND).replace("h", "x").replace("sxift", "shift") + "return block.bypass(x) + "
     "block.conv2(silu(x))", "a name is used twice", "`x` has a new value since"),
    ("05.block", B + FIRST + SECOND + "return x + block.conv2(silu(h))", "a part is never used", "`block.bypass`"),
    ("05.block", B + FIRST + SECOND + "silu(h)\n    return block.bypass(x) + block.conv2(h)",
     "a result that nobody keeps", "write `h = `"),
    ("05.block", B + "h = block.norm1(x)\n    silu(h)\n    h = block.conv1(h)\n    " + SECOND
     + "return block.bypass(x) + block.conv2(silu(h))", "a result that nobody keeps", "`silu(h)`"),
    ("05.block", B + (FIRST + SECOND + "return block.bypass(x) + block.conv2(silu(h))").replace("silu", "torch.relu"),
     "relu for silu", "a corner"),
    ("03.loss", G + MIXED + "loss = 0\n    for k in range(len(x0)):\n        "
     "loss += ((network(x_t[k:k+1], t[k:k+1]) - eps[k:k+1])**2).mean()\n    return loss",
     "added up over the pictures", "how many"),
    ("03.loss", G + MIXED + "guess = (x_t - (1 - a)**0.5 * network(x_t, t)) / a**0.5\n    "
     "return ((guess - x0)**2).mean()", "the pictures are compared", "noise"),
    ("03.loss", G + MIXED + SQUARED.replace(", t)", ", t - 1)"), "one too many or too few", "`t - 1`"),
    ("03.loss", G + MIXED.replace("[t]", "[t + 1]") + SQUARED, "one too many or too few", "`t + 1`"),
    ("03.targets", V + PICTURE + DUST + "print(x0, eps)", "print for return", "hands it back"),
    ("03.loss", G + "import numpy as np\n    " + MIXED + "return np.mean((network(x_t, t) - eps)**2)",
     "numpy for torch", "write `torch.` for `np.`"),
    ("03.loss", G + MIXED + "return np.mean((network(x_t, t).detach().numpy() - eps.numpy())**2)",
     "cut off from the network", "detach()"),
    ("03.loss", G + MIXED + "return (network(x_t, t) - eps**2).mean()", "brackets are missing", "all that is squared"),
    ("06.formula", F + "return 0.40 + guidance_scale * (0.60 - 0.40)", "a number of the table kept", "`0.4`, `0.6`"),
    ("06.formula", F + "return 0.40 + guidance_scale * 0.20", "a number of the table kept", "`0.4`, `0.2`"),
    ("06.formula", F + PUSHED + "return g * (eps_cond.std() / g.std())", "something is too much", "without a part"),
    ("06.formula", F + PUSHED + "return g * eps_cond.std() / g.std()", "something is too much", "without a part"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")  # numpy's, of np.clip(tensor)
def test_a_beginners_slip_has_a_name(name, code, slip, words):
    verdict = judge_code(find(name), answer := told(name, code))
    assert verdict.slip == slip and words in repr(verdict.box), verdict.box
    assert verdict.box.mood == "wrong"
    assert (verdict.goes_on is answer) == usable(name, answer)


@pytest.mark.parametrize(("code", "words"), [
    (K + "timesteps = list(range(T))[::-n]\n    " + WALKED, "250 times where 4 are enough"),
    (K + "while T:\n        predict(x, 0)", "more than 1500 times")])
def test_a_loop_that_asks_for_ever_is_told_how_often(code, words):
    verdict = judge_code(find("11.skip"), told("11.skip", code))
    assert verdict.slip == "too many calls" and words in repr(verdict.box)
    assert verdict.goes_on is find("11.skip").reference


def test_a_function_of_an_earlier_cell_that_is_wrong_is_told():
    own = written("def ddim_step(x_t, eps, alpha_bar, alpha_bar_next):\n    return x_t - eps")
    verdict = judge_code(find("11.heun"), written(H + TRIED + LOOKED + LEAPT, ddim_step=own))
    assert verdict.slip == "a function of your own" and "`ddim_step`" in repr(verdict.box)
    assert judge_code(find("11.heun"), written(H + TRIED + LOOKED + LEAPT, ddim_step=ddim_step)).slip == ""


def test_a_loss_that_goes_back_by_itself_stops_no_training():
    code = "x = (1 - s) * x0 + s * eps\n    loss = ((network(x, s) - (eps - x0))**2).mean()\n    loss.backward()\n    "
    verdict = judge_code(find("12.flow"), written(FL + code + "return loss"))
    assert (verdict.box.mood, verdict.slip) == ("wrong", "goes back") and "whoever trains" in repr(verdict.box)
    assert verdict.goes_on is find("12.flow").reference


def usable(name: str, answer) -> bool:
    """Whether a function runs and gives tensors of the right shape and kind."""
    def kinds(function) -> list:
        results = [function(*case) for case in find(name).cases()]
        parts = [r if isinstance(r, tuple) else (r,) for r in results]
        return [type(results[0]), *([(p.shape, p.dtype, p.requires_grad) if isinstance(p, torch.Tensor) else type(p)
                                     for p in one] for one in parts)]

    try:
        return kinds(answer) == kinds(find(name).reference)
    except Exception:
        return False


def told(name: str, code: str):
    """A learner's function, with what its cell had imported: nothing that the code's slip is about."""
    names = {"x": torch.ones(2, 3, 4, 4)} | ({"np": np} if "np." in code else {})
    stepping = ("predict(x)", ".x0,", "t), a", " in range(", "step(x, eps, 0.5")
    names |= {"ddim_step": ddim_step} if name[:2] == "11" or any(part in code for part in stepping) else {}
    names |= {"noise": noise} if " noise(" in code or "(noise" in code else {}
    names |= {"silu": torch.nn.functional.silu} if name == "05.block" else {}
    names |= {"math": math} if "math.sqrt(x0)" in code else {}
    names |= {"denoise": denoise} if " denoise(" in code else {}
    names |= {"add_noise": add_noise} if "add_noise(known" in code else {}
    if name[:2] != "08" and "math." not in code:
        names["torch"] = torch
    return written(code, **names)


@pytest.mark.parametrize(("root", "line"), [
    ("torch.tensor({}).sqrt()", "import torch"), ("math.sqrt({})", "import math"),
    ("np.sqrt({})", "import numpy as np"), ("numpy.sqrt({})", "import numpy"),
])  # fmt: skip
def test_what_was_never_imported_is_told_with_the_line_that_does_it(root, line):
    answer = written(Q + f"return {root.format('alpha_bar')} * x0 + {root.format('1 - alpha_bar')} * eps")
    verdict = judge_code(find("01.q_sample"), answer)
    name = root.partition(".")[0]
    assert verdict.slip == "not imported" and f"`{name}` is not known here: write `{line}` above." in repr(verdict.box)


@pytest.mark.parametrize("draw", [
    "noise(tuple(x0.shape[1:]), [0] * len(x0))", "torch.normal(0.0 * x0, 1.0)", "torch.rand(x0.shape)",
    "torch.rand_like(x0)", "torch.randn(x0.shape)", "torch.randn_like(x0)",
    "np.random.random(1)[0]",
])  # fmt: skip
def test_noise_of_one_s_own_is_told_however_it_is_drawn(draw):
    answer = written(Q + f"return alpha_bar**0.5 * x0 + (1 - alpha_bar)**0.5 * (3 * {draw} + 0 * eps)",
                     torch=torch, np=np, noise=noise)  # fmt: skip
    verdict = judge_code(find("01.q_sample"), answer)
    assert verdict.slip == "noise of its own" and draw.partition("(")[0] in repr(verdict.box), verdict.box


def broken_copies(name: str):
    """The exercise's own right code with one slip put in: (the slip, the function, the names it knows)."""
    reference = find(name).reference
    source = textwrap.dedent(inspect.getsource(reference))
    known = {**reference.__globals__}
    tree = ast.parse(source).body[0]
    tree.returns, tree.body = None, tree.body[1:]  # without its docstring
    for argument in tree.args.args:
        argument.annotation = None
    plain = ast.unparse(tree)
    last = ast.unparse(tree.body[-1])
    assert last.startswith("return ")
    first = tree.args.args[0].arg
    head, _, body = plain.partition("\n")
    yield "right", plain, known
    yield "print for return", plain.replace(last, f"print({last.removeprefix('return ')})"), known
    yield "no return", plain.replace(last, last.removeprefix("return ")), known
    yield "no return", plain.replace(last, f"result = {last.removeprefix('return ')}"), known
    yield "a comma", plain.replace(last, f"return ({last.removeprefix('return ')},)"), known
    spelt = ast.unparse(ast.parse(plain)).replace(head, "").replace(first, f"{first}_t")
    yield "a name spelt otherwise", head + spelt, known


@pytest.mark.parametrize("name", CODES)
def test_the_commonest_slips_are_named_in_every_exercise(name, capsys):
    for slip, code, known in broken_copies(name):
        answer = written(code, **{k: v for k, v in known.items() if not k.startswith("__")})
        verdict = judge_code(find(name), answer)
        assert verdict.slip == ("" if slip == "right" else slip), (code, verdict.box)


@pytest.mark.parametrize(("name", "code", "slip", "words"), [
    ("10.coverage", C + SHARES + f"print({THREE})", "print for return", "`return`"),
    ("10.coverage", C + SHARES + f"print('found', {THREE})", "print for return", "`return`"),
    ("10.coverage", C + SHARES + f"return {THREE.replace('.float()', '')}", "raised", "`.float()` first"),
    *(("10.coverage", C.replace(old, new) + SHARES + f"return {THREE}", slip, words) for old, new, slip, words in (
        ("heap[near]", "heap * near", "far points counted as the first heap's", "`heap[near]` picks"),
        ("/ (4 * K)", "// K // 4", "rounded", "all of it is needed"),
        ("/ (4 * K)", "// K / 4", "rounded", "`len(heap)"),
        ("4 * K", "32", "unrecognised", "off by"), ("len(heap) / (4 * K)", "6", "unrecognised", "off by"),
        ("heap[near]", "torch.sort(heap).values[near]", "heap is sorted, near is not", "in any order"),
        ("heap[near]", "near[heap]", "raised", "counts whole numbers"))),
    *(("10.coverage", C.replace("len(heap) / (4 * K)", f"{part} * len(heap) / K") + SHARES + f"return {THREE}",
       f"about {said} % of the due is asked for", "look at the factor")
      for part, said in ((0.2, 20), (0.24, 24), (0.26, 26), (0.3, 30), ("2 / 3", 67), (0.75, 75))),
    ("10.coverage", C.replace("len(heap) / (4 * K)", "K / 4") + SHARES + f"return {THREE}",
     "a quarter of the number of heaps", "divided by K"),
    ("10.coverage", C + SHARES + "d = torch.xlogy(p, K * p).sum().item()\n    "
     "return int(found), near.float().mean(), round(d, 2)", "rounded", "`round(d, 2)` drops"),
    ("10.coverage", C + SHARES + "d = torch.xlogy(p, K * p).sum().item()\n    "
     "return int(found), int(near.float().mean()), round(d, 2)", "rounded", "`int(near.float().mean())` drops"),
    ("10.coverage", C + SHARES + f"return torch.tensor([{THREE}])", "one tensor for several things", "with commas"),
    ("10.coverage", C + SHARES + f"q = torch.tensor([{THREE}])\n    return q + 0", "unusable", "with commas between"),
    ("10.coverage", "def coverage(heap, near, K):\n    _, c = torch.unique(heap[near], return_counts=True)\n    "
     "found = (c >= len(near[near]) / K / 4).sum()\n    " + SHARES + f"return {THREE}", "a quarter of the near ones",
     "divide by K"),
    ("10.coverage", C.replace("found", "import torch, math\n    found", 1)
     + "d = sum(k * math.log(k) for k in [0.0, 1.0])\n    return found, 1, d", "raised", "0 log 0 as 0"),
    *(("10.game", GL.replace("fake.exp", f"{cut}.exp") + "return critic, torch.log(1 + (-fake).exp()).mean()",
       "cut off", "here `fake` are scores") for cut in ("fake.detach()", "fake.data")),
    ("10.game", GL.replace("-real", "-real.detach()") + "return critic, torch.log(1 + (-fake).exp()).mean()", "cut off",
     "all of `real`"),
    ("10.game", GL + "with torch.no_grad():\n        critic = critic + 0\n    return critic, "
     "torch.log(1 + (-fake).exp()).mean()", "cut off from the network", "no longer knows"),
    ("10.game", GL + "return critic, sum(torch.log(1 + (-fake).exp())) / len(fake)", "unusable", "of shape (1,) came"),
    ("10.game", "def gan_losses(real, fake):\n    pass", "no return", "hands nothing back"),
    ("10.game", GL + "return critic.item(), torch.log(1 + (-fake).exp()).mean().item()", "cut off from the network",
     "no longer knows"),
    ("10.game", GL + "return critic.detach(), torch.log(1 + (-fake).exp()).mean()", "cut off from the network",
     "no longer knows"),
])
def test_what_returns_nothing_and_what_is_cut_off_is_told_as_such(name, code, slip, words):
    verdict = judge_code(find(name), told(name, code))
    assert verdict.slip == slip and words in repr(verdict.box), verdict.box


@pytest.mark.parametrize(("name", "code", "words"), [
    ("08.loop", L + EACH + "x = ddim_step(x, predict(x).eps, a, b)\n    return x",
     "`predict(x)`: it is called as `predict(x, t)`"),
    ("12.reflow", PA + "from diffusion_lab import Trajectory\n    path = list( denoise(predict, schedule, eps, "
     "timesteps))\n    return Trajectory(path, None)[-1].x0, eps", "pictures, decode)`; compare"),
    ("08.loop", L + "for t, a, b in schedule.times():\n        x = x + t\n    return x", "`schedule.times(timesteps)`"),
    ("02.posterior", P + "w = torch.softmax([1.0, 2.0])\n    return w[0] * a + w[1] * b",
     "`[1.0, 2.0]` is a list, and torch's functions take a tensor"),
    *(("07.error", E + f"d = [(x - y)**2 for x, y in zip(picture, again)]\n    return 2 * {wrong}",
       "`torch.stack(...)` makes one of tensors") for wrong in ("d.mean()", "torch.mean(d)", "torch.log10(d).mean()")),
    ("02.posterior", P + "w = torch.softmax(x_t)\n    return w[0] * a + w[1] * b",
     "`torch.softmax(input, dim, *, dtype=None)`"),
    ("01.q_sample", Q + "return t**0.5 * x0 + 2 * eps", "`t` is not known here: the function is given `x0`"),
    ("01.q_sample", Q + "return exp * x0 + 2 * eps", "`exp` is not known here: the function is given `x0`"),
    ("04.ddim", D + "noise(x_t.shape[1:], [1, 2])\n    return 2 * noise * x_t", "`noise` is a function, and a number"),
    ("02.posterior", P + "return 2 * noise(x_t)", "`noise(shape, seed"),
    ("08.loop", L + "x = 1.1 * x\n    return predict(timesteps, x).eps", "`predict(x, t)`"),
    ("08.loop", L + EACH + "x = ddim_step(x, predict(x, t).x0, a, b)\n    return x",
     "A Guess has no `.x0`; it has `.eps` and `.eps_uncond`"),
    ("08.loop", L + EACH + "x = ddim_step(x, predict(x, t), a, b)\n    return x",
     "the noise in it is `predict(x, t).eps`"),
    ("08.loop", L + "return x * schedule.alpha_baar(3)", "Is it `.alpha_bar`?"),
    ("01.q_sample", Q + "return x0.clampp(-1, 1) * 2", "Is it `.clamp`?"),
    ("01.q_sample", Q + "return torch.squrt(alpha_bar) * x0", "Is it `.sqrt`?"),
    ("08.loop", L + "for i, t in enumerate(timesteps):\n        x = x * timesteps[i + 1]\n    return x",
     "after the last comes no next one"),
    ("04.ddim", D + "return (x_t - eps) * (1 / (1 - alpha_bar_next))", "Is a fraction upside down?"),
    ("01.q_sample", Q + "return 2 * math.sqrt(x0)", "a whole tensor"),
    ("01.q_sample", Q + "return 2 * (alpha_bar(x0) + eps)", "is a `*` missing?"),
    ("08.loop", L + "return 2 * schedule.alpha_bar[3] * x", "with round ones"),
    ("01.q_sample", Q + "return 2 * alpha_bar * eps_ + 2 * alfa_bar", "Is it `eps`?"),
    ("04.ddim", D + MIX, "`x0` is not known here: the function is given `x_t`, `eps`, `alpha_bar`, `alpha_bar_next`"),
    ("08.loop", L + "return my_sampler(predict, schedule, x, timesteps)", "a cell of this notebook"),
    ("01.q_sample", Q + "return 2 * add_noise(x0, eps, alpha_bar)", "write `from diffusion_lab import add_noise`"),
    ("05.block", B + "return block.scale * x", "`scale` stands by itself: the function is given it"),
    ("05.block", B + "return block.silu(x) * 2", "`silu` stands by itself: `silu(...)`"),
    ("05.block", B + "return x.silu() * 2", "`silu` stands by itself: `silu(...)`"),
    ("05.block", B + "return block.norm(x) * 2", "Is it `.norm1` or `.norm2`?"),
    ("05.block", B + "return block(x, scale) * 2", "`block` is the whole; its parts are called, such as `block.norm1"),
    ("09.masked", M + "return M * proposal + (1 - M) * x0", "`M` in the formula is `mask` here"),
    ("09.masked", M + "return mask * proposal + (1 - mask) * x0", "`x0` in the formula is `known` here"),
    ("09.masked", M + "return 2 * (proposal * mask + ~mask * known)", "by `1 - a`"),
    ("09.masked", M + "return 2 * (proposal if mask == 1 else known)", "a tensor holds many"),
    ("09.masked", M + "return masked_step(proposal, known, mask, eps, alpha_bar_next)", "The function calls itself"),
    ("09.seam", S + "return 2 * pixels.abs.mean()", "`abs` is a method; its brackets make it work: `.abs()`"),
    ("11.skip", K + EVERY.replace("range(n)", "n") + WALKED, "`range(n)` counts from 0"),
    ("11.skip", K.replace("len(schedule)", "schedule") + EVERY + WALKED, "A schedule is no number: `len(schedule)`"),
    ("11.skip", K.replace("len(schedule)", "schedule.T") + EVERY + WALKED, "`len(schedule)` tells how many"),
    ("11.skip", K + EVERY.replace(" - 1", "") + WALKED, "schedule.times(timesteps):`.\n  The lesson goes"),
    ("11.heun", H + "return 2 * (predict(x_t, t) + predict(x_t, t)).eps", "take `.eps` of each of them before"),
    ("04.ddim", D + "y = later\n    later = eps\n    return y", "give it one before"),
])  # fmt: skip
def test_an_error_is_told_with_what_to_do(name, code, words):
    verdict = judge_code(find(name), told(name, code))
    assert verdict.slip == "raised" and words in repr(verdict.box), verdict.box


def test_an_error_of_the_package_says_nothing_beside_the_slip():
    answer = written(R + NOISE + "return add_noise(x0, eps, alpha_bar_next)", add_noise=add_noise)
    verdict = judge_code(find("02.reverse"), answer)
    assert verdict.slip == "two arguments changed places" and "LabError" not in repr(verdict.box)


def test_what_no_single_repair_makes_right_stays_unrecognised():
    answer = written(Q + "return 1.3 * (alpha_bar**1/2 * x0 + (1 - alpha_bar)**1/2 * eps)")
    assert judge_code(find("01.q_sample"), answer).slip == "unrecognised"
    two = written(Q + "print(alpha_bar**1/2 * x0 + (1 - alpha_bar)**1/2 * eps)")
    assert judge_code(find("01.q_sample"), two).slip == "print for return"  # the first thing to mend


def test_a_function_without_a_source_is_judged_as_before():
    called = type("Called", (), {"__call__": lambda self, *arguments: None})()
    for answer in (lambda *_: None, np.add, math.sqrt, "x".join, called):
        assert judge_code(find("01.q_sample"), answer).slip in ("raised", "unusable")
        assert repaired(answer, lambda function: True) is None


def test_trying_repairs_shows_and_changes_nothing(capsys):
    answer = written(Q + "print('seen')\n    return alpha_bar**1/2 * x0 + (1 - alpha_bar)**1/2 * eps")
    before = dict(answer.__globals__)
    assert judge_code(find("01.q_sample"), answer).slip == "a power of one, divided by two"
    assert capsys.readouterr().out.count("seen") == 3  # once a case, by the learner's own
    assert answer.__globals__ == before and answer.__globals__["q_sample"] is answer


def test_of_what_is_printed_a_few_lines_are_shown(capsys):
    def loud(x0, alpha_bar, eps):
        for k in range(40):
            print("line", k)
        return add_noise(x0, alpha_bar, eps)

    assert judge_code(find("01.q_sample"), loud).box.mood == "right"
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == [f"line {k}" for k in range(8)] and "112 more lines" in lines[-1]


def test_todo_without_its_brackets_is_a_stub(capsys):
    assert check("01.q_sample", lambda x0, alpha_bar, eps: todo) is find("01.q_sample").reference
    assert "Not yet" in capsys.readouterr().out


def test_quotes_forgotten_and_another_case(capsys):
    assert check("01.schedule", cosine) == "cosine"
    told = capsys.readouterr().out
    assert '`cosine` without quotes is the function of that name; the word is written "cosine"' in told
    clinic = find("04.clinic")
    shouted = {patient: name.upper() + " " for patient, name in clinic.truth.items()}
    assert judge_diagnoses(clinic, shouted).box.mood == "right"


def test_a_diagnosis_may_be_spelt_in_the_usual_ways():
    said = {"no normalisation": "No normalization", "no time": "no_time", "no skips": "no skip",
            "nothing added": "nothing-added"}
    ward = find("05.ward")
    answer = {patient: said[name] for patient, name in ward.truth.items()}
    assert judge_diagnoses(ward, answer).box.mood == "right"
    assert judge_diagnoses(ward, {1: "no times table"}).box.mood == "wrong"


@pytest.mark.parametrize(("answer", "says"), [
    ((0, 182), "the decimal point is a dot in Python, 0.182."), ("5,49", "a dot in Python, 5.49."),
    ((0, 1821), "0.1821."), ((1 / 5, 49), "the decimal point is a dot in Python, and no comma"),
    ((0.182,), "no comma stands at the end."), ("0,1,8 or so", "A number was expected"), ((), "A number was expected")])
def test_a_comma_for_a_point_is_told(answer, says):
    verdict = judge_value(find("07.scale"), answer)
    assert verdict.slip == "unusable" and says in repr(verdict.box), verdict.box


@pytest.mark.parametrize("answer", ["c.", "(c)", " C) ", "'c'"])
def test_a_choice_is_read_without_the_signs_around_it(answer):
    assert judge_value(find("07.removed"), answer).box.mood == "right"


@pytest.mark.parametrize(("answer", "came"), [((10, 760), "10760"), ("10,760", "10760"), ((1, 20, 3), "1020003")])
def test_a_comma_between_thousands_is_told(answer, came):
    verdict = judge_value(find("05.weights"), answer)
    assert verdict.slip == "unusable" and f"A comma makes several numbers of one: write {came}." in repr(verdict.box)


def test_what_nothing_is_like_is_not_guessed():
    """An attribute that nobody meant is not offered."""
    for wrong in ("x.silu() * 2", "block.attend(x)", "x.rooted()"):
        box = repr(judge_code(find("05.block"), written(B + f"return {wrong}")).box)
        assert "Is it" not in box, box


WIDER = "def residual_block(x, scale, shift, block):\n"


@pytest.mark.parametrize(("wrong", "part"), [
    ("h = block.conv1(silu(block.norm1(x)))\n    return block.bypass(h) + block.conv2(silu(h))", "block.bypass"),
    ("h = block.conv1(silu(block.norm1(x)))\n    return block.conv1(silu(h + scale))", "block.conv1"),
    ("return block.norm2(x) + block.bypass(x)", "block.norm2")])  # fmt: skip
def test_maps_that_do_not_fit_a_part_of_the_block_are_told(wrong, part):
    box = repr(judge_code(find("05.block"), written(WIDER + f"    {wrong}\n", silu=torch.nn.functional.silu)).box)
    assert f"`{part}` takes another number of maps than it got" in box


def test_a_choice_without_quotes_hears_of_them(capsys):
    check("02.memorise", torch.ones(2))
    assert "in quotes; a tensor of shape (2,) came" in capsys.readouterr().out


def test_the_names_that_can_be_said_are_not_told_in_the_order_of_the_patients():
    for ward in (find("03.clock"), find("04.clinic"), find("05.ward"), find("06.patients")):
        told = judge_diagnoses(ward, {1: "?"}).box.lines[-1]
        places = [told.index(f'"{name}"') for name in ward.truth.values()]
        assert places != sorted(places)


def test_one_patient_alone_is_judged_and_one_that_is_not_there_is_told():
    clinic = find("04.clinic")
    verdict = judge_diagnoses(clinic, {2: clinic.truth[2]})
    assert verdict.box.head == "1 right, 0 not right, 9 still open" and set(verdict.goes_on) == set(clinic.truth)
    near = judge_diagnoses(clinic, {8: "alpha for alpha baer"})
    assert "none of the names in the list. Did you mean 'alpha for alpha_bar'?" in repr(near.box)
    assert all(f'"{one}"' in near.box.lines[-1] for one in clinic.signs)  # all that can be said
    for said, meant in (("DPM++ 2M", "2M"), ("dpm++ 2m AYS", "2M AYS"), ("DPM++ 2M Karras", "2M Karras")):
        assert f"Did you mean {meant!r}?" in repr(judge_diagnoses(find("11.budget"), {1: said}).box)
    part = judge_diagnoses(find("03.clock"), {2: "zero"})
    assert "Did you mean 'stands still at zero'?" in repr(part.box)
    assert "one with [12] came" in repr(judge_diagnoses(clinic, {12: "wrong sign"}).box)
    four = find("09.patients")
    assert judge_diagnoses(four, {str(patient): name for patient, name in four.truth.items()}).box.mood == "right"
    assert "Write `{1: ..., 2: ..., 3: ..., 4: ...}`, a name in quotes" in repr(judge_diagnoses(four, ["healthy"]).box)
    assert "Write the letter before it." in repr(judge_value(find("09.order"), "rider").box)


@pytest.mark.parametrize(("number", "letters"), [("0.36", ["alpha_bar"]), ("0.64", ["1 - alpha_bar"]), ("0.4", []),
                                                 ("x0 ** 0.36", [])])
def test_only_the_table_s_own_numbers_are_taken_for_letters(number, letters):
    tree = ast.parse(f"def f(x0, alpha_bar):\n    return {number}").body[0]
    assert [ast.unparse(one.tree.body[0].value) for one in kept(tree, {"alpha_bar": 0.36})] == letters
