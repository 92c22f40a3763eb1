"""Slips of what is forgotten, too much or elsewhere: a root, a part, a factor, a one, the old value of a name."""

import ast
import copy
import itertools
from collections.abc import Iterator

from .expressions import root_call
from .trees import Attempt, exchanged, pointed, replaced, said

PRODUCT = ast.Mult | ast.Div


def _rooted(side: str, kind: type):
    """a * b as a**0.5 * b, or as a * b**0.5; the same of a / b."""
    def site(node):
        factor = getattr(node, side) if isinstance(node, ast.BinOp) and isinstance(node.op, kind) else None
        power = isinstance(getattr(factor, "op", None), ast.Pow)
        if factor is None or power or isinstance(factor, ast.Constant | ast.Call):
            return None
        sides = {"left": node.left, "right": node.right} | {side: ast.BinOp(factor, ast.Pow(), ast.Constant(0.5))}
        return ast.BinOp(sides["left"], node.op, sides["right"])
    return site


def _one_off(node):
    """a - 1 as a, and a + 1 as a."""
    shifted = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return node.left if shifted and getattr(node.right, "value", None) == 1 else None


def _behind_the_last(node):
    """a[len(a)] as a[-1]."""
    found = isinstance(node, ast.Subscript) and ast.unparse(node.slice) == f"len({ast.unparse(node.value)})"
    return ast.Subscript(node.value, ast.Constant(-1), ast.Load()) if found else None


def _unrounded(node):
    """round(a), int(a), a.round() or a.int() as a, and a // b as a / b."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        return ast.BinOp(node.left, ast.Div(), node.right)
    function = getattr(node, "func", None)
    if getattr(function, "id", "") in ("round", "int") and node.args:
        return node.args[0]
    name, of = getattr(function, "attr", ""), getattr(function, "value", None)
    if name not in ("round", "int", "long", "floor", "ceil"):
        return None
    return of if getattr(of, "id", "") not in ("torch", "np", "numpy", "math") else node.args[0] if node.args else None


def rounded(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """What drops all that stands behind the point: the fewest calls whose removal is enough."""
    for mended, before in exchanged(tree, _unrounded, every=4):
        yield Attempt("rounded", f"{before} drops what stands behind the point: all of it is needed.", mended)


def forgotten(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A root that one factor lacks, and a count that is one off."""
    for site in (_rooted("left", ast.Mult), _rooted("right", ast.Mult), _rooted("right", ast.Div)):
        for mended, before in exchanged(tree, site):
            yield Attempt("a root is forgotten", f"{before}: pictures and noise are scaled by roots of shares. "
                          "Does one of the two still lack its own?", mended)
    for mended, before in exchanged(tree, _behind_the_last):
        yield Attempt("one too many or too few", f"{before} stands behind the last one: the first has number 0, "
                      "so the last has one less than their count.", mended)
    for mended, before in exchanged(tree, _one_off):
        yield Attempt("one too many or too few", f"{before}: is it that one, or the one beside it?", mended)


def factors_exchanged(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """Two roots or powers of a function, each in the other's place."""
    found = [(k, node) for k, node in enumerate(ast.walk(tree))
             if isinstance(getattr(node, "op", None), ast.Pow) or root_call(node)]
    for (i, one), (j, other) in itertools.combinations(found, 2):
        inside = any(node is other for node in ast.walk(one))
        if not inside and ast.dump(one) != ast.dump(other):
            yield Attempt("two factors changed places", f"{pointed(tree, one)} and {pointed(tree, other)} have changed "
                          "places: ask of each what it should make weaker, or stronger.",
                          replaced(tree, {i: other, j: one}))


def too_much(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A factor or a term that is not in the formula."""
    for k, node in enumerate(ast.walk(tree)):
        if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.Pow):
            continue
        inner = node.left if isinstance(node.left, ast.BinOp) and isinstance(node.left.op, PRODUCT) else None
        kept = [node.left, *([inner.left] if inner and isinstance(node.op, PRODUCT) else [])]
        for part in kept if isinstance(node.op, ast.Div | ast.Sub) else [*kept, node.right]:
            yield Attempt("something is too much", f"{pointed(tree, node)} is right without a part of it: which "
                          "one does the formula not have?", replaced(tree, {k: part}))


def _plainly(tree: ast.FunctionDef) -> ast.FunctionDef:
    """The function with `a *= b` written as `a = a * b`."""
    tree = copy.deepcopy(tree)
    for k, line in enumerate(tree.body):
        if isinstance(line, ast.AugAssign) and isinstance(line.target, ast.Name):
            new = ast.BinOp(ast.Name(line.target.id, ast.Load()), line.op, line.value)
            plain = ast.Assign([line.target], new)
            for node in (plain, new, new.left):
                ast.copy_location(node, line)
            tree.body[k] = plain
    return tree


def used_twice(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A name that gets a new value while its old one is still needed further down."""
    written = tree.body
    for k, line in enumerate((tree := _plainly(tree)).body):
        target = line.targets[0] if isinstance(line, ast.Assign) else None
        if not isinstance(target, ast.Name):
            continue
        later = [n for n, node in enumerate(ast.walk(tree)) if isinstance(node, ast.Name) and node.id == target.id
                 and isinstance(node.ctx, ast.Load) and node.lineno > line.end_lineno]
        for places in dict.fromkeys([*((n,) for n in later), tuple(later)]):
            mended = replaced(tree, {n: ast.Name("_old", ast.Load()) for n in places})
            mended.body.insert(k, ast.Assign([ast.Name("_old", ast.Store())], ast.Name(target.id, ast.Load())))
            yield Attempt("a name is used twice", f"`{target.id}` has a new value since {said(written[k])}, and a line "
                          "further down still needs the old one: give the new value another name.", mended)


def never_used(tree: ast.FunctionDef, reference: ast.FunctionDef) -> Iterator[Attempt]:
    """A part of an argument that the right answer calls, `block.bypass`, and that no line calls."""
    given = {argument.arg for argument in reference.args.args}
    ours, theirs = ({ast.unparse(node.func): node.func for node in ast.walk(one) if isinstance(node, ast.Call)
                     and isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in given}
                    for one in (reference, tree))
    for name in ours.keys() - theirs.keys():
        for k, node in enumerate(ast.walk(tree)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in given:
                called = ast.Call(copy.deepcopy(ours[name]), [copy.deepcopy(node)], [])
                yield Attempt("a part is never used", f"`{name}` is never used: what belongs into its brackets?",
                              replaced(tree, {k: called}))
