"""The slips that every beginner makes, in any exercise: found by mending the learner's own code.

Each repair changes one small thing in a copy of the function, `a**1/2` into `a**0.5` say, and is believed only where
the mended copy is right. So a slip is never named by guessing, and no exercise needs to know of any of them.
"""

import ast
import builtins
import contextlib
import copy
import difflib
import inspect
import io
import itertools
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy
import torch

from .expressions import EXPRESSIONS, exchanged, said


@dataclass(frozen=True)
class Repair:
    """A slip: its `name`, and the sentence that `says` what to do."""

    name: str
    says: str


class Attempt(NamedTuple):
    """A repair that is yet to be tried: the mended tree, and names that it needs besides the learner's."""

    name: str
    says: str
    tree: ast.FunctionDef
    extra: dict = {}


def repaired(answer: Callable, right: Callable[[Callable], bool]) -> Repair | None:
    """The first repair after which `right(mended)` holds; None where there is none, or no source to mend.

    `right` runs the function on the exercise's cases; whatever the function raises there means that it is not right.
    """
    read = _source(answer)
    if read is None:
        return None
    source, known = read
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
        for attempt in _attempts(source, known):
            function = _compiled(attempt.tree, {**known, **attempt.extra})
            if function is not None and right(function):
                return Repair(attempt.name, attempt.says)
    return None


def _source(answer: Callable) -> tuple[str, dict] | None:
    """The learner's function as text, and the names it knows; None for what was not written as `def`."""
    try:
        function = inspect.unwrap(answer)
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source).body[0]
        around = inspect.getclosurevars(function).nonlocals
    except (OSError, TypeError, ValueError, SyntaxError, IndexError):
        return None
    plain = isinstance(tree, ast.FunctionDef) and not tree.decorator_list
    return (source, {**function.__globals__, **around}) if plain else None


def _compiled(tree: ast.FunctionDef, names: dict) -> Callable | None:
    module = ast.fix_missing_locations(ast.Module([tree], type_ignores=[]))
    try:
        exec(compile(module, "<mended>", "exec"), names)
    except (SyntaxError, ValueError, TypeError):
        return None
    return names[tree.name]


def _attempts(source: str, known: dict) -> Iterator[Attempt]:
    """Every repair, one at a time; what was not imported is mended first, and told with the other."""
    tree = ast.parse(source).body[0]
    missing = list(_imports(tree, known))
    extra = {name: value for _, name, value in missing}
    told = "".join(says for says, _, _ in missing)
    if missing:
        yield Attempt("not imported", told.strip(), tree, extra)
    for attempt in _repairs(source, tree, {**known, **extra}):
        yield attempt._replace(says=told + attempt.says, extra={**extra, **attempt.extra})


def _repairs(source: str, tree: ast.FunctionDef, known: dict) -> Iterator[Attempt]:
    yield from _names(tree, known)
    if "^" in source:
        yield Attempt("^ is no power", "In Python a power is written `**`; `^` means something else.",
                      ast.parse(source.replace("^", "**")).body[0])
    for name, says, site in EXPRESSIONS:
        for mended, before in exchanged(tree, site):
            yield Attempt(name, says.format(code=said(before)), mended)
    for repair in (_arguments_moved, _returns, _loops, _assignments):
        yield from repair(tree)


# --- names -------------------------------------------------------------------------------------------------------


def _renamed(tree: ast.FunctionDef, old: str, new: str) -> ast.FunctionDef:
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == old:
            node.id = new
    return tree


