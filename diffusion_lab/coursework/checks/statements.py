"""Slips of whole statements: what is returned, what a loop holds, what nobody keeps."""

import ast
import copy
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .forgotten import used_twice
from .names import arguments, is_stored
from .trees import Attempt, replaced, said

TRAINED = {"network", "block", "model", "critic", "fake"}  # arguments that hold weights, or were made by some


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for part in ("body", "orelse"):
            if isinstance(getattr(node, part, None), list):
                yield getattr(node, part)


def results(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """More is returned than the one thing that is wanted, or the sum of two that are wanted apart."""
    for k, node in enumerate(ast.walk(tree)):
        value = node.value if isinstance(node, ast.Return) else None
        if isinstance(value, ast.Tuple) and len(value.elts) > 1:
            for one in value.elts:
                yield Attempt("more than one thing is returned", f"{said(node)}: one thing is wanted; what was "
                              "computed on the way to it stays in the function.", replaced(tree, {k: ast.Return(one)}))
        if isinstance(value, ast.BinOp) and isinstance(value.right, ast.BinOp) and isinstance(value.op, ast.Add):
            for part in (value.right.left, value.right.right):
                pair = ast.Tuple([value.left, part], ast.Load())
                yield Attempt("two things added up", f"{said(node)}: two things are wanted, with a comma between them. "
                              "The course itself adds the noise.", replaced(tree, {k: ast.Return(pair)}))


def returns(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """print for return, no return at all, one tensor for several things, a list for a tensor."""
    for k, node in enumerate(ast.walk(tree)):
        made = node.value if isinstance(node, ast.Return) and isinstance(node.value, ast.Call) else None
        if made and getattr(made.func, "attr", "") in ("tensor", "stack", "cat") and isinstance(
                made.args[0] if made.args else None, ast.List | ast.Tuple):
            yield Attempt("one tensor for several things", f"{said(node)} makes one tensor of them: hand them back as "
                          "they are, with commas between.",
                          replaced(tree, {k: ast.Return(ast.Tuple(made.args[0].elts, ast.Load()))}))
    if isinstance(last := tree.body[-1], ast.Expr):
        value, mended = last.value, copy.deepcopy(tree)
        shown = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "print" and value.args
        mended.body[-1] = ast.Return(value if not shown else value.args[0] if len(value.args) == 1 else
                                     ast.Tuple(value.args, ast.Load()))
        if shown:
            yield Attempt("print for return", f"{said(last)} shows a value; `return` hands it back.", mended)
        else:
            yield Attempt("no return", f"{said(last)} is computed, not handed back: write `return` before it.", mended)
    returned = any(isinstance(node, ast.Return) and node.value is not None for node in _own(tree))
    if not returned:
        for name in dict.fromkeys(node.id for node in _own(tree) if is_stored(node)):
            mended = copy.deepcopy(tree)
            mended.body.append(ast.Return(ast.Name(name, ast.Load())))
            yield Attempt("no return", f"The function hands nothing back: is `return {name}` missing?", mended)
    if returned:
        yield Attempt("a list for a tensor", "A list is handed back where a tensor was expected: `torch.stack(...)` "
                      "makes one of it.", _wrapped(tree), {"_tensor": torch.stack})
        yield Attempt("no tensor", "What is handed back is no tensor: `torch.as_tensor(...)` makes one of it; or use "
                      "torch's functions from the start.", _wrapped(tree),
                      {"_tensor": _made})


def _made(value: Any) -> Tensor:
    """A tensor of what is none yet; one of another type is told as what it is, by whoever compares."""
    if isinstance(value, Tensor):
        raise TypeError("it is a tensor")
    return torch.as_tensor(value, dtype=torch.float32)


def attached(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """Whatever cuts a result off from the network that gave it, taken away: all of it at once."""
    found: list[str] = []

    class Attach(ast.NodeTransformer):
        def visit_Call(self, node):
            node, name = self.generic_visit(node), getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            new = node.func.value if name in ("detach", "item", "tolist", "numpy") and not node.args else None
            if name in ("float", "tensor", "from_numpy") and len(node.args) == 1:
                new = node.args[0]
            return self._instead(node, new)

        def visit_Attribute(self, node):
            node = self.generic_visit(node)
            return self._instead(node, node.value if node.attr == "data" else None)

        def visit_Name(self, node):
            return ast.Name("torch", node.ctx) if node.id in ("np", "numpy") else node

        def visit_With(self, node):
            held = {getattr(getattr(one.context_expr, "func", None), "attr", "") for one in node.items}
            node = self.generic_visit(node)
            if not held & {"no_grad", "inference_mode"}:
                return node
            found.append(f"with {ast.unparse(node.items[0])}")
            return node.body

        def _instead(self, node, new):
            found.extend([ast.unparse(node)] if new is not None else [])
            return node if new is None else new

    mended = Attach().visit(copy.deepcopy(tree))
    if not found:
        return
    code = found[0] if len(found[0]) <= 60 else f"{found[0][:57]}..."
    if TRAINED & {*arguments(tree)}:
        yield Attempt("cut off from the network", f"`{code}` gives a number that no longer knows where it comes from, "
                      "so no training could follow it back to the weights.", mended, {"torch": torch})
    yield Attempt("no tensor any more", f"`{code}` makes something else of a tensor, and many numbers cannot become "
                  "one: stay with tensors, and with torch's functions.", mended, {"torch": torch})


def _wrapped(tree: ast.FunctionDef) -> ast.FunctionDef:
    """The function with everything that it returns handed through `_tensor`."""
    tree = copy.deepcopy(tree)
    for node in _own(tree):
        if isinstance(node, ast.Return) and node.value is not None:
            node.value = ast.Call(ast.Name("_tensor", ast.Load()), [node.value], [])
    return tree


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a function but those of the functions within it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from _own(child)


def inside(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A return at the end of a loop's body, moved below the loop."""
    mended = copy.deepcopy(tree)
    for body in list(_bodies(mended)):
        for k, loop in enumerate(body):
            if isinstance(loop, ast.For | ast.While) and isinstance(loop.body[-1], ast.Return):
                body.insert(k + 1, loop.body.pop())
                loop.body = loop.body or [ast.Pass()]
                yield Attempt("return inside the loop", f"{said(body[k + 1])} stands inside the loop and ends it in "
                              "its first round: move it to the left, below the loop.", mended)
                return


def loops(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A return inside the loop; a loop over what holds only the timesteps, or over places."""
    yield from inside(tree)
    for k, node in enumerate(ast.walk(tree)):
        if found := _counted(node):
            mended = replaced(tree, {k: ast.Name(found, ast.Load())})
            yield Attempt("a place for what stands there", counts(node), mended)
    mended = copy.deepcopy(tree)
    for node in ast.walk(mended):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and ast.unparse(node.iter) == "timesteps":
            node.iter = ast.parse("schedule.times(timesteps)", mode="eval").body
            yield Attempt("timesteps holds only t", "`timesteps` holds nothing but t; `schedule.times(timesteps)` "
                          "gives t, alpha_bar and alpha_bar_next.", mended)
            return


def early(tree: ast.FunctionDef) -> ast.Return | None:
    """The return at the end of a loop's body."""
    lasts = (node.body[-1] for node in ast.walk(tree) if isinstance(node, ast.For | ast.While))
    return next((last for last in lasts if isinstance(last, ast.Return)), None)


def _counted(node: ast.AST) -> str:
    """The `a` of `range(len(a))`; "" for anything else."""
    found = re.fullmatch(r"range\(len\((\w+)\)\)", ast.unparse(node)) if isinstance(node, ast.Call) else None
    return found[1] if found else ""


def counts(node: ast.Call) -> str:
    return (f"{said(node)} counts 0, 1, 2, ...: these are places in the list. What stands there is another thing: look "
            "at what your loop walks over.")


def placed(tree: ast.FunctionDef) -> ast.Call | None:
    """The `range(len(a))` of a loop that gives its counter itself to a function."""
    given = {one.id for node in ast.walk(tree) if isinstance(node, ast.Call) for one in node.args
             if isinstance(one, ast.Name)}
    return next((node.iter for node in ast.walk(tree) if isinstance(node, ast.For) and _counted(node.iter)
                 and getattr(node.target, "id", "") in given), None)


def assignments(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A line whose result nobody keeps."""
    names = dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    for n, (body, k) in enumerate(_idle(tree)):
        for name in names:
            mended = copy.deepcopy(tree)
            at, _ = list(_idle(mended))[n]
            at[k] = ast.Assign([ast.Name(name, ast.Store())], at[k].value)
            yield Attempt("a result that nobody keeps", f"{said(body[k])} is computed and forgotten: write "
                          f"`{name} = ` before it.", mended)


def unkept(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """What is computed and dropped, what is given and dropped, and a loop left early: no numbers tell these from other
    slips."""
    yield from inside(tree)
    yield from assignments(tree)
    yield from overwritten(tree)
    yield from used_twice(tree)


def overwritten(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A line that gives an argument another value before it was read: left out."""
    for k, line in enumerate(tree.body):
        target = line.targets[0] if isinstance(line, ast.Assign) and len(line.targets) == 1 else None
        if isinstance(target, ast.Name) and target.id in arguments(tree) and not _reads(line.value, target.id):
            mended = copy.deepcopy(tree)
            del mended.body[k]
            yield Attempt("an argument is overwritten", f"The function is given `{target.id}`, and {said(line)} puts "
                          "something else in its place: leave that line out.", mended)


def _reads(node: ast.AST, name: str) -> bool:
    """Does an expression read the values of a name? `torch.randn_like(name)` reads its shape alone."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_like"):
        return False
    return getattr(node, "id", "") == name or any(_reads(part, name) for part in ast.iter_child_nodes(node))


def _idle(tree: ast.FunctionDef) -> Iterator[tuple[list[ast.stmt], int]]:
    """Where a computed value is dropped."""
    for body in _bodies(tree):
        for k, line in enumerate(body):
            if isinstance(line, ast.Expr) and not isinstance(line.value, ast.Constant):
                yield body, k
