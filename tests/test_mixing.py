"""The mix and its inverses: what they are, and that they stand in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from diffusion_lab.errors import LabError
from diffusion_lab.mixing import TARGETS, add_noise, eps_of, predicted_eps, predicted_x0, target_of
from diffusion_lab.sampling import ddim_step

PACKAGE = Path(__file__).parents[1] / "diffusion_lab"
A = 0.36  # sqrt .6, and sqrt(1 - A) = .8
X0, EPS = torch.tensor([[5.0, -1.0]]), torch.tensor([[10.0, 2.0]])
TWO = torch.zeros(2, 3)
STRETCHED = [torch.full(shape, A) for shape in ((2,), (3,), (4, 1), (2, 1, 1), (1, 2, 3))]


def test_the_values_of_a_triangle_with_sides_of_3_4_and_5():
    x_t = add_noise(X0, A, EPS)
    assert torch.allclose(x_t, torch.tensor([[11.0, 1.0]]))
    assert torch.allclose(predicted_x0(x_t, EPS, A), X0) and torch.allclose(predicted_eps(x_t, X0, A), EPS)
    assert torch.equal(add_noise(X0, 0, EPS), EPS) and torch.equal(add_noise(X0, 1, EPS), X0)
    told = {target: target_of(X0, EPS, A, target) for target in TARGETS}
    assert torch.equal(told["eps"], EPS) and torch.equal(told["x0"], X0)
    assert torch.allclose(told["v"], torch.tensor([[2.0, 2.0]]))
    assert torch.allclose(told["u"], torch.tensor([[5.0, 3.0]]))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("alpha_bar", [1e-4, 0.3, 0.999, torch.tensor([0.02, 0.5, 0.9]).double().view(3, 1, 1)])
def test_every_target_tells_the_same_noise(target, alpha_bar):
    g = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(3, 4, 5, generator=g, dtype=torch.float64) for _ in range(2))
    x_t = add_noise(x0, alpha_bar, eps)
    torch.testing.assert_close(eps_of(target_of(x0, eps, alpha_bar, target), x_t, alpha_bar, target), eps)
    torch.testing.assert_close(predicted_x0(x_t, eps, alpha_bar), x0)


@pytest.mark.parametrize("call", [
    lambda: add_noise(X0, 1.5, EPS), lambda: add_noise(X0, torch.tensor(-0.1), EPS), lambda: add_noise(X0, A, EPS[0]),
    lambda: add_noise(X0, float("nan"), EPS), lambda: target_of(X0, EPS, A, "epsilon"),
    lambda: eps_of(X0, EPS, A, "velocity"), lambda: add_noise(X0, None, EPS), lambda: add_noise(X0, "0.5", EPS),
    lambda: predicted_x0(X0, EPS, 2.0), lambda: predicted_eps(X0, EPS, -0.5), lambda: add_noise(None, A, EPS),
    lambda: predicted_x0(X0, EPS, 0.0), lambda: predicted_eps(X0, EPS, 1), lambda: ddim_step(X0, EPS, 0.0, 0.5),
    lambda: predicted_x0(TWO, TWO[:1], A), lambda: predicted_eps(TWO, TWO[:1], A), lambda: predicted_x0(TWO, 0.0, A),
    *(lambda target=target: target_of(TWO, TWO[:1], A, target) for target in TARGETS),
    *(lambda target=target: eps_of(TWO[:, :1], TWO, A, target) for target in TARGETS),
    *(lambda mix=mix, share=share: mix(TWO, TWO, share) for share in STRETCHED for mix in (
        lambda x, y, share: add_noise(x, share, y), predicted_x0, predicted_eps,
        lambda x, y, share: target_of(x, y, share, "x0"), lambda x, y, share: eps_of(x, y, share, "eps"))),
])  # fmt: skip
def test_bad_input_is_one_sentence(call):
    with pytest.raises(LabError, match=";.*came;") as caught:
        call()
    assert "\n" not in str(caught.value)


# ---- one place: the syntax trees of the package are searched for the mix and its inverses

ROOTS = {"sqrt", "sqrt_"}
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def rooted(node: ast.AST) -> ast.AST | None:
    """What a square root is taken of, in any spelling: a**0.5, a**(1 / 2), pow(a, .5), torch.sqrt(a), a.sqrt()."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _is_half(node.right):
        return node.left
    if not isinstance(node, ast.Call):
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "pow" and node.args and _is_half(node.args[-1]):
        return node.args[0] if len(node.args) == 2 and not _is_method(node) else node.func.value
    if name in ROOTS:
        return node.func.value if not node.args else node.args[0]
    return None


