"""The small box a check, a hint and a quiz speak from: a colour, a symbol and words, in light and in dark.

Everything is inline: colours come from JupyterLab's own variables (with a light fallback for pages without them), no
script and no style sheet is needed, and where a page strips the styles the words still say it all.
"""

from collections.abc import Callable
from html import escape

from ...figures import PALETTE

MOODS = {
    "right": ("✓", PALETTE["guess"]),
    "wrong": ("✗", PALETTE["noise"]),
    "not yet": ("…", PALETTE["reference"]),
    "stopped": ("■", PALETTE["noise"]),
    "guess": ("→", PALETTE["guess"]),
}
INK = "color:var(--jp-content-font-color0,#1a1a1a);background:var(--jp-layout-color1,#fff)"
FONT = "font:16px/1.5 system-ui,sans-serif"
BOX = f"{INK};{FONT};box-sizing:border-box;max-width:46em;padding:0.6em 1em;margin:0.5em 0;border:1px solid #888"


class Box:
    """A verdict: `mood` (one of MOODS) gives colour and symbol, `head` the word, `lines` the sentences.

    It shows as HTML in a notebook and as plain text elsewhere; `more` is HTML that follows the sentences.
    """

    def __init__(self, mood: str, head: str, lines: tuple[str, ...] = (), more: str = ""):
        self.mood, self.head, self.lines, self.more = mood, head, lines, more

    def __repr__(self) -> str:
        return "\n".join([f"{MOODS[self.mood][0]} {self.head}", *(f"  {line}" for line in self.lines)])

    def _repr_html_(self) -> str:
        symbol, colour = MOODS[self.mood]
        style = "margin:0.2em 0;overflow-wrap:anywhere"
        lines = "".join(f'<p style="{style}">{with_code(line)}</p>' for line in self.lines)
        return (f'<div role="status" class="dl-box" style="{BOX};border-left:8px solid {colour}">'
                f'<p style="{style}"><b>{symbol} {escape(self.head)}</b></p>{lines}{self.more}</div>')


def spoken(value: object, say: Callable[[object], str] = repr) -> str:
    """What came, on one line of at most 240 signs: `say` of it, or its kind where it cannot even be said."""
    try:
        return " ".join(say(value).split())[:240]
    except Exception:  # a learner's own __repr__ or __str__ may raise anything, and some numbers are too long to print
        return f"a {type(value).__name__}"


def with_code(text: str) -> str:
    """Plain text as HTML: escaped, and what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
