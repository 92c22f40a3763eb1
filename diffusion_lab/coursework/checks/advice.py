"""What to do about an error that a learner's function raised, and the line it arose in."""

import ast
import contextlib
import inspect
import itertools
import linecache
import re
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from torch import Tensor, nn

from ...errors import LabError
from ...guidance import Guess
from ...schedules import Schedule
from .box import spoken
from .exercises import Code
from .names import elsewhere, near

GENERATOR = ("It yields one thing after another, and has none by number or by name: `list(...)` around it, as in "
             "`list(denoise(...))`, makes a list of them.")
HEARD = (  # what Python or torch says, and what to do about it
    (r"' object is not callable", "Brackets right behind something call it like a function: is a `*` missing?"),
    (r"'generator' object is not subscriptable", GENERATOR),
    (r"' object is not subscriptable", "Square brackets look something up in a list; a function is called with round "
     "ones."),
    (r"(too many|not enough) values to unpack", "The names before `=`, or between `for` and `in`, are not as many as "
     "the things that come: print one of these."),
    (r"'int' object is not iterable", "`for` goes through a list, and a number is none: `range(n)` counts from 0 to "
     "n - 1."),
    (r"unsupported operand .*'Schedule'", "A schedule is no number: `len(schedule)` tells how many timesteps it has."),
    (r"index .*out of (range|bounds)", "There is nothing at that place: the first has number 0, and after the last "
     "comes no next one."),
    (r"could not infer output dtype", "A mean needs numbers with a point, and True and False, or whole numbers, are "
     "none: `.float()` first."),
    (r"bincount.* not implemented", "`torch.bincount` counts whole numbers, such as those of heaps: what did it get?"),
    (r"math domain error|expected a positive input", "`math.log` takes numbers above 0 alone, and `math.sqrt` none "
     "below. As a sum counts 0 log 0 as 0, `torch.xlogy(a, b)` is a log b for all a from 0 on."),
    (r"division by zero|0\.0 cannot be raised", "Something is divided by 0. Is a fraction upside down? Which of the "
     "values is 0 or 1 at the end of the way?"),
    (r"that requires grad", "A network learns through its guess, and that would cut it off: stay with torch's "
     "functions."),
    (r"converted to (a )?(Python )?[Ss]calar|must be real number, not Tensor", "A function for one number got a whole "
     "tensor. `a**0.5` is the root of both, and torch's functions take tensors."),
    (r"invert|logical_not|bitwise_not", "`~` turns True and False round; a share from 0 to 1 is turned round by "
     "`1 - a`."),
    (r"Boolean value of Tensor|truth value of an array", "`if`, `not` and `and` ask whether one thing is true, and a "
     "tensor holds many: arithmetic goes place by place, and so does `torch.where(...)`."),
    (r"maximum recursion depth", "The function calls itself, and so it never comes to an end: write out what it does."),
    (r"size of tensor|shape", "Two tensors do not fit together: print their shapes just before that line."),
)
FUNCTIONS = {nn.MSELoss: "mse_loss", nn.L1Loss: "l1_loss", nn.SmoothL1Loss: "smooth_l1_loss"}
SHAPELESS = (  # what came where a tensor of the shape of x_t was expected
    (r"; \(\) came", "One number for all is too few: `.mean()` makes one of everything. The mean of two tensors, place "
     "by place, is half their sum."),
    (r"; (list|tuple|ndarray|float64|float32) came", "It must stay a tensor: torch's tensors are added and divided as "
     "they are, place by place, with `+` and `/`."),
)
STACK = "`torch.stack(...)` makes one of tensors, `torch.tensor(...)` one of numbers."


def where(answer: Callable, error: BaseException) -> str:
    """The learner's own line in which the error arose, where it can be found."""
    own = _own(answer, error)
    line = linecache.getline(own.tb_frame.f_code.co_filename, own.tb_lineno) if own else ""
    line = re.sub(r"\s\s#.*", "", line).strip()  # without its comment
    return f"It happened in your line `{line}`." if line else ""


