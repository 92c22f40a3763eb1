"""What turns a laboratory into a course: checked exercises, hints, guesses, quizzes, the lessons' own, and slides."""

import importlib

_HOME = {"check": "checking", "todo": "checking", "hints": "hinting", "compare": "comparing", "quiz": "quizzing"}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.checks.{_HOME[name]}"), name)
    globals()[name] = value
    return value
