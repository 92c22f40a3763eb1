"""The slips of every beginner are named in every exercise, by mending the learner's own code, and never by guessing."""

import ast
import inspect
import linecache
import math
import textwrap

import numpy as np
import pytest
import torch

from diffusion_lab import cosine
from diffusion_lab.coursework.checks.answers import judge_diagnoses
from diffusion_lab.coursework.checks.beginners import repaired
from diffusion_lab.coursework.checks.checking import check, judge_code, todo
from diffusion_lab.coursework.checks.exercises import Code
from diffusion_lab.coursework.lessons import exercises, find, numbers

CODES = [name for lesson in numbers() for name, one in exercises(lesson).items() if isinstance(one, Code)]
Q = "def q_sample(x0, alpha_bar, eps):\n    "
D = "def ddim_step(x_t, eps, alpha_bar, alpha_bar_next):\n    "
L = "def draw(predict, schedule, x, timesteps):\n    "
P = "def posterior_mean(x_t, a, b, alpha_bar):\n    "
GOOD = "x0 = (x_t - (1 - alpha_bar)**0.5 * eps) / alpha_bar**0.5\n    "


def written(code: str, **names):
    """A function as a cell of a notebook defines it: its source can be found."""
    file = f"<cell {abs(hash(code))}>"
    linecache.cache[file] = (len(code), None, code.splitlines(True), file)
    known = dict(names)
    exec(compile(code, file, "exec"), known)
    return known[code.split("(")[0].removeprefix("def ").strip()]


@pytest.mark.parametrize(("name", "code", "slip", "words"), [
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
    ("08.loop", L + "for t, a, b in timesteps:\n        x = ddim_step(x, predict(x, t).eps, a, b)\n    return x",
     "timesteps holds only t", "schedule.times(timesteps)"),
    ("08.loop", L + "for t, a, b in schedule.times(timesteps):\n        eps = predict(x, t).eps\n"
     "        ddim_step(x, eps, a, b)\n    return x + 0 * eps", "a result that nobody keeps", "write `x = ` before it"),
])  # fmt: skip
def test_a_beginners_slip_has_a_name(name, code, slip, words):
    names = {"x": torch.ones(2, 3, 4, 4)} | ({"np": np} if "np." in code else {})
    if name != "08.loop" and "math." not in code:
        names["torch"] = torch
    answer = written(code, **names)
    verdict = judge_code(find(name), answer)
    assert verdict.slip == slip and words in repr(verdict.box), verdict.box
    assert verdict.box.mood == "wrong"
    with_numbers = ("a power of one, divided by two", "a variable of an earlier cell", "two arguments changed places",
                    "brackets are missing")  # fmt: skip
    assert (verdict.goes_on is answer) == (slip in with_numbers)


@pytest.mark.parametrize(("root", "line"), [
    ("torch.tensor({}).sqrt()", "import torch"), ("math.sqrt({})", "import math"),
    ("np.sqrt({})", "import numpy as np"), ("numpy.sqrt({})", "import numpy"),
])  # fmt: skip
def test_what_was_never_imported_is_told_with_the_line_that_does_it(root, line):
    answer = written(Q + f"return {root.format('alpha_bar')} * x0 + {root.format('1 - alpha_bar')} * eps")
    verdict = judge_code(find("01.q_sample"), answer)
    name = root.partition(".")[0]
    assert verdict.slip == "not imported" and f"`{name}` is not known here: write `{line}` above." in repr(verdict.box)


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


def test_what_no_single_repair_makes_right_stays_unrecognised():
    answer = written(Q + "return 1.3 * (alpha_bar**1/2 * x0 + (1 - alpha_bar)**1/2 * eps)")
    assert judge_code(find("01.q_sample"), answer).slip == "unrecognised"
    two = written(Q + "print(alpha_bar**1/2 * x0 + (1 - alpha_bar)**1/2 * eps)")
    assert judge_code(find("01.q_sample"), two).slip == "unusable"


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
