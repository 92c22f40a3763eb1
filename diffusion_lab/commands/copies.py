"""The lessons as files, and a learner's own copies of them, which no update of the course touches.

Only the standard library until the environment is there.
"""

import hashlib
import json
import os
import time

from diffusion_lab.commands import environment
from diffusion_lab.errors import LabError

LESSONS = environment.ROOT / "lessons"
OWN = "my-lessons"  # the folder of a learner's own copies


def lessons():
    """The lessons' notebooks in their order: those that a text of the same name is there for. A copy, or a notebook of
    the learner's own, is none."""
    texts = LESSONS / "text"
    return [path for path in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")) if (texts / (path.stem + ".md")).is_file()]


def own_lessons():
    """The folder of a learner's own copies."""
    return LESSONS.parent / OWN


def opened_from():
    """The folder whose notebooks a learner opens: their own copies, where there are some."""
    own = own_lessons()
    return own if any((own / path.name).is_file() for path in lessons()) else LESSONS


def follow():
    """Each lesson that a learner has no copy of is copied to `my-lessons`; a copy that is as it was made follows the
    course's own; one that was worked in is left alone, and a newer edition of it is told. Best effort, one at a time:
    where the disk refuses, the lessons are opened where they are."""
    record = own_lessons() / ".made.json"  # by name, the fingerprint of each copy as it was made
    found = contents(record)
    made, newer = dict(found), []
    for path in lessons():
        try:
            own, today = own_lessons() / path.name, digest(path)
            if own.exists() and digest(own) not in (today, made.get(path.name)):
                if made.get(path.name) not in (today, None):
                    newer.append(path.name[:2])
                continue
            if not own.exists() or digest(own) != today:
                _whole(own, path.read_bytes())
            made[path.name] = today
        except Exception:  # unreadable, a full disk, a folder of somebody else's
            continue
    try:
        if made != found:
            _whole(record, json.dumps(made, indent=1).encode())
    except Exception:
        pass  # it is found out again at the next start
    if newer:
        print("A newer edition of lesson {} is there; your copy is left as it is. `python -m diffusion_lab reset {}` "
              "brings it, and keeps yours.".format(", ".join(newer), newer[0]), flush=True)


def _whole(path, content):
    from diffusion_lab.files import whole

    with whole(path) as part:
        part.write_bytes(content)


def bring_back(lesson):
    """A fresh copy of a lesson in `my-lessons`. Returns the name under which a copy that was worked in is kept beside
    it, or "" where there was none. Raises LabError where the disk refuses."""
    own, kept = own_lessons() / lesson.name, ""
    try:
        if own.exists() and digest(own) != digest(lesson):
            kept = time.strftime("{} (mine, until %Y-%m-%d %H.%M.%S).ipynb").format(own.stem)
            os.replace(own, own.with_name(kept))
        content = lesson.read_bytes()
    except OSError as error:
        raise LabError(f"a fresh copy of {lesson.name} was to be made in {own.parent}; the disk refused "
                       f"({error.strerror or error}); nothing is lost; mend the folder's rights") from None
    _whole(own, content)
    record = own.with_name(".made.json")
    _whole(record, json.dumps(dict(contents(record), **{lesson.name: digest(lesson)}), indent=1).encode())
    return kept


def digest(path):
    """The fingerprint of a notebook's text, whatever its line ends, as `lessons/text/built.json` has it."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def contents(path):
    """The object in a JSON file, an empty one where there is none: then nothing is known of it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
