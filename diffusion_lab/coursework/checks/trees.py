"""A learner's function as a syntax tree, and copies of it with a place exchanged."""

import ast
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple


class Attempt(NamedTuple):
    """A repair that is yet to be tried: the mended tree, and names that it needs besides the learner's."""

    name: str
    says: str
    tree: ast.FunctionDef
    extra: dict = {}


def said(node: ast.AST) -> str:
    said = ast.unparse(node)
    return f"`{said if len(said) <= 60 else said[:57] + '...'}`"


def alone(tree: ast.AST, node: ast.AST) -> ast.AST:
    """The smallest piece around a node of a tree that is written there once: the node itself, where it is."""
    parts = [part for part in ast.walk(tree) if isinstance(part, ast.expr | ast.stmt)]
    times = Counter(map(ast.unparse, parts))
    around = {id(child): part for part in parts for child in ast.iter_child_nodes(part)}
    while times[ast.unparse(node)] > 1 and id(node) in around:
        node = around[id(node)]
    return node


def pointed(tree: ast.AST, node: ast.AST) -> str:
    """The code of a node; where the tree holds it twice, in the smallest piece that it holds once."""
    whole = alone(tree, node)
    return said(node) if whole is node else f"{said(node)} in {said(whole)}"


def exchanged(tree: ast.FunctionDef, site: Callable, every: int = 0) -> Iterator[tuple[ast.FunctionDef, str]]:
    """The tree with all the places exchanged for which `site` has a better expression, then those that differ in
    nothing but names (a line for a, a line for b), then each alone; and the first of them as it was, quoted. Of no
    more than `every` places each choice is tried, the fewest first."""
    def better(chosen: Sequence[int]) -> tuple[ast.FunctionDef, list[ast.AST]]:
        found: list[ast.AST] = []

        class Exchange(ast.NodeTransformer):
            def visit(self, node):
                new = site(node := self.generic_visit(node))
                if new is None:
                    return node
                found.append(node)
                return new if len(found) - 1 in chosen else node

        return Exchange().visit(copy.deepcopy(tree)), found

    whole, found = better(())
    alike: dict[str, list[int]] = {}
    for k, was in enumerate(found):
        alike.setdefault(re.sub(r"id='\w+'", "", ast.dump(was)), []).append(k)
    groups = [range(len(found)), *alike.values(), *((k,) for k in range(len(found)))]
    if len(found) <= every:
        groups = [some for n, _ in enumerate(found, 1) for some in combinations(range(len(found)), n)]
    for chosen in dict.fromkeys(map(tuple, groups)):
        if chosen:
            was = found[chosen[0]]
            yield better(chosen)[0], said(was) if len(chosen) > 1 else pointed(whole, was)


def replaced(tree: ast.FunctionDef, new: Mapping[int, ast.AST]) -> ast.FunctionDef:
    """The tree with other nodes at some places, counted as ast.walk goes."""
    mended = copy.deepcopy(tree)
    at = {id(node): new[k] for k, node in enumerate(ast.walk(mended)) if k in new}

    class Exchange(ast.NodeTransformer):
        def visit(self, node):
            return at[id(node)] if id(node) in at else self.generic_visit(node)

    return Exchange().visit(mended)
