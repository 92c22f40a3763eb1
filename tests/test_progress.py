"""What a learner has done is kept outside the course, shown, printed and put aside; their own lessons stay theirs."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion_lab.__main__ import main
from diffusion_lab.commands import copies, environment, lab
from diffusion_lab.coursework import Progress, check
from diffusion_lab.coursework.lessons import exercises, numbers
from diffusion_lab.coursework.progress import folder, kept, note

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def notes(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSION_LAB_PROGRESS", str(tmp_path / "notes"))
    return tmp_path / "notes"


def test_a_check_is_noted_by_name_and_a_stub_is_not(notes, capsys):
    for answer in (..., "linear", "linear", "cosine", "linear"):
        check("01.schedule", answer)
    check("04.ddim", lambda x_t, eps, alpha_bar, alpha_bar_next: x_t)
    check("04.ddim", lambda x_t: None.missing)
    done = kept()
    assert set(done) == {"01.schedule", "04.ddim"} and len(list(notes.iterdir())) == 2
    assert (done["01.schedule"].passed, done["01.schedule"].tries) == (True, 4)  # once passed, it stays passed
    assert not done["04.ddim"].passed and done["04.ddim"].slips == {"stays where it is": 1, "raised": 1}
    assert sum(done["01.schedule"].slips.values()) == 3


def test_the_table_says_what_is_done_what_comes_next_and_where_one_stopped(notes):
    book = ROOT / "lessons"
    fresh = Progress(book)
    assert "Nothing is checked yet" in str(fresh) and fresh.next == "01"
    for name in ("01.q_sample", "01.schedule", "01.root"):
        note(name, "")
    stood = Progress(book)
    assert (stood.rows["01"], stood.next) == ((3, 3), "02") and "01.root (passed). Next: 02 · From noise" in stood.place
    note("04.ddim", "wrong sign")
    stood = Progress(book)
    assert re.search(r"^04 · Sampling, step by step +0 of 3$", str(stood), re.M)
    assert stood.place == "You stopped at 04.ddim (not right yet). Next: 04 · Sampling, step by step."
    html = stood._repr_html_()
    assert '<a href="01_from_image_to_noise.ipynb">01 · From image to noise</a>' in html and "3 of 3 ✓" in html
    assert re.findall("<th [^>]*>(.*?)</th>", html) == ["lesson", "question", "exercises"]  # none is empty


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"passed": true}', '{"passed": 1, "tries": "x", '
                                     '"slips": {}, "when": 0}', "\x00\xff", '{"slips": 3, "passed": true, "tries": 1}'])
def test_a_broken_note_stops_nothing(notes, content):
    note("01.root", "")
    (notes / "01.schedule.json").write_bytes(content.encode("latin-1"))
    (notes / "02.reverse.json").mkdir()
    assert list(kept()) == ["01.root"] and Progress(ROOT / "lessons").rows["01"] == (1, 3)
    note("01.schedule", "linear")
    assert kept()["01.schedule"].slips == {"linear": 1}


def test_where_nothing_can_be_kept_a_check_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DIFFUSION_LAB_PROGRESS", str(tmp_path / "file" / "notes"))
    assert check("01.schedule", "cosine") == "cosine" and kept() == {}
    monkeypatch.setenv("DIFFUSION_LAB_PROGRESS", "~/notes")
    assert folder() == Path.home() / "notes"
    monkeypatch.delenv("DIFFUSION_LAB_PROGRESS")
    assert folder().parent.name == "diffusion_lab" and ROOT not in folder().parents


def test_a_name_is_whole_under_a_locale_that_knows_ascii_only(notes, tmp_path, capsys):
    """Its bytes come one by one then, as lone surrogates."""
    note("01.root", "")
    bytewise, page = "Jürgen 山".encode().decode("ascii", "surrogateescape"), tmp_path / "c.html"
    assert main(["progress", "--certificate", str(page), "--name", bytewise]) == 0
    assert "Jürgen 山" in page.read_text(encoding="utf-8")
    assert main(["progress", "--export", str(tmp_path / "p.json"), "--name", "J\udcfcrgen"]) == 2  # of Latin-1
    assert "whole characters" in capsys.readouterr().err


def test_export_certificate_and_forgetting(notes, tmp_path, capsys):
    assert main(["progress", "--certificate", str(tmp_path / "none.html")]) == 2
    assert "at least one check that was passed was expected" in capsys.readouterr().err
    note("01.root", "")
    note("01.root", "no root")
    note("04.ddim", "wrong sign")
    out = tmp_path / "p.json"
    assert main(["progress", "--export", str(out)]) == 0
    assert json.loads(out.read_text()) == {"exercises": {
        "01.root": {"passed": True, "tries": 2, "slips": {"no root": 1}},
        "04.ddim": {"passed": False, "tries": 1, "slips": {"wrong sign": 1}}}}  # fmt: skip
    assert main(["progress", "--export", str(out), "--name", "Ada"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["progress", "--export", str(out), "--name", "Ada", "--force"]) == 0
    assert json.loads(out.read_text())["name"] == "Ada"
    page = tmp_path / "c.html"
    assert main(["progress", "--certificate", str(page), "--name", "Ada <Lovelace>"]) == 0
    text = page.read_text()
    assert "Ada &lt;Lovelace&gt;" in text and ">01.root<" in text
    assert re.findall(r"scope='row'>(\d\d)", text) == ["01"]
    assert f"has passed 1 of its {sum(len(exercises(number)) for number in numbers())} checked exercises" in text
    assert main(["progress", "--forget"]) == 0 and kept() == {}
    (aside,) = [path for path in notes.parent.iterdir() if path.name.startswith("notes until")]
    assert len(list(aside.iterdir())) == 2
    assert main(["progress", "--forget"]) == 0


def test_a_kill_leaves_every_note_whole(notes):
    code = ("from diffusion_lab.coursework.progress import note\nprint('up', flush=True)\n"
            "while True: note('01.root', 'again')")
    seen = 0
    process = None
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
        process.stdout.readline()
        until = seen
        while until < seen + 3:
            until = kept()["01.root"].tries if kept() else 0
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert kept()["01.root"].tries >= until
        seen = kept()["01.root"].tries
    note("01.root", "")
    assert kept()["01.root"].tries == seen + 1 and [p.name for p in notes.iterdir()] == ["01.root.json"]


# --- a learner's own lessons -------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path, monkeypatch):
    lessons = tmp_path / "lessons"
    (lessons / "text").mkdir(parents=True)
    for name in ("00_start", "01_one"):
        (lessons / "text" / f"{name}.md").touch()
        (lessons / f"{name}.ipynb").write_text(json.dumps({"cells": [], "edition": 1}))
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(copies, "LESSONS", lessons)
    return tmp_path


def renew(course, name, edition):
    (course / "lessons" / name).write_text(json.dumps({"cells": [], "edition": edition}))


def test_lessons_are_opened_as_copies_and_an_update_touches_no_work(course, capsys):
    assert lab._start_page() == "lessons/00_start.ipynb"
    copies.follow()
    assert lab._start_page() == "my-lessons/00_start.ipynb"
    own = course / "my-lessons"
    assert sorted(p.name for p in own.glob("*.ipynb")) == ["00_start.ipynb", "01_one.ipynb"]
    (own / "01_one.ipynb").write_text('{"cells": [], "mine": true}')
    copies.follow()
    assert capsys.readouterr().out == ""  # the same edition: nothing to tell
    for name in ("00_start.ipynb", "01_one.ipynb"):
        renew(course, name, 2)
    copies.follow()
    assert json.loads((own / "00_start.ipynb").read_text())["edition"] == 2
    assert json.loads((own / "01_one.ipynb").read_text())["mine"]
    assert "A newer edition of lesson 01 is there" in capsys.readouterr().out


def test_a_copy_whose_line_ends_alone_are_others_follows_the_course(course):
    """As a checkout on Windows has them: nobody has worked in it."""
    lesson, own = course / "lessons" / "01_one.ipynb", course / "my-lessons" / "01_one.ipynb"
    lesson.write_bytes(b'{"cells": [],\n"edition": 1}')
    copies.follow()
    own.write_bytes(lesson.read_bytes().replace(b"\n", b"\r\n"))
    renew(course, lesson.name, 2)
    copies.follow()
    assert own.read_bytes() == lesson.read_bytes()


def test_a_lesson_is_brought_back_and_yours_is_kept(course, capsys):
    copies.follow()
    own = course / "my-lessons" / "01_one.ipynb"
    own.write_text('{"mine": true}')
    assert main(["reset", "01"]) == 0
    assert json.loads(own.read_text())["edition"] == 1
    (mine,) = own.parent.glob("01_one (mine*.ipynb")
    assert mine.read_text() == '{"mine": true}' and mine.name in capsys.readouterr().out
    assert main(["reset", "01"]) == 0 and len(list(own.parent.glob("*.ipynb"))) == 3  # nothing of yours to keep
    for name in ("00_start.ipynb", "01_one.ipynb"):
        renew(course, name, 2)
    copies.follow()
    assert [json.loads((own.parent / name).read_text())["edition"] for name in ("00_start.ipynb", own.name)] == [2, 2]
    assert main(["reset", "07"]) == 2 and "07 came; there are: 00, 01" in capsys.readouterr().err


def test_what_lies_in_the_way_of_the_copies_stops_nothing(course, capsys):
    (course / "my-lessons").write_text("a file")
    copies.follow()
    assert lab._start_page() == "lessons/00_start.ipynb"
    assert main(["reset", "01"]) == 2 and "the disk refused" in capsys.readouterr().err
    (course / "my-lessons").unlink()
    (course / "my-lessons" / "00_start.ipynb").mkdir(parents=True)
    (course / "my-lessons" / "01_one.ipynb").write_text('{"mine": true}')  # never a copy: there is no newer edition
    for broken in ("[", "[1]"):
        (course / "my-lessons" / ".made.json").write_text(broken)
        copies.follow()
        assert capsys.readouterr().out == ""
    assert main(["reset", "01"]) == 0 and "Yours is kept" in capsys.readouterr().out
    assert (course / "my-lessons" / "01_one.ipynb").is_file()
    assert (course / "my-lessons" / "00_start.ipynb").is_dir()


def test_what_is_no_note_of_an_exercise_is_none(notes):
    note("01.root", "")
    text = (notes / "01.root.json").read_text()
    for name in ("01.root (conflicted copy)", "01.root 2", "01.root-1"):
        (notes / f"{name}.json").write_text(text)
    (notes / "01.schedule.json").write_text(text.replace('"tries": 1', '"tries": 1e999'))
    assert list(kept()) == ["01.root"]


def test_a_lesson_is_linked_to_and_not_a_copy_of_it(notes, tmp_path):
    book = ROOT / "lessons" / "01_from_image_to_noise.ipynb"
    for name in (book.name, "01_from_image_to_noise (mine, until 2026-01-01 10.00.00).ipynb",
                 "01_from_image_to_noise-Copy1.ipynb"):  # fmt: skip
        (tmp_path / name).write_bytes(book.read_bytes())
    (tmp_path / "01_a.ipynb").write_text("{}")
    html = Progress(tmp_path)._repr_html_()
    assert f'href="{book.name}">01 · From image to noise</a>' in html


@pytest.mark.parametrize("options", ["--export=", "--certificate=", "--export=a.json --name=\udcff"])
def test_a_file_or_a_name_that_is_none_is_told(notes, options, capsys):
    assert main(["progress", *options.split()]) == 2 and capsys.readouterr().err.count("\n") == 1