def _is_method(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and len(node.args) == 1


def _is_half(node: ast.AST) -> bool:
    return ast.unparse(node).replace(" ", "") in {"0.5", "1/2", "(1/2)"}


def known(function: ast.AST) -> dict[str, ast.AST]:
    """The names that a function gives to values, so that `s = a**0.5` hides nothing; pairs are taken apart."""
    values = {}
    for node in (n for n in ast.walk(function) if isinstance(n, ast.Assign) and len(n.targets) == 1):
        target, value = node.targets[0], node.value
        pairs = zip(target.elts, value.elts, strict=True) if isinstance(target, ast.Tuple) and isinstance(
            value, ast.Tuple) else [(target, value)]  # fmt: skip
        values |= {one.id: what for one, what in pairs if isinstance(one, ast.Name)}
    return values


def roots(node: ast.AST, names: dict[str, ast.AST], deep: int = 0) -> Iterator[str]:
    """What roots are taken of in the sums, products and quotients of one expression."""
    if (inside := rooted(node)) is not None:
        yield ast.unparse(inside)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ARITHMETIC):
        yield from roots(node.left, names, deep)
        yield from roots(node.right, names, deep)
    elif isinstance(node, ast.UnaryOp):
        yield from roots(node.operand, names, deep)
    elif isinstance(node, ast.Name) and node.id in names and deep < 4:
        yield from roots(names[node.id], names, deep + 1)


def formulas(code: str) -> list[str]:
    """The expressions that hold a root of some a and a root of 1 - a: the mix, or one of its inverses."""
    tree, found = ast.parse(code), []
    for function in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)]:
        names = known(function)
        for node in ast.walk(function):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Div):
                seen = set(roots(node, names))
                if any(f"1 - {a}" in seen or f"1.0 - {a}" in seen for a in seen):
                    found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("line", [
    "(1 - b) ** 0.5 * e + x * b**.5", "(x - (1 - b) ** 0.5 * e) / b**0.5", "b.sqrt() * x + torch.sqrt(1 - b) * e",
    "(x - math.sqrt(b) * y) / math.sqrt(1 - b)", "x * pow(b, 0.5) - (1.0 - b).pow(0.5) * e", "s * x + n * e",
    "self.b ** (1 / 2) * x + e * (1 - self.b) ** (1 / 2)", "x - n * e if e else s * e - n * x",
])  # fmt: skip
def test_the_search_finds_the_mix_in_any_spelling(line):
    assert formulas(f"def f(x, y, e, b):\n    s, noisy = b**0.5, 3\n    n = (1 - b) ** 0.5\n    return {line}\n")


def test_the_search_finds_nothing_else():
    lines = "sigma = ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5", "return b**0.5 * x + sigma"
    assert not formulas("def f(a, b, x):\n    " + "\n    ".join(lines))


def test_the_mix_and_its_inverses_stand_in_one_place():
    """In `mixing` and nowhere else; coursework is left out, since its references and slips are what learners write,
    right and wrong."""
    found = {str(path.relative_to(PACKAGE)): formulas(path.read_text(encoding="utf-8"))
             for path in PACKAGE.rglob("*.py")}  # fmt: skip
    assert len(found["mixing.py"]) >= 6
    assert {name for name, where in found.items() if where and not name.startswith("coursework/")} == {"mixing.py"}
