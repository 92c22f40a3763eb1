"""Slips of names: misspelt, not imported, left from another cell, or one in another's place."""

import ast
import builtins
import copy
import difflib
import inspect
import itertools
import math
import unicodedata
from collections.abc import Iterable, Iterator

import numpy
import torch

from .trees import Attempt, alone, exchanged, replaced, said


def _renamed(tree: ast.FunctionDef, old: str, new: str) -> ast.FunctionDef:
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == old:
            node.id = new
    return tree


def _free(tree: ast.FunctionDef) -> list[str]:
    """The names that a function takes from outside, but for Python's own."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {*arguments(tree), *_made(tree), *_imported(tree)}
    return list(dict.fromkeys(node.id for node in names if node.id not in own and not hasattr(builtins, node.id)))


def _imported(tree: ast.FunctionDef) -> list[str]:
    """The names that a function imports itself."""
    return [alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names]


def arguments(tree: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in tree.args.args]


def arguments_moved(tree: ast.FunctionDef) -> Iterator[Attempt]:
    for i, j in itertools.combinations(range(len(tree.args.args)), 2):
        mended = copy.deepcopy(tree)
        own = mended.args.args
        own[i], own[j] = own[j], own[i]
        yield Attempt("two arguments changed places", f"`{own[j].arg}` and `{own[i].arg}` have changed places: look at "
                      "the function's first line, and at where each of them is used.", mended)


def imports(tree: ast.FunctionDef, known: dict) -> Iterator[tuple[str, str, object]]:
    """What is used and was never imported: the sentence, the name, and what it stands for."""
    for name in (name for name in _free(tree) if name not in known):
        if (found := elsewhere(name)) and (not callable(found[1]) or name in _called(tree)):
            yield f"`{name}` is not known here: write `{found[0]}` above. ", name, found[1]


def _called(tree: ast.FunctionDef) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def elsewhere(name: str) -> tuple[str, object] | None:
    """The line that would make a name known, and what it then is."""
    import diffusion_lab

    modules = {"torch": torch, "math": math, "np": numpy, "numpy": numpy}
    if name in modules:
        return "import numpy as np" if name == "np" else f"import {name}", modules[name]
    offered = ((diffusion_lab, diffusion_lab.__all__), (math, ("e", "pi")), (torch, {*dir(torch)} - {"sqrt"}))
    home = next((module for module, has in offered if name in has and (len(name) > 1 or module is math)), None)
    return (f"from {home.__name__} import {name}", getattr(home, name)) if home else None


def names(tree: ast.FunctionDef, known: dict) -> Iterator[Attempt]:
    """Names that are spelt otherwise, or left from an earlier cell; numpy's for torch's."""
    given = arguments(tree)
    for name in _free(tree):
        if name == "sqrt" and name not in known:
            yield Attempt("sqrt has another name", "`sqrt` is not known here. `a**0.5` is the root of a.", tree,
                          {"sqrt": lambda a: a**0.5})
        elif name not in known:
            if like := near(name, [*given, *_made(tree), "torch", "math"]):
                yield Attempt("a name spelt otherwise", f"`{name}` is not known here. Is it `{like}`?",
                              _renamed(tree, name, like), {"torch": torch, "math": math})
        elif callable(known[name]) and name not in _called(tree):
            for argument in given:
                yield Attempt("a function for a number", f"`{name}` is a function; what this one is given is called "
                              f"`{argument}`.", _renamed(tree, name, argument))
        elif not callable(known[name]) and not inspect.ismodule(known[name]):
            for argument in given:
                yield Attempt("a variable of an earlier cell", f"`{name}` is a variable of another cell; what the "
                              f"function is given is called `{argument}`.", _renamed(tree, name, argument))
    for name in {"np", "numpy"} & {*_free(tree), *_imported(tree)}:
        yield Attempt("numpy for torch", "numpy's functions make numpy's arrays, torch's make tensors: write "
                      f"`torch.` for `{name}.`.", _renamed(tree, name, "torch"), {"torch": torch})


def near(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The known name that is meant, with a Greek letter read as its word; "" where none is near."""
    spelt = "".join(unicodedata.name(letter, "").partition("GREEK SMALL LETTER ")[2].partition(" ")[0].lower() or letter
                    for letter in name)
    greek = [like for like in known if spelt != name and like.startswith(spelt[:3])]
    return next(iter(greek or difflib.get_close_matches(spelt, known, n=1, cutoff=cutoff)), "")


def ones_own(tree: ast.FunctionDef, known: dict) -> Iterator[Attempt]:
    """A function of an earlier cell that has the name of one of the package's, which does it right."""
    import diffusion_lab

    for name in sorted(_called(tree) & {*diffusion_lab.__all__} & {*known}):
        if known[name] is not (offered := getattr(diffusion_lab, name)):
            yield Attempt("a function of your own", f"This function is right, and the `{name}` that it calls, your own "
                          f"of an earlier cell, is not: mend that, or write `from diffusion_lab import {name}`.", tree,
                          {name: offered})


def one_for_another(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """One of the function's own names in the place of another."""
    own = list(dict.fromkeys([*arguments(tree), *_made(tree)]))
    around = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for k, node in enumerate(ast.walk(tree)):
        called = isinstance(node, ast.Name) and getattr(around[id(node)], "func", None) is node
        if not isinstance(node, ast.Name) or node.id not in own or is_stored(node) or called:
            continue
        piece = said(alone(tree, around[id(node)]))
        for name in own:
            if name != node.id:
                yield Attempt("one name for another", f"`{node.id}` is not what belongs into {piece}: look at "
                              "what each letter stands for.", replaced(tree, {k: ast.Name(name, ast.Load())}))


def _square(node):
    """f(a) as f[a]."""
    called = isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name)
    return ast.Subscript(node.func, node.args[0], ast.Load()) if called else None


def _column(node):
    """a[:, None] as a[t][:, None], and a[t] as a[t][:, None]."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load)):
        return None
    at = ast.Name("t", ast.Load()) if ast.unparse(node).endswith("[:, None]") else node.slice
    looked_up = ast.Subscript(ast.Name(node.value.id, ast.Load()), at, ast.Load())
    return ast.Subscript(looked_up, ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load()), ast.Load())


def _uncalled(node):
    """a.mean as a.mean()."""
    named = isinstance(node, ast.Attribute) and node.attr in ("mean", "sum", "square", "sqrt", "abs")
    return ast.Call(node, [], []) if named else None


def _unsqueezed(node):
    """a.squeeze() or a.flatten() as a."""
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return node.func.value if called and node.func.attr in ("squeeze", "flatten", "ravel") else None


def looked_up(tree: ast.FunctionDef) -> Iterator[Attempt]:
    """A list that is called, a column that is missing, and a method that is not called."""
    column = "look it up at `t`, then `[:, None]`." if "t" in arguments(tree) else "`[:, None]` makes one."
    for name, says, site in (
        ("round brackets for a list", "round brackets call a function; a list is looked up with square ones.", _square),
        ("a column is missing", f"a number for each picture is wanted, as a column of the batch: {column}", _column),
        ("a column made flat", "a number for each picture is wanted, as a column: leave it one.", _unsqueezed),
        ("a method that is not called", "this is a method; its brackets `()` make it work.", _uncalled),
    ):
        for mended, before in exchanged(tree, site):
            yield Attempt(name, f"{before}: {says}", mended)


def _made(tree: ast.FunctionDef) -> list[str]:
    """The names that a function gives values to."""
    return [node.id for node in ast.walk(tree) if is_stored(node)]


def is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
