"""How far a result is from another one, or why the two cannot be compared at all."""

import contextlib
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...trajectory import Step
from .box import spoken


def flat(result: Any) -> list[Tensor]:
    """The parts of a result, a tensor, a number or a tuple of them, each in one row of float64."""
    parts = result if isinstance(result, tuple | list) else (result,)
    return [torch.as_tensor(part, dtype=torch.float64).detach().flatten() for part in parts]


def distance(a: list[Tensor], b: list[Tensor]) -> float:
    """How far a is from b, relative to the size of b, in the part where it is farthest; infinite where only one of
    them has NaN."""
    if not all(torch.equal(x.isfinite(), y.isfinite()) for x, y in zip(a, b, strict=True)):
        return float("inf")
    return max(float((x - y).nan_to_num().norm() / (y.nan_to_num().norm() + 1e-2)) for x, y in zip(a, b, strict=True))


def worst(results: list[list[Tensor]], wanted: list[list[Tensor]]) -> float:
    """The largest distance over all cases."""
    return max(distance(a, b) for a, b in zip(results, wanted, strict=True))


def slopes(result: Any, given: Iterable[Any]) -> list[Tensor]:
    """How each part of a result moves with each tensor of `given` that asks for a gradient: zeros where it is cut off
    from it."""
    asked = [a for a in given if isinstance(a, Tensor) and a.requires_grad]
    found = []
    for part in (result if isinstance(result, tuple | list) else (result,)) if asked else ():
        slope = [None] * len(asked)
        if isinstance(part, Tensor) and part.requires_grad:
            with contextlib.suppress(RuntimeError):  # the function has gone the way back itself
                slope = torch.autograd.grad(part.sum(), asked, allow_unused=True, retain_graph=True)
        found += [torch.zeros_like(a) if s is None else s for s, a in zip(slope, asked, strict=True)]
    return found


def misfit(result: Any, wanted: Any) -> str:
    """One sentence where a result is not even of the kind, shape and type that was expected, otherwise ""."""
    if result is None:
        return "It returns nothing (None). Is there a `return` at its end?"
    if isinstance(wanted, tuple):
        if not isinstance(result, tuple | list) or len(result) != len(wanted):
            comma = " Hand them back with commas between." if isinstance(result, Tensor) else _unrolled(result)
            return f"It should return {len(wanted)} things; {kind_of(result)} came.{comma}"
        return next((f"{found} That is number {k} of the {len(wanted)} things to return." for k, pair in enumerate(
            zip(result, wanted, strict=True), 1) if (found := misfit(*pair))), "")
    if isinstance(result, complex):
        return f"One number was expected; {result:.3g} came, the root of a negative number: what stands under it?"
    if not isinstance(wanted, Tensor):
        single = isinstance(result, int | float | np.integer | np.floating) or (
            isinstance(result, Tensor) and result.numel() == 1 and not result.is_complex())
        many = isinstance(result, Tensor) and result.numel() > 1
        left = " These numbers are still to become one: by a mean, or a sum?" if many else ""
        return "" if single else f"One number was expected; {kind_of(result)} came.{left}"
    if not isinstance(result, Tensor):
        comma = " A comma makes several things of one." if isinstance(result, tuple) else ""
        return f"It should return {kind_of(wanted)}; {kind_of(result)} came.{comma}{_unrolled(result)}"
    if (result.layout, result.device) != (wanted.layout, wanted.device):
        return (f"It should return a plain tensor that holds its numbers, as its arguments do; {result.layout} on "
                f"{result.device} came.")
    if result.shape != wanted.shape:
        return (f"It should return {kind_of(wanted)}; {kind_of(result)} came. Look for a sum, a mean or an index that "
                "drops or adds a dimension.")
    if wanted.requires_grad and not result.requires_grad:
        return ("Its number is cut off from the network: no training could follow it back to the weights. Stay with "
                "torch's own functions, without `detach`, `no_grad`, `item` or a tensor made anew.")
    if result.dtype != wanted.dtype:
        root = " Somewhere the root of a negative number is taken." if result.is_complex() else ""
        return f"It should return {wanted.dtype} values like its arguments; {result.dtype} came.{root}"
    return ""


def _unrolled(result: Any) -> str:
    """What to do with a generator or a step that came; "" for anything else."""
    if isinstance(result, Step):
        return " A step has parts: where it stands is its `.x_t`, the picture that it guesses its `.x0`."
    return " It yields one step after another: `list(...)` makes a list of them." if inspect.isgenerator(result) else ""


def kind_of(value: Any) -> str:
    """What came, in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.dim() else "a tensor of one number"
    if isinstance(value, np.generic):
        return "a number of numpy's"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if value is ...:
        return "`...`"
    return spoken(value) if isinstance(value, int | float | str) else f"a {type(value).__name__}"
