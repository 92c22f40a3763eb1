"""`watched`: look at a training while it runs, as a bar and a picture that grows."""

import time
from collections.abc import Callable, Container, Iterable, Iterator

from ..controls import html_of
from ..errors import LabError
from ..figures import Figure
from .loop import Progress

EVERY = 0.2  # seconds from one state of the bar to the next
EMPTY = "<span></span>"
SAID = "font:18px/1.45 system-ui,sans-serif;margin:0.35em 0"


def watched(training: Iterable[Progress], draw: Callable[[Progress], Figure] | None = None, *,
            at: Container[int] | None = None, every: float = 1.0) -> Iterator[Progress]:  # fmt: skip
    """Go through a training and show it: a bar, and below it what `draw` makes of its state.

    Arguments: `training`, what train(...) returns; `draw`, a function from a Progress to what a notebook shows (a
    Figure, a Slider) or a PIL picture; `at`, the steps at which it draws, or (None) once in `every` seconds; the end is
    always drawn. Yields each Progress, and draws before it does. The last picture stays on the page, without a bar:
    nothing that is stored tells the time. Raises LabError for what is no training, and for what is no picture.
    """
    from IPython import get_ipython
    from IPython.display import HTML, display

    if not isinstance(training, Iterable) or isinstance(training, str | bytes):
        raise LabError(f"a training was expected; {type(training).__name__} came; give what train(...) returns")
    handle = display(HTML(EMPTY), display_id=True) if get_ipython() is not None else None
    picture, shown, drawn = "", 0.0, time.monotonic()
    try:
        for progress in training:
            now, last = time.monotonic(), progress.step >= progress.steps
            due = draw is not None and (last or (progress.step in at if at is not None else now - drawn > every))
            if due:
                picture, drawn = html_of(draw(progress), {"step": progress.step}), time.monotonic()
            if now - shown > EVERY or due or last:
                _update(handle, _bar(progress) + picture)
                shown = now
            yield progress
    finally:  # stopped by hand, too
        _update(handle, picture or EMPTY)


def _update(handle, html: str) -> None:
    from IPython.display import HTML

    if handle is not None:  # outside of a notebook nothing is shown
        handle.update(HTML(html))


def _bar(progress: Progress) -> str:
    step, steps = progress.step, progress.steps
    return (f'<div style="{SAID}"><progress value="{step}" max="{steps}" style="width:320px" '
            f'aria-label="steps of training"></progress> step {step} of {steps}, loss {progress.loss:.2f}</div>')
