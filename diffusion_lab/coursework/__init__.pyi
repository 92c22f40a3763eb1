"""What the package offers by name; lazy.py reads this list."""

from .checks.checking import check as check
from .checks.checking import todo as todo
from .checks.comparing import compare as compare
from .checks.hinting import hints as hints
from .checks.quizzing import quiz as quiz
from .progress import Progress as Progress
