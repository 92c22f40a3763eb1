"""The numbers of a table worked out by hand, left in the function that should work for all."""

import ast
import itertools
from collections.abc import Iterator, Mapping

from .trees import Attempt, replaced

FORMS = ("{a}", "1 - {a}", "{a}**0.5", "(1 - {a})**0.5", "2 * {a}", "2 * (1 - {a})")
MOST = 256  # ways to put letters for numbers


def kept(tree: ast.FunctionDef, table: Mapping[str, float]) -> Iterator[Attempt]:
    """Letters for the numbers that stood for them in the `table`, in every way that gives these numbers."""
    meant = [(form.format(a=name), eval(form.format(a=value))) for name, value in table.items() for form in FORMS]
    meant += [(f"{b} - {a}", table[b] - table[a]) for a, b in itertools.permutations(table, 2)]
    places = {k: fits for k, value in _numbers(tree).items()
              if (fits := [ast.parse(form, mode="eval").body for form, number in meant if abs(number - value) < 1e-9])}
    said = ", ".join(f"`{value:g}`" for value in dict.fromkeys(_numbers(tree)[k] for k in places))
    for letters in itertools.islice(itertools.product(*places.values()), MOST if places else 0):
        mended = replaced(tree, dict(zip(places, letters, strict=True)))
        yield Attempt("a number of the table kept", f"{said}: so it was where it was worked out by hand, and so it is "
                      "for no other numbers. Put letters in their place.", mended)


def _numbers(tree: ast.FunctionDef) -> dict[int, float]:
    """The numbers in a function, but for exponents, by their place as ast.walk goes."""
    powers = {id(node.right) for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)}
    return {k: node.value for k, node in enumerate(ast.walk(tree)) if isinstance(node, ast.Constant)
            and id(node) not in powers and isinstance(node.value, float)}