def advice(exercise: Code, answer: Callable, error: BaseException) -> str:
    """What to do, in a sentence or two; "" where nothing is known."""
    said, own = spoken(error, str), _own(answer, error)
    if isinstance(error, NameError):
        return _letter(exercise, error) or _unknown(error, own, answer)
    call = own and _at(own)
    summed = re.search(r"unsupported operand .*'tuple'", said)  # of two Guesses, as of all tuples
    guess = "Guess" in said or summed or call and any(_is_guess(part, own.tb_frame)
                                                      for part in ast.iter_child_nodes(call))
    if guess and isinstance(error, TypeError | LabError) and "predict" in exercise.call:
        return "What predict gives is a Guess; the noise in it is `predict(x, t).eps`, as in lesson 04."
    if isinstance(error, LabError) and (fits := [says for heard, says in SHAPELESS if re.search(heard, said)]):
        return fits[0]
    if isinstance(error, AttributeError) and isinstance(call, ast.Attribute):
        return _attribute(call.attr, _value(call.value, own.tb_frame) if error.obj is None else error.obj, own.tb_frame)
    built = _value(call.func, own.tb_frame) if isinstance(call, ast.Call) else None
    if built in FUNCTIONS:
        return (f"`{ast.unparse(call.func)}` builds a part of a network; the function that compares two tensors is "
                f"`torch.nn.functional.{FUNCTIONS[built]}(a, b)`.")
    if isinstance(error, TypeError) and (plain := _plain(call, own)):
        return plain
    if isinstance(call, ast.Call) and re.search(r"to have \d+ channels, but got|number of channels", said):
        return (f"`{ast.unparse(call.func)}` takes another number of maps than it got: does another part belong there, "
                "or something else into its brackets?")
    if isinstance(error, LabError) and re.search(r"; -?\d+(\.0)? came; ", said):
        return ""  # one number off, not an argument out of its place
    if isinstance(call, ast.Call) and (own.tb_next or isinstance(error, TypeError) and "argument" in said):
        name, called = ast.unparse(call.func), _value(call.func, own.tb_frame)
        if isinstance(called, nn.Module) and "." not in name:
            part = next((one for one, _ in called.named_children()), "forward")
            return f"`{name}` is the whole; its parts are called, such as `{name}.{part}(...)`."
        form = _form(name, called)
        return f"`{ast.unparse(call)}`: it is called as `{form}`; compare what it gets, and the order." if form else ""
    if own is None and isinstance(error, TypeError) and "argument" in said:
        return f"It is called as `{exercise.call}`: compare the number and the order of the arguments."
    return next((says for heard, says in HEARD if re.search(heard, said)), "")


def _own(answer: Callable, error: BaseException) -> TracebackType | None:
    """The last place of the learner's own code on the way to the error."""
    file = None
    with contextlib.suppress(ValueError):  # functions that wrap each other in a circle
        file = getattr(getattr(inspect.unwrap(answer), "__code__", None), "co_filename", None)
    own, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            own = trace
        trace = trace.tb_next
    return own


def _letter(exercise: Code, error: NameError) -> str:
    """A letter of the formula that the function is given under another name; "" for any other name."""
    name = (re.findall(r"'(\w+)'", str(error)) or [""])[0]
    given = exercise.letters.get(name)
    return f"`{name}` in the formula is `{given}` here." if given else ""


def _unknown(error: NameError, own: TracebackType | None, answer: Callable) -> str:
    """A name that is not known: the nearest one, or what could make it known."""
    name = (re.findall(r"'(\w+)'", str(error)) or [""])[0]
    if not name or own is None:
        return "A name is used that does not exist here: is it spelled as in the first line of the function?"
    code = own.tb_frame.f_code
    if isinstance(error, UnboundLocalError):
        return f"`{name}` gets its value in a later line, or only inside a loop or an `if`: give it one before."
    known = [*code.co_varnames, "torch", "math"]
    if (like := near(name, known, 0.7)) and like != name:
        return f"`{name}` is not known here. Is it `{like}`?"
    line = linecache.getline(code.co_filename, own.tb_lineno)
    if (found := elsewhere(name)) and (inspect.ismodule(found[1]) or re.search(rf"\b{name}\s*\(", line)):
        return f"`{name}` is not known here: write `{found[0]}` above."
    code = getattr(inspect.unwrap(answer), "__code__", code)  # a comprehension is a function of its own
    given = ", ".join(f"`{one}`" for one in code.co_varnames[: code.co_argcount])
    return (f"`{name}` is not known here: the function is given {given}. Whatever else it uses is computed in a line "
            "above, imported, or written in a cell of this notebook, and spelled the same.")


