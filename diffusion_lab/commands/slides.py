"""Lessons as slides that need no Jupyter: one HTML file each, and a page of speaker notes."""

from pathlib import Path

from diffusion_lab.commands import copies
from diffusion_lab.errors import LabError


def add_arguments(parser):
    parser.add_argument("lessons", nargs="*", metavar="NUMBER", help="only these lessons, such as 04 (default: all)")
    parser.add_argument("--out", default="build/slides", help="the folder to write to (default: build/slides)")


def run(args):
    """Write the slides of each lesson; one that cannot be shown is told at the end, after all the others."""
    from diffusion_lab.coursework.slides.decks import write

    faults = []
    for path in notebooks(args.lessons):
        try:
            for written in write(path, Path(args.out)):
                print(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")
        except LabError as error:
            faults.append(str(error))
    if faults:
        raise LabError("\n".join(faults))


def notebooks(numbers):
    """The notebooks of these lessons (all of them where none is named); LabError where one is missing."""
    found = copies.lessons()
    chosen = [path for path in found if not numbers or path.name[:2] in numbers]
    missing = sorted(set(numbers) - {path.name[:2] for path in chosen})
    if missing or not chosen:
        there = ", ".join(path.name[:2] for path in found) or "none yet (make lessons)"
        wanted = ", ".join(number or repr(number) for number in missing) or "all"
        raise LabError(f"the number of a lesson was expected; {wanted} came; there are: {there}")
    return chosen
