"""Slips within one expression: a function a slip, from a node of a syntax tree to the better one, or None."""

import ast
import copy
from collections.abc import Callable, Iterator


def _is(node: ast.AST, kind: type) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, kind)


def _half_power(node):
    if _is(node, ast.Div) and _is(node.left, ast.Pow) and isinstance(node.right, ast.Constant):
        if isinstance(node.left.right, ast.Constant) and (node.left.right.value, node.right.value) == (1, 2):
            return ast.BinOp(node.left.left, ast.Pow(), ast.Constant(0.5))
    return None


def _root_call(node):
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        if (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) == "sqrt":
            return ast.BinOp(node.args[0], ast.Pow(), ast.Constant(0.5))
    return None


def _numerator(node):
    """a - b / c as (a - b) / c."""
    if (_is(node, ast.Sub) or _is(node, ast.Add)) and _is(node.right, ast.Div):
        return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), ast.Div(), node.right.right)
    return None


def _denominator(node):
    """a / b * c as a / (b * c), and a / b + c as a / (b + c)."""
    if isinstance(node, ast.BinOp) and _is(node.left, ast.Div):
        return ast.BinOp(node.left.left, ast.Div(), ast.BinOp(node.left.right, node.op, node.right))
    return None


def _factor(node):
    """a * b + c as a * (b + c), and a + b * c as (a + b) * c."""
    if not (_is(node, ast.Sub) or _is(node, ast.Add)):
        return None
    if _is(node.left, ast.Mult):
        return ast.BinOp(node.left.left, ast.Mult(), ast.BinOp(node.left.right, node.op, node.right))
    if _is(node.right, ast.Mult):
        return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), ast.Mult(), node.right.right)
    return None


def _under_the_root(node):
    """1 - a**0.5 as (1 - a)**0.5."""
    if (_is(node, ast.Sub) or _is(node, ast.Add)) and _is(node.right, ast.Pow):
        return ast.BinOp(ast.BinOp(node.left, node.op, node.right.left), ast.Pow(), node.right.right)
    return None


def _comma(node):
    """a, b as a + b; a lone a, as a."""
    if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) <= 2 and node.elts:
        return node.elts[0] if len(node.elts) == 1 else ast.BinOp(node.elts[0], ast.Add(), node.elts[1])
    return None


BRACKET = ("{code} is read in another order than you mean: `**` first, then `*` and `/`, then `+` and `-`. Put "
           "brackets around ")
EXPRESSIONS = (
    ("a power of one, divided by two", "{code} is first a power and then a half. The root is `a**0.5`.", _half_power),
    ("a root that does not take this", "{code}: that root takes only tensors, or only numbers, and the other kind "
     "comes. `a**0.5` is the root of both.", _root_call),
    ("brackets are missing", BRACKET + "all that is divided.", _numerator),
    ("brackets are missing", BRACKET + "all that you divide by.", _denominator),
    ("brackets are missing", BRACKET + "the sum.", _factor),
    ("brackets are missing", BRACKET + "what stands under the root.", _under_the_root),
    ("a comma", "{code}: a comma makes several things of one. Was a `+` meant, or nothing at all?", _comma),
)


def said(node: ast.AST) -> str:
    said = ast.unparse(node)
    return f"`{said if len(said) <= 60 else said[:57] + '...'}`"


def exchanged(tree: ast.FunctionDef, site: Callable) -> Iterator[tuple[ast.FunctionDef, ast.AST]]:
    """The tree with all the places exchanged for which `site` has a better expression, then with each alone; and the
    first of them as it was."""
    def better(only: int | None) -> tuple[ast.FunctionDef, list[ast.AST]]:
        found: list[ast.AST] = []

        class Exchange(ast.NodeTransformer):
            def visit(self, node):
                was = copy.deepcopy(node)
                node = self.generic_visit(node)
                new = site(node)
                if new is None:
                    return node
                found.append(was)
                return new if only is None or len(found) - 1 == only else node

        return Exchange().visit(copy.deepcopy(tree)), found

    mended, found = better(None)
    if found:
        yield mended, found[0]
    for k, was in enumerate(found if len(found) > 1 else []):
        yield better(k)[0], was
