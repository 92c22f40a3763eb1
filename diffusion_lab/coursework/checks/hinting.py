"""Three hints, each a click deeper, then a worked solution folded shut: plain HTML, alive without a kernel."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from html import escape

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
    """The hints of an exercise such as "04.ddim". The solution's code is read from the function the package runs,
    without its docstring and the checks of its input."""
    return Hints(name, find(name))


def _fold(title: str, inside: str) -> str:
    return f'<details style="{FOLD}"><summary style="{CLICK}">{escape(title)}</summary>{inside}</details>'


def _solution(exercise: Exercise) -> str:
    if not isinstance(exercise, Code):
        return f"<p>{with_code(exercise.solution)}</p>"
    return "".join(
        f"<p>From <code>{escape(function.__module__)}</code>:</p>"
        f'<pre style="{CODE}"><code style="{WRAP}">{escape(_core(function))}</code></pre>'
        for function in exercise.source)


def _core(function: Callable) -> str:
    """The source that runs, without its docstring and the checks of its input: the lines that a learner writes."""
    source = textwrap.dedent(inspect.getsource(function))
    body = ast.parse(source).body[0].body
    aside = [part for k, part in enumerate(body) if (k == 0 and ast.get_docstring(ast.parse(source).body[0]))
             or (isinstance(part, ast.If) and all(isinstance(line, ast.Raise) for line in part.body))]
    hidden = {number for part in aside for number in range(part.lineno, part.end_lineno + 1)}
    kept = [line for number, line in enumerate(source.splitlines(), 1) if number not in hidden]
    return "\n".join(line for line, before in zip(kept, ["", *kept[:-1]], strict=True) if line or before).strip()
