"""A lesson as a page to read: nothing of it asks for what only its notebook can do."""

import re
from html import escape
from pathlib import Path

import nbformat

from diffusion_lab.coursework.slides import decks

TRY = {
    "00": ("Type a sentence of your own", "prompt=a+cat+riding+a+skateboard&seed=1"),
    "06": ("Turn up the prompt's pull", "prompt=a+penguin+on+mars&guidance=6"),
    "07": ("See the latents of every step", "prompt=an+astronaut+riding+a+horse+on+mars"),
    "08": ("Drive the same loop with other samplers", "prompt=a+robot+in+the+city&sampler=ddim&steps=20"),
    "11": ("Draw with four calls, with three, with two", "prompt=an+astronaut+riding+a+horse+on+mars&steps=4"),
}  # where the page that draws shows what a lesson tells: what one does there, and what it begins with
ONLY_THERE = re.compile(r"\*How to run a cell:")  # what makes sense in a notebook only
ELSEWHERE = re.compile(r"Run this cell: it looks at your machine, .*\n?")
MOVED = re.compile(r'(<p class="dl-moved"[^>]*>[^<]*\(prompt, (?:seed|w)\)[^<]*)</p>')
NOT_YET = re.compile(r"<b>… Not yet</b></p>(<p[^>]*>).*?</p>", re.S)
INSTEAD = {
    "Put it in place of the cat's.":
        'In the notebook it takes the cat\'s place; here, <a href="../draw.html">the page that draws</a> does it.',
    "## Keys that help\n": "## Keys that help in the notebook\n",
}  # what a lesson says that is otherwise on the site
GUESS = re.compile(r"Write a number (from \S+ to \S+) in the place of <code>\.\.\.</code> and run the cell again\.")
COUNT = re.compile(r'<th scope="col"[^>]*>exercises</th>|<td [^>]*>(?:\d+ of \d+(?: ✓)?|–)</td>|<p [^>]*>Nothing is '
                   "checked yet[^<]*</p>")  # fmt: skip


def page(path: Path, draws: bool) -> nbformat.NotebookNode:
    """A lesson without its notes, with its long code folded; does the site have the page that `draws`?"""
    notebook, above = nbformat.read(path, as_version=4), ""
    notebook.cells = [cell for cell in notebook.cells
                      if decks.slide_type(cell) != "notes" and not ONLY_THERE.match(cell.source)]  # fmt: skip
    there = f'<a href="../notebooks/{path.name}" download>the notebook</a>'
    asked = draws and path.stem[:2] in ("00", "08")  # whose controls ask the model of the page that draws
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if settled(output)]
            for output in cell.outputs:
                told(output, there, asked)
            if decks.folded(cell, above):
                cell.metadata.tags = ["hide-input"]
        if cell.cell_type == "markdown":
            for said, instead in INSTEAD.items() if draws else ():
                cell.source = cell.source.replace(said, instead)
        above = cell.source if cell.cell_type == "markdown" else ""
    heading, _, text = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{heading}\n\n{here(path, there, draws)}\n{text}"
    return notebook


def settled(output: nbformat.NotebookNode) -> bool:
    """Take from what a cell printed that it is at work; is anything left of it?"""
    if output.output_type == "stream":
        output.text = ELSEWHERE.sub("This one answers in the notebook, live.\n",
                                    decks.WAITS.sub("", output.text))  # fmt: skip
    return output.get("text") != ""


def told(output: nbformat.NotebookNode, there: str, asked: bool) -> None:
    """Say of an exercise, a guess, and controls that stand still what a reader can do, and what is done in the notebook
    `there`; of the count of what is solved nothing. Where controls are `asked` for a prompt, the page that draws is."""
    html = output.get("data", {}).get("text/html")
    if html is None:
        return
    html = NOT_YET.sub(rf"<b>… An exercise</b></p>\1To solve it, take {there}: there this cell checks what you write, "
                       "and names the mistake.</p>", html)  # fmt: skip
    html = GUESS.sub(r"Think of a number \1, then open the answer.", html)
    if asked:
        html = MOVED.sub(r'\1 Without one, <a href="../draw.html">the page that draws</a> does.</p>', html)
    html = html.replace("Run this cell in a notebook", f"Run this cell in {there}")
    output.data["text/html"] = COUNT.sub("", html) if ">exercises</th>" in html else html


def here(path: Path, there: str, draws: bool) -> str:
    """What a page of the site can do that a lesson cannot, and what it cannot."""
    does, asked = TRY.get(path.stem[:2], ("", "")) if draws else ("", "")
    drawn = f' {does} in <a href="../draw.html#{escape(asked)}">the page that draws</a>.' if does else ""
    own = '<a href="../index.html#on-your-own-computer">open it on your computer</a>'
    return (f'<p class="away">A page to read: its code has been run, its players answer, what needs Python says so. '
            f'Where the text says to run or to write a cell, take {there} and {own}; to show the lesson, take '
            f'<a href="../slides/{path.stem}.html">the slides</a>.{drawn}</p>')  # fmt: skip
