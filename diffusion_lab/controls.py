"""`live`: controls before any function that draws; move one, or type, and the picture follows.

The controls are ipywidgets: they need a kernel, and no notebook keeps them. The picture is an output like any other:
it stays in a saved, untrusted, exported or printed page, beside a sentence that says what brings the controls back.
"""

import asyncio
import math
import textwrap
import time
import warnings
from collections.abc import Callable
from html import escape

from PIL import Image

from .errors import LabError
from .figures import Figure
from .recipe import plain, shortened

VIEW = "application/vnd.jupyter.widget-view+json"  # what a running notebook shows of a control
EVERY = 0.1  # seconds from a change to the drawing: what comes meanwhile is passed over, the last value counts
SLOW = 0.3  # seconds of drawing from which on the next one is announced
SAID = "font:16px/1.45 system-ui,sans-serif;max-width:44em;margin:0.35em 0;min-height:1.45em"

LOOK = """<style>.dl-controls .noUi-target, .dl-controls .noUi-target * { touch-action: pan-y !important; }
.dl-controls .noUi-handle::before { content: ""; display: block; position: absolute; inset: -15px; width: auto;
  height: auto; background: none; } /* what a finger meets: 44 pixels */
.dl-controls :is(.noUi-handle, input, select, button):focus-visible { outline: 3px solid #005f95; outline-offset: 2px; }
.dl-controls input { min-width: 0; }
@media (pointer: coarse) { .dl-controls :is(.widget-inline-hbox, input, select, button) { min-height: 44px; }
  .dl-controls .widget-inline-hbox { height: auto; align-items: center; } }
@media (forced-colors: active) { .dl-controls .noUi-target { border: 1px solid CanvasText; }
  .dl-controls .noUi-handle { border: 3px solid ButtonText; background: ButtonFace; }
  .dl-controls :focus-visible { outline-color: Highlight !important; } }</style>"""


def live(draw: Callable, *, still=None, **controls) -> None:
    """Show a control for each argument of `draw`, and what it draws for their values, now and at every change.

    Arguments: `draw`, a function of the named arguments that returns what a notebook shows (a Figure, a Slider, a
    Player) or a PIL picture; `still`, what stands there until a control is moved, for pages without a kernel (without
    it, what `draw` draws for the first values); `controls`, by name, as in ipywidgets.interact: a text, a number, a
    (low, high) or (low, high, step) for a slider, a list for a choice, or a widget of your own. A slider starts at the
    default of `draw`'s argument. An error is a sentence over the picture before it, dimmed, and the controls
    live on; so is a drawing that takes its time. Raises LabError
    for what cannot become a control.
    """
    from IPython.display import HTML, display

    widgets = {name: _control(name, given, draw) for name, given in controls.items()}
    if not widgets:
        raise LabError("at least one control was expected; none came; give one by name, as in eta=(0.0, 1.0)")
    shown = _Shown(draw, widgets, still)
    display(_panel(widgets), raw=True)
    shown.handle = display(HTML(shown.page()), display_id=True)
    for widget in widgets.values():
        widget.observe(shown.changed, "value")


def _control(name: str, given, draw: Callable):
    """The widget for one argument of `draw`."""
    import inspect

    from ipywidgets import interactive

    if not callable(draw):
        raise LabError(f"a function that draws was expected; {type(draw).__name__} came; give the function itself, "
                       "without brackets behind its name")
    try:
        taken = inspect.signature(draw).parameters
    except ValueError:  # of what is written in C nobody knows the arguments
        raise LabError(f"a function whose arguments have names was expected; {shortened(draw)} came; write one that "
                       "calls it") from None
    if name not in taken and all(p.kind is not p.VAR_KEYWORD for p in taken.values()):
        called = getattr(draw, "__name__", type(draw).__name__)  # a partial has no name
        raise LabError(f"a control for an argument of {called}({', '.join(taken)}) was expected; {name!r} came; "
                       "name it as the function does")
    default = taken[name].default if name in taken else inspect.Parameter.empty
    try:
        bounds = [plain(one) for one in (given if isinstance(given, tuple) else [given])]
        endless = any(isinstance(one, float) and not math.isfinite(one) for one in bounds)
        widget = None if endless or isinstance(given, list | dict) and not given else (
            interactive.widget_from_abbrev(plain(given), default))
    except Exception:  # a range that falls, or one of words
        widget = None
    if widget is None:
        raise LabError(f"{name}: a text, a number, (low, high), (low, high, step) or a list was expected; "
                       f"{given!r} came")
    widget.description = widget.description or name.replace("_", " ")
    if hasattr(widget, "style"):
        widget.style.description_width = "initial"
    if widget.layout.width is None:  # one made for more room says so itself
        widget.layout.width = "min(100% - 4px, 32em)"  # it has a margin of 2 pixels
    return widget


