"""A beginner's English: short paragraphs, every symbol said in words before it is written, every figure described."""

import re
from pathlib import Path

import nbformat
import pytest
from test_lessons import NOTEBOOKS, TEXTS, Pictures, build, outputs

from diffusion_lab.coursework import lessons

LONGEST = 80  # words of a paragraph
FEWEST = 5  # words of an alt text


def cells(text: Path) -> list[nbformat.NotebookNode]:
    """The Markdown cells a learner reads, in order."""
    return [cell for cell in build.cells_from(text).cells
            if cell.cell_type == "markdown" and not cell.source.startswith("<!-- speaker notes")]  # fmt: skip


def paragraphs(source: str) -> list[str]:
    """Blocks between blank lines; each item of a list and each cell of a table is one; no code, no formulas."""
    source = re.sub(r"```.*?```|\$\$.*?\$\$|<!--.*?-->", "\n\n", source, flags=re.S)
    source = re.sub(r"^\s*([-*]|\d+\.) ", "\n", source, flags=re.M).replace("|", "\n\n")
    return [block.strip() for block in re.split(r"\n\s*\n", source) if block.strip()]


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_no_paragraph_is_long(text):
    every = [(len(p.split()), p[:60]) for cell in cells(text) for p in paragraphs(cell.source)]
    assert [found for found in every if found[0] > LONGEST] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_alt_text_is_a_few_words_and_no_file_name(path):
    for output in outputs(path):
        for alt in Pictures("".join(output.get("data", {}).get("text/html", ""))).alts:
            assert alt and len(alt.split()) >= FEWEST, alt
            assert not re.search(r"\.(png|jpe?g|webp|svg|gif)$", alt.strip(), re.I), alt


# --- symbols -----------------------------------------------------------------------------------------------------

# What a lesson that writes the symbol must have said, in words, in the same sentence at the latest; each is told by the
# lesson that introduces it: {symbol: (how it is written, how it is said)}. A symbol of an earlier lesson is said again;
# those that a formula's own sentence names (sums, indices) need no word of their own. A later lesson may give a letter
# another meaning: then its words hold from there on.
def told_until(last: str) -> dict[str, tuple[str, str]]:
    """What the lessons up to this one tell."""
    return {symbol: told for n in lessons.numbers() if n <= last
            for symbol, told in getattr(lessons.module(n), "SYMBOLS", {}).items()}  # fmt: skip


TOLD = told_until("99")  # in all lessons
SYMBOLS = re.compile(r"\$\$(.*?)\$\$|\$([^$\n]+)\$|`([^`\n]+)`", re.S)
CALL = re.compile(r"[A-Za-z_]\w*\(")  # `Name(...)`: a call is no symbol


def unsaid(sources: list[str], words: dict = TOLD) -> list[tuple[str, str]]:
    """Symbols that come before their words: (symbol, the sentence in which it comes first)."""
    read, known, found = "", set(), []
    for source in sources:
        source = re.sub(r"```.*?```|<!--.*?-->|^#[^\n]*", " ", source, flags=re.S | re.M)
        for sentence in re.split(r"(?<=[.?!:;])\s+(?=[A-Z$*`(-])|\n\s*\n(?!\s*\$\$)", source):
            read += " " + re.sub(r"\s+", " ", SYMBOLS.sub(" ", sentence))
            for match in SYMBOLS.finditer(sentence):
                inside = next(group for group in match.groups() if group)
                if match[3] and (CALL.search(inside) or " " in inside):
                    continue
                for symbol, (written, said) in words.items():
                    if symbol not in known and re.search(written, inside):
                        known.add(symbol)
                        if not re.search(said, read, re.I):
                            found.append((symbol, " ".join(sentence.split())[:90]))
    return found


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_every_symbol_is_said_before_it_is_written(text):
    found = unsaid([cell.source for cell in cells(text)], words := told_until(text.name[:2]))
    assert found == [], {symbol: f"say it first: {words[symbol][1]}" for symbol, _ in found}


def test_a_symbol_that_comes_too_early_is_found():
    early = ["Take $x_t$ and\n\n$$\nx_t = \\sigma z\n$$\n", "Sigma is the strength of the fresh noise."]
    assert [symbol for symbol, _ in unsaid(early)] == ["x_t", "z", "sigma"]
    assert unsaid(["The noisy picture $x_t$ gets fresh noise $z$, times a number called sigma, $\\sigma$."]) == []
    assert unsaid(["The sum is in `alpha_bar`."]) == [("alpha_bar", "The sum is in `alpha_bar`.")]


def test_a_long_paragraph_is_found():
    found = paragraphs("one " * 81 + "\n\n- two\n- three\n\n```\nno words\n```\n")
    assert [len(paragraph.split()) for paragraph in found] == [81, 1, 1]
