"""The slips that every beginner makes, in any exercise: found by mending the learner's own code.

Each repair changes one small thing in a copy of the function, `a**1/2` into `a**0.5` say, and is believed only where
the mended copy is right. So a slip is never named by guessing, and no exercise needs to know of any of them. What no
repair mends is looked through for what is strange whatever the exercise: an argument that is never read, say.
"""

import ast
import contextlib
import inspect
import io
import itertools
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .expressions import EXPRESSIONS
from .forgotten import factors_exchanged, forgotten, never_used, rounded, too_much, used_twice
from .names import arguments, arguments_moved, imports, is_stored, looked_up, names, one_for_another, ones_own
from .statements import assignments, attached, counts, early, loops, overwritten, placed, results, returns
from .tables import kept
from .trees import Attempt, exchanged, said

WRITTEN = (  # what is no such thing in Python, as it is written
    ("^ is no power", "In Python a power is written `**`; `^` means something else.", r"\^", "**"),
    ("a division of whole numbers", "`//` drops what stands behind the point; `/` keeps it.", r"//", "/"),
    ("a comma for a point", "A number is written with a point, `0.5`; a comma makes two things of it.",
     r"(?<!\w\()(?<!\(-)(?<!,-)(?<!, -)\b(\d+),(?=\d)", r"\1."),  # but not clamp(-1,1)
)
DRAWS = {"noise", "normal", "rand", "rand_like", "randn", "randn_like", "random"}


@dataclass(frozen=True)
class Repair:
    """A slip: its `name`, the sentence that `says` what to do, and whether it comes `after` a missing import."""

    name: str
    says: str
    after: bool = False

    @property
    def head(self) -> str:
        """The name, and what is to be mended first."""
        return f"not imported, and {self.name}" if self.after else self.name


def repaired(answer: Callable, right: Callable[[Callable], bool], table: Mapping[str, float] | None = None,
             reference: Callable | None = None, only: Callable | None = None) -> Repair | None:
    """The first repair after which `right(mended)` holds; None where there is none, or no source to mend.

    `right` runs the function on the exercise's cases; whatever the function raises there means that it is not right.
    `table` says which numbers stood for the arguments where the lesson worked it out by hand; `reference` is the right
    function, of which only the parts that it calls are looked at. `only` names the one kind of repair to try.
    """
    read, ours = _source(answer), _source(reference) if reference else None
    if read is None:
        return None
    source, known = read
    tree = ast.parse(source).body[0]
    attempts = only(tree) if only else _attempts(source, tree, known, table or {}, ours)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
        for attempt in attempts:
            function = _compiled(attempt.tree, {**known, **attempt.extra})
            if function is not None and right(function):
                after = attempt.name != "not imported" and any(imports(tree, known))
                return Repair(attempt.name, attempt.says, after)
    return None


def goes_back(answer: Callable) -> bool:
    """Does a function call `backward`, which is the caller's to do?"""
    read = _source(answer)
    return read is not None and any(_called(node) == "backward" for node in ast.walk(ast.parse(read[0])))


def strange(answer: Callable, reference: Callable) -> Repair | None:
    """What is strange in a function that gives wrong numbers, whatever it was to compute; None where nothing is."""
    read, ours = _source(answer), _source(reference)
    if read is None:
        return None
    tree = ast.parse(read[0]).body[0]
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    used = {node.id for node in nodes if isinstance(node.ctx, ast.Load)}
    if not any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(tree)):
        shown = next((node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "print"), None)
        return Repair("print for return", f"{said(shown)} shows a value; `return` hands it back.") if shown else Repair(
            "no return", "The function hands nothing back: its last line is to be a `return`.")
    drawn = next((node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in DRAWS), None)
    if drawn is not None and ours and not any(_called(node) in DRAWS for node in ast.walk(ast.parse(ours[0]))):
        return Repair("noise of its own", f"{said(drawn)} draws fresh noise, and none is asked for: all that is needed "
                      "is given.")
    if ended := early(tree):
        return Repair("return inside the loop", f"{said(ended)} stands inside the loop and ends it in its first round.")
    if (found := _uncalled(tree, used, ours)) or (place := placed(tree)):
        return found or Repair("a place for what stands there", counts(place))
    for name in arguments(tree):
        if name not in used:
            return Repair("something given is never used", f"The result is the same whatever `{name}` is: the function "
                          "never reads it. Does something else stand where it belongs, a number perhaps?")
    counters = _counters(tree)
    for name in dict.fromkeys(node.id for node in nodes if is_stored(node)):
        if name not in used and name not in counters and not name.startswith("_"):
            return Repair("something computed is never used", f"`{name}` is computed and never read: does another name "
                          "stand where it belongs?")
    return None


def _counters(tree: ast.AST) -> list[str]:
    """The names that loops count with: not all that a loop gives need be read."""
    return [node.id for loop in ast.walk(tree) if isinstance(loop, ast.For | ast.comprehension)
            for node in ast.walk(loop.target) if isinstance(node, ast.Name)]


def _uncalled(tree: ast.AST, used: set[str], ours: tuple[str, dict] | None) -> Repair | None:
    """A function that the right answer calls, where a part of what a loop gives is left unread."""
    unread = {*_counters(tree)} - used
    needed = [node.func.id for node in ast.walk(ast.parse(ours[0] if ours else "")) if isinstance(node, ast.Call)
              and isinstance(node.func, ast.Name)]
    for name in needed:
        if name not in used and unread:
            return Repair("a call is missing", f"`{name}` is never called, and no other line does its work: what does "
                          "it need to be given?")
    return None


def _called(node: ast.AST) -> str:
    """The last name of what a call calls: "randn" of `torch.randn(2)`."""
    function = getattr(node, "func", None)
    return getattr(function, "attr", None) or getattr(function, "id", "")


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


def _attempts(source: str, tree: ast.FunctionDef, known: dict, table: Mapping[str, float],
              ours: tuple[str, dict] | None) -> Iterator[Attempt]:
    """Every repair, one at a time; what was not imported is mended first, and told with the other."""
    missing = list(imports(tree, known))
    extra = {name: value for _, name, value in missing}
    told = "".join(says for says, _, _ in missing)
    if missing:
        yield Attempt("not imported", told.strip(), tree, extra)
    parts = never_used(tree, ast.parse(ours[0]).body[0]) if ours else ()
    for attempt in itertools.chain(_repairs(source, tree, {**known, **extra}, table), parts):
        yield attempt._replace(says=told + attempt.says, extra={**extra, **attempt.extra})


def _repairs(source: str, tree: ast.FunctionDef, known: dict, table: Mapping[str, float]) -> Iterator[Attempt]:
    yield from names(tree, known)
    yield from ones_own(tree, known)
    yield from rounded(tree)
    yield from overwritten(tree)
    for name, says, pattern, better in WRITTEN:
        with contextlib.suppress(SyntaxError):
            if re.search(pattern, source):
                yield Attempt(name, says, ast.parse(re.sub(pattern, better, source)).body[0])
    for name, says, site in EXPRESSIONS:
        for mended, before in exchanged(tree, site):
            yield Attempt(name, says.format(code=before), mended)
    for repair in (looked_up, arguments_moved, results, returns, attached, loops, assignments, factors_exchanged,
                   forgotten, used_twice):
        yield from repair(tree)
    yield from kept(tree, table)
    yield from too_much(tree)
    yield from one_for_another(tree)