def _panel(widgets: dict) -> dict:
    """The controls as a running notebook shows them, and the words that stand in their place anywhere else."""
    from ipywidgets import HTML, VBox

    look = HTML(LOOK, layout={"display": "none"})  # a running notebook's alone: none keeps it
    names = ", ".join(w.description for w in widgets.values())
    words = f"Run this cell in a notebook to move the controls ({names}): the picture follows them."
    stills = "".join(w.still()._repr_html_() for w in widgets.values() if hasattr(w, "still"))  # of what is drawn here
    return in_place_of(VBox([look, *widgets.values()]).add_class("dl-controls"), words, stills)


def in_place_of(widget, words: str, html: str = "") -> dict:
    """What a running notebook shows of a widget, and what stands there anywhere else: words, and `html` below them."""
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id},
            "text/html": f'<p class="dl-moved" style="{SAID}">{escape(words)}</p>{html}', "text/plain": words}


class _Shown:
    """The picture of a live control: drawn anew at most every `EVERY` seconds, always for the newest values."""

    def __init__(self, draw: Callable, widgets: dict, still):
        self.draw, self.widgets, self.handle, self.waiting = draw, widgets, None, False
        self.said, self.stale, self.took, self.values = "", False, math.inf, self._values()
        self.html = html_of(still, {}) if still is not None else ""
        if still is None:
            self.redraw()

    def _values(self) -> dict:
        """What the controls say; a slider's share of a step, such as 2.5000000000000004, is no other value."""
        values = {name: widget.value for name, widget in self.widgets.items()}
        return {name: round(value, 10) if isinstance(value, float) else value for name, value in values.items()}

    def changed(self, _=None) -> None:
        """A control has moved: draw soon, once for all that moves until then."""
        if not self.waiting:
            self.waiting = True
            try:
                asyncio.get_running_loop().call_later(EVERY, self.show)
            except RuntimeError:  # no kernel's loop: nothing else can move meanwhile
                self.show()

    def show(self) -> None:
        from IPython.display import HTML

        self.waiting = False
        if self._values() == self.values:
            return
        if self.took > SLOW:
            self.said, self.stale = "drawing …", True
            self.handle.update(HTML(self.page()))
        self.redraw()
        self.handle.update(HTML(self.page()))

    def redraw(self) -> None:
        """Draw for the values of now; where that fails, keep the picture and say why."""
        values = self.values = self._values()
        began, self.stale = time.monotonic(), True
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                self.html = html_of(self.draw(**values), values)
            self.said = " ".join(dict.fromkeys(str(w.message) for w in heard if issubclass(w.category, UserWarning)))
            self.took, self.stale = time.monotonic() - began, False
        except LabError as error:
            self.said = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the learner's own function may do anything, and the controls live on
            self.said = _told(error)

    def page(self) -> str:
        html = f'<div style="opacity:0.35">{self.html}</div>' if self.stale else self.html  # of other values than now
        return f'<p role="status" style="{SAID}">{escape(self.said)}</p>{html}'


def _told(error: BaseException) -> str:
    """The name of an error and its words, not all of them where they are many."""
    try:
        words = str(error)
    except Exception:  # an error of the learner's own may have none
        words = ""
    return textwrap.shorten(f"{type(error).__name__}: {words}", 500, placeholder=" ...")[:500]


def html_of(drawn, values: dict) -> str:
    """What was drawn, as HTML; a bare picture gets its values as words. Raises LabError for what is no picture."""
    if isinstance(drawn, Image.Image):
        words = ", ".join(f"{name}: {value}" if value != "" else f"no {name}"
                          for name, value in ((name.replace("_", " "), value) for name, value in values.items()))
        drawn = Figure(drawn, f"A picture drawn for {words or 'these values'}.", words, width=max(drawn.width, 320))
    html = drawn._repr_html_() if hasattr(drawn, "_repr_html_") and not isinstance(drawn, type) else None
    if not isinstance(html, str):
        raise LabError(f"a picture to show was expected; {type(drawn).__name__} came; "
                       "let the function return a Figure, a Player, or a picture of PIL")
    return html
