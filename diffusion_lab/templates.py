"""HTML from a template, and elements that a later edition of the package can find again in a stored page."""

import hashlib
import json
import re
from collections.abc import Iterable

PLACE = re.compile(r"\{\{(\w+)\}\}")
MARKED = re.compile(r'<(style|script) data-lab="([\w.-]+)" data-format="(\d+)" data-print="\w+">.*?</\1>', re.S)


def fill(template: str, **values: object) -> str:
    """A template with each {{name}} replaced by the value of that name.

    All are replaced in one pass, so that a value which itself holds {{name}} stays as it is. Raises ValueError where
    the names of the template and of the values are not the same.
    """
    if set(PLACE.findall(template)) != set(values):
        raise ValueError(f"values for {sorted(set(PLACE.findall(template)))} were expected; {sorted(values)} came; "
                         "name one for each {{place}} of the template")  # fmt: skip
    return PLACE.sub(lambda found: str(values[found[1]]), template)


def as_json(data: object) -> str:
    """JSON that may stand inside a <script>: no string in it can end the element. Raises ValueError for nan and
    infinity, which no browser reads."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def marked(tag: str, name: str, text: str, edition: int) -> str:
    """A <style> or <script> that `renew` finds again, however old the page.

    Arguments: `tag`, "style" or "script"; `name`, such as "player.css"; `text`, its content; `edition`, the number of
    the data's form that it reads. The mark is <script data-lab="player.js" data-format="1" data-print="0123456789ab">,
    where the print is made from the text.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f'<{tag} data-lab="{name}" data-format="{edition}" data-print="{digest}">\n{text.strip()}\n</{tag}>'


def renew(html: str, parts: Iterable[str]) -> tuple[str, list[str]]:
    """A stored page with today's styles and scripts; the data beside them stays as it is.

    Arguments: `html`; `parts`, elements made by `marked`. Returns the page, where every marked element of the same
    tag, name and edition is one of today's; and the names of those that have no such successor: their data is of
    another form, so what drew them must be run again.
    """
    today, old = {MARKED.fullmatch(part).groups(): part for part in parts}, []

    def successor(found: re.Match) -> str:
        if found.groups() not in today:
            old.append(f"{found[2]}, edition {found[3]}")
        return today.get(found.groups(), found[0])

    return MARKED.sub(successor, html), old