def _plain(call: ast.expr | None, own: TracebackType | None) -> str:
    """What stands where a number or a tensor is needed: a function, nothing at all, or a list; "" for none of them."""
    if isinstance(call, ast.BinOp):
        for side in (call.left, call.right):
            value = _value(side, own.tb_frame)
            if inspect.isroutine(value):
                return f"`{ast.unparse(side)}` is a function, and a number or a tensor belongs there."
    if isinstance(call, ast.Call) and call.args and getattr(getattr(call.func, "value", None), "id", "") == "torch":
        given = call.args[0]
        if isinstance(given, ast.List | ast.ListComp) or isinstance(_value(given, own.tb_frame), list):
            form = _form(ast.unparse(call.func), _value(call.func, own.tb_frame))
            return (f"`{ast.unparse(given)}` is a list, and torch's functions take a tensor: {STACK}"
                    + f" Then `{form}`." * bool(form))
    return ""


def _attribute(name: str, of: Any, frame: FrameType) -> str:
    """What there is in place of an attribute that is not there: a tensor for a list, a name of the function's own or of
    the notebook, then whatever is spelt nearly so; of what every network has, nothing."""
    if inspect.isgenerator(of):
        return GENERATOR
    if isinstance(of, list) and hasattr(Tensor, name):
        return f"A list has no `.{name}`, a tensor has: {STACK}"
    if isinstance(of, tuple) and name in Guess._fields:
        return f"Guesses added up are no Guess any more: take `.{name}` of each of them before."
    if isinstance(of, Schedule) and name.lower() in ("t", "n", "steps", "length", "size"):
        return "`len(schedule)` tells how many timesteps it has."
    if inspect.isroutine(of):
        return f"`{of.__name__}` is a method; its brackets make it work: `.{of.__name__}()`, and then `.{name}`."
    if name in frame.f_locals:
        return f"`{name}` stands by itself: the function is given it, or computes it."
    if callable(frame.f_globals.get(name)):
        return f"`{name}` stands by itself: `{name}(...)`."
    fields = list(getattr(of, "_fields", getattr(of, "__dataclass_fields__", ())))
    several = sorted(one for one in dir(of) if re.fullmatch(rf"{name}\d", one))
    if several:
        return f"There is no `.{name}`. Is it {' or '.join(f'`.{one}`' for one in several)}?"
    own = {*dir(of)} - ({*dir(nn.Module)} if isinstance(of, nn.Module) else set())
    if like := near(name, sorted(one for one in own if not one.startswith("_")), 0.75):
        return f"There is no `.{name}`. Is it `.{like}`?"
    has = " and ".join(f"`.{one}`" for one in fields)
    return f"A {type(of).__name__} has no `.{name}`; it has {has}." if fields else ""


def _at(own: TracebackType) -> ast.expr | None:
    """The expression that was at work when the error arose."""
    first, last, left, right = next(itertools.islice(own.tb_frame.f_code.co_positions(), own.tb_lasti // 2, None))
    lines = linecache.getlines(own.tb_frame.f_code.co_filename)
    if None in (first, last, left, right) or last > len(lines):
        return None
    text = [line.encode() for line in lines[first - 1 : last]]  # columns are counted in bytes
    text[-1] = text[-1][:right]
    text[0] = text[0][left:]
    with contextlib.suppress(SyntaxError, ValueError):
        return ast.parse(b"".join(text).decode().strip(), mode="eval").body
    return None


def _is_guess(node: ast.AST, frame: FrameType) -> bool:
    """Is it what predict gives, by its call or by a name?"""
    return getattr(getattr(node, "func", None), "id", "") == "predict" or isinstance(_value(node, frame), Guess)


def _value(node: ast.AST, frame: FrameType) -> Any:
    """What a dotted name stands for where the error arose."""
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, frame), node.attr, None)
    return {**frame.f_globals, **frame.f_locals}.get(getattr(node, "id", ""))


def _form(name: str, function: Any) -> str:
    """How a function is called: "predict(x, t)"."""
    with contextlib.suppress(TypeError, ValueError):
        taken = inspect.signature(function).parameters.values()
        plain = (one.replace(annotation=one.empty) for one in taken)
        return f"{name}({', '.join(one.name if '<' in str(one) else str(one) for one in plain)})"
    first = (inspect.getdoc(function) or "").strip().partition("\n")[0]
    found = re.match(r"\w+(\(.*?\))", first)
    return name + found[1] if found else ""
