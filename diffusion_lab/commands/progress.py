"""What a learner has done in the lessons: shown, kept in a file, printed as a certificate, or forgotten."""

import json
import time
from html import escape
from pathlib import Path

from diffusion_lab.commands import copies
from diffusion_lab.errors import LabError


def add_arguments(parser):
    parser.add_argument("--export", metavar="FILE.json", help="write it into a file: checks passed, mistakes by name")
    parser.add_argument("--certificate", metavar="FILE.html", help="write a page to print: which checks were passed")
    parser.add_argument("--name", default="", help="your name, for the file or the page (default: none)")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    parser.add_argument("--forget", action="store_true", help="begin anew; what was kept is put aside")


def run(args):
    from diffusion_lab.coursework import progress
    from diffusion_lab.recipe import as_text

    asked = args.export is not None or args.certificate is not None
    if args.forget and asked:
        raise LabError("one thing at a time was expected; --forget came with a file to write; write it first")
    if args.forget:
        return _forget(progress.folder())
    name = as_text(args.name, "your name", "write it again")
    if args.export is not None:
        _write(args.export, ".json", json.dumps(progress.as_data(name), indent=1, ensure_ascii=False), args.force)
    if args.certificate is not None:
        _write(args.certificate, ".html", certificate(progress, name), args.force)
    if not asked:
        print(progress.Progress(copies.opened_from()))


def _write(path, suffix, text, force):
    from diffusion_lab.files import new_file

    with new_file(Path(path), (suffix,), force) as part:
        part.write_text(text + "\n", encoding="utf-8")
    print(path)


def _forget(folder):
    """Put the notes aside, under a name that tells when."""
    if not folder.is_dir():
        print("There is nothing to forget.")
        return
    aside = folder.with_name(time.strftime(f"{folder.name} until %Y-%m-%d %H.%M.%S"))
    try:
        folder.rename(aside)
    except OSError as error:
        raise LabError(f"{folder} was to be put aside; the disk refused ({error.strerror}); move it yourself") from None
    print(f"You begin anew. What was kept lies in {aside}")


def certificate(progress, name=""):
    """A page to print: the lessons whose checks were passed, each check by its name."""
    from diffusion_lab.templates import fill

    stood, rows = progress.Progress(copies.opened_from()), ""
    for number, (passed, of) in stood.rows.items():
        if passed:
            names = [e for e in progress.exercises(number) if stood.done.get(e, progress.Done()).passed]
            rows += (f"<tr><th scope='row'>{escape(stood.title(number))}</th><td>{passed} of {of}</td>"
                     f"<td>{escape(', '.join(names))}</td></tr>\n")
    if not rows:
        raise LabError("at least one check that was passed was expected; none is kept; solve an exercise first")
    page = (Path(__file__).parent / "certificate.html").read_text(encoding="utf-8")
    passed, of = (sum(column) for column in zip(*stood.rows.values(), strict=True))
    return fill(page, name=escape(name) or "______________________", rows=rows, passed=passed, of=of,
                date=time.strftime("%Y-%m-%d"))