def _free(tree: ast.FunctionDef) -> list[str]:
    """The names that a function takes from outside, but for Python's own."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {*_arguments(tree), *(node.id for node in names if _is_stored(node))}
    return list(dict.fromkeys(node.id for node in names if node.id not in own and not hasattr(builtins, node.id)))


def _arguments(tree: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in tree.args.args]


def _arguments_moved(tree: ast.FunctionDef) -> Iterator[Attempt]:
    for i, j in itertools.combinations(range(len(tree.args.args)), 2):
        mended = copy.deepcopy(tree)
        own = mended.args.args
        own[i], own[j] = own[j], own[i]
        yield Attempt("two arguments changed places", f"`{own[j].arg}` and `{own[i].arg}` have changed places: look at "
                      "the function's first line, and at where each of them is used.", mended)


def _imports(tree: ast.FunctionDef, known: dict) -> Iterator[tuple[str, str, object]]:
    """What is used and was never imported: the sentence, the name, and what it stands for."""
    import diffusion_lab

    lines = {"torch": "import torch", "math": "import math", "np": "import numpy as np", "numpy": "import numpy"}
    modules = {"torch": torch, "math": math, "np": numpy, "numpy": numpy}
    for name in _free(tree):
        if name not in known and name in modules:
            yield f"`{name}` is not known here: write `{lines[name]}` above. ", name, modules[name]
        elif name not in known and name in diffusion_lab.__all__:
            line = f"from diffusion_lab import {name}"
            yield f"`{name}` is not known here: write `{line}` above. ", name, getattr(diffusion_lab, name)


def _names(tree: ast.FunctionDef, known: dict) -> Iterator[Attempt]:
    """Names that are spelt otherwise, or left from an earlier cell; numpy's for torch's."""
    arguments = _arguments(tree)
    for name in _free(tree):
        if name == "sqrt" and name not in known:
            yield Attempt("sqrt has another name", "`sqrt` is not known here. `a**0.5` is the root of a.", tree,
                          {"sqrt": lambda a: a**0.5})
        elif name not in known:
            for near in difflib.get_close_matches(name, [*arguments, "torch", "math"], n=1, cutoff=0.5):
                yield Attempt("a name spelt otherwise", f"`{name}` is not known here. Is it `{near}`?",
                              _renamed(tree, name, near), {"torch": torch, "math": math})
        elif not callable(known[name]) and not inspect.ismodule(known[name]):
            for argument in arguments:
                yield Attempt("a variable of an earlier cell", f"`{name}` is a variable of another cell; what the "
                              f"function is given is called `{argument}`.", _renamed(tree, name, argument))
        if name in ("np", "numpy"):
            yield Attempt("numpy for torch", "numpy's functions make numpy's arrays, torch's make tensors: write "
                          f"`torch.` for `{name}.`.", _renamed(tree, name, "torch"), {"torch": torch})


# --- statements --------------------------------------------------------------------------------------------------


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for part in ("body", "orelse"):
            if isinstance(getattr(node, part, None), list):
                yield getattr(node, part)


def _returns(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """print for return, no return at all, a list for a tensor."""
    if isinstance(last := tree.body[-1], ast.Expr):
        value, mended = last.value, copy.deepcopy(tree)
        shown = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "print" and len(value.args) == 1
        mended.body[-1] = ast.Return(value.args[0] if shown else value)
        if shown:
            yield Attempt("print for return", f"{said(last)} shows a value; `return` hands it back.", mended)
        else:
            yield Attempt("no return", f"{said(last)} is computed, not handed back: write `return` before it.", mended)
    returned = any(isinstance(node, ast.Return) and node.value is not None for node in _own(tree))
    if not returned:
        for name in dict.fromkeys(node.id for node in _own(tree) if _is_stored(node)):
            mended = copy.deepcopy(tree)
            mended.body.append(ast.Return(ast.Name(name, ast.Load())))
            yield Attempt("no return", f"The function hands nothing back: is `return {name}` missing?", mended)
    if returned:
        yield Attempt("a list for a tensor", "A list is handed back where a tensor was expected: `torch.stack(...)` "
                      "makes one of it.", _wrapped(tree), {"_tensor": torch.stack})
        yield Attempt("no tensor", "What is handed back is no tensor: `torch.as_tensor(...)` makes one of it; or use "
                      "torch's functions from the start.", _wrapped(tree),
                      {"_tensor": lambda value: torch.as_tensor(value, dtype=torch.float32)})


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


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _loops(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A return inside the loop; a loop over what holds only the timesteps."""
    mended = copy.deepcopy(tree)
    for body in list(_bodies(mended)):
        for k, loop in enumerate(body):
            if isinstance(loop, ast.For | ast.While) and isinstance(loop.body[-1], ast.Return):
                body.insert(k + 1, loop.body.pop())
                loop.body = loop.body or [ast.Pass()]
                yield Attempt("return inside the loop", f"{said(body[k + 1])} stands inside the loop and ends it in "
                              "its first round: move it to the left, below the loop.", mended)
                return
    mended = copy.deepcopy(tree)
    for node in ast.walk(mended):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and ast.unparse(node.iter) == "timesteps":
            node.iter = ast.parse("schedule.times(timesteps)", mode="eval").body
            yield Attempt("timesteps holds only t", "`timesteps` holds nothing but t; `schedule.times(timesteps)` "
                          "gives t, alpha_bar and alpha_bar_next.", mended)
            return


def _assignments(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A line whose result nobody keeps."""
    names = dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    for n, (body, k) in enumerate(_idle(tree)):
        for name in names:
            mended = copy.deepcopy(tree)
            at, _ = list(_idle(mended))[n]
            at[k] = ast.Assign([ast.Name(name, ast.Store())], at[k].value)
            yield Attempt("a result that nobody keeps", f"{said(body[k])} is computed and forgotten: write "
                          f"`{name} = ` before it.", mended)


def _idle(tree: ast.FunctionDef) -> Iterator[tuple[list[ast.stmt], int]]:
    """Where a computed value is dropped."""
    for body in _bodies(tree):
        for k, line in enumerate(body):
            if isinstance(line, ast.Expr) and not isinstance(line.value, ast.Constant):
                yield body, k
