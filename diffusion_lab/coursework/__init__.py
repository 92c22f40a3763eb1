"""What turns a laboratory into a course: checked exercises, hints, guesses, quizzes, the lessons' own, and slides."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, __file__)
