"""What a user can cause has one name and one clear sentence."""


class LabError(ValueError):
    """A mistake that the user can mend: the message says what was expected, what came and what to do.

    Commands print the sentence alone; notebooks show it without a traceback (IPython asks an exception for
    `_render_traceback_` before it formats one).
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
