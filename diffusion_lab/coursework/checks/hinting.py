"""Three hints, each a click deeper, then a worked solution folded shut: plain HTML, alive without a kernel."""

import ast
import copy
import dis
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from html import escape
from types import CodeType, ModuleType

from torch.nn import functional

from ..lessons import find
from .box import BOX, with_code
from .exercises import Code, Exercise

FOLD = "margin:0.4em 0 0.2em 0.2em"
CLICK = "cursor:pointer;font-weight:600;padding:0.2em 0;scroll-margin:2em 0 10em"  # what it opens is on screen, too
CODE = "background:var(--jp-layout-color2,#f3f3f3);color:inherit;padding:0.7em;font-size:14px;line-height:1.45"
WRAP = "background:none;padding:0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"  # nothing to scroll


class Hints:
    """What `hints` shows: nested <details>, which need no script and open with Enter or Space."""

    def __init__(self, name: str, exercise: Exercise):
        self.name, self.exercise = name, exercise

    def __repr__(self) -> str:
        return f"Three hints and a solution for {self.name}, folded shut"

    def _repr_html_(self) -> str:
        inner = _fold("Show the solution", _solution(self.exercise))
        for number in (3, 2, 1):
            hint = f"<p>{with_code(self.exercise.hints[number - 1])}</p>"
            inner = _fold(f"Hint {number} of 3", hint + inner)
        return f'<div class="dl-hints" style="{BOX};border-style:dashed">{inner}</div>'


def hints(name: str) -> Hints:
    """The hints of an exercise such as "04.ddim"; the solution's code is read from the function the package runs."""
    return Hints(name, find(name))


def _fold(title: str, inside: str) -> str:
    return f'<details style="{FOLD}"><summary style="{CLICK}">{escape(title)}</summary>{inside}</details>'


def _solution(exercise: Exercise) -> str:
    if not isinstance(exercise, Code):
        return f"<p>{with_code(exercise.solution)}</p>"
    ours = " and ".join(f"<code>{escape(f'{one.__module__}.{one.__name__}')}</code>" for one in exercise.source)
    return (f'<p>Paste it in place of your function:</p><pre style="{CODE}"><code style="{WRAP}">'
            f"{escape(solution(exercise))}</code></pre><p>It is what this course runs itself, as {ours}.</p>")


def solution(exercise: Code) -> str:
    """The worked solution as a learner would write it, to be pasted in place of the stub: what it imports, then its
    functions, those that the answer rests on first, and the answer under the name that the exercise calls it by.
    A function of one line is written where it is called."""
    answer = exercise.call.partition("(")[0]
    whole, lines = [], {}
    for function in reversed(exercise.source):
        core = _inlined(_core(function, answer if function is exercise.source[0] else function.__name__), lines)
        tree = ast.parse(core).body[0]
        if function is not exercise.source[0] and isinstance(tree.body[0], ast.Return):
            lines[tree.name] = tree
        else:
            whole.append(core)
    text = "\n\n\n".join(whole)
    own = {answer, *(function.__name__ for function in exercise.source)}
    known = {name: value for function in exercise.source for name, value in function.__globals__.items()}
    needed = sorted(_globals(compile(text, "<solution>", "exec")) & known.keys() - own)
    imports = sorted({_import(name, known[name]) for name in needed})
    return "\n".join(imports) + "\n\n\n" * bool(imports) + text


def _core(function: Callable, name: str) -> str:
    """A function's source without what no learner writes: decorators, annotations, docstring, checks of its input."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    (tree,) = ast.parse("\n".join(lines)).body
    tree.name, kept = name, dict(enumerate(lines, 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            top = min(part.lineno for part in (node, *node.decorator_list))
            for number in range(top, node.body[0].lineno):
                del kept[number]
            kept[top] = " " * node.col_offset + f"def {node.name}({_arguments(node)}):"
    for part in _aside(tree):
        for number in range(part.lineno, part.end_lineno + 1):
            kept.pop(number, None)
    text = "\n".join(kept[number].split("  # fmt")[0] for number in sorted(kept))
    return re.sub(r"\n\n+", "\n\n", text.replace("):\n\n", "):\n")).strip()


def _inlined(text: str, lines: Mapping[str, ast.FunctionDef]) -> str:
    """A function's text with the result of each one-line function in the place of its call."""
    class Letters(ast.NodeTransformer):
        def __init__(self, given: dict[str, ast.expr]):
            self.given = given

        def visit_Name(self, node):
            return self.given.get(node.id, node)

    class Inline(ast.NodeTransformer):
        def visit_Call(self, node):
            line = lines.get(getattr(node.func, "id", ""))
            if line is None or node.keywords:
                return self.generic_visit(node)
            letters = [argument.arg for argument in line.args.args]
            return Letters(dict(zip(letters, node.args, strict=True))).visit(copy.deepcopy(line.body[0].value))

    tree = ast.parse(text)
    called = {getattr(node.func, "id", "") for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return re.sub(r"(\w) \*\* ", r"\1**", ast.unparse(Inline().visit(tree))) if called & lines.keys() else text


def _aside(tree: ast.FunctionDef) -> list[ast.stmt]:
    """The statements that compute nothing of the result: the docstring, checks, and what only a check looks at."""
    def checks(part: ast.stmt) -> bool:
        called = part.value if isinstance(part, ast.Expr) else None
        return (isinstance(part, ast.If) and isinstance(part.body[-1], ast.Raise)
                or isinstance(called, ast.Constant)
                or isinstance(called, ast.Call) and "check" in ast.unparse(called.func))

    kept = [part for part in tree.body if not checks(part)]
    read = {node.id for part in kept for node in ast.walk(part)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return [part for part in tree.body if part not in kept or isinstance(part, ast.Assign)
            and isinstance(part.targets[0], ast.Name) and part.targets[0].id not in read]


def _arguments(node: ast.FunctionDef) -> str:
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(node.args)


def _globals(code: CodeType) -> set[str]:
    """The names that code takes from outside, its inner functions' too."""
    inner = [_globals(part) for part in code.co_consts if isinstance(part, CodeType)]
    return {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}.union(*inner)


def _import(name: str, value: object) -> str:
    """The line that makes a name known: the module of that name, or what the package offers."""
    import diffusion_lab

    if isinstance(value, ModuleType):
        return f"import {value.__name__}"
    home = "torch.nn.functional" if "._" in value.__module__ and hasattr(functional, name) else value.__module__
    return f"from {'diffusion_lab' if name in diffusion_lab.__all__ else home} import {name}"
