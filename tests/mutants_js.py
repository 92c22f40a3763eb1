"""Plant small mistakes in the player's scripts, one at a time, and see whether the browser tests named here notice.

`make mutants JS=1`. A row of MUTANTS is a script, what stands in it, what is planted instead, and the tests (pytest's
-k). As in `mutants.py` each is tried in a fork of a process that has imported all; a row whose words are gone says so.
"""

import os
import sys
from pathlib import Path

import browser
import pytest

from diffusion_lab.player import player

ROOT = Path(__file__).resolve().parents[1]
FILES = [f"tests/test_{name}.py" for name in ("player_browser", "player_numbers", "views")]
PATIENCE = 15  # seconds until what a mistake keeps from coming is missing

MUTANTS = [
    ("hands", "ArrowDown: () => step(state, -1)", "ArrowDown: () => step(state, 1)", "keyboard_only"),
    ("hands", "Math.round(state.N / 10)", "Math.round(state.N / 5)", "keyboard_only"),
    ("hands", "Math.max(0, Math.min(last, i))", "Math.min(last, i)", "keyboard_only"),
    ("hands", "Math.min(state.N - 1, state.reach + 1)", "Math.min(state.N - 1, state.reach + 2)", "asking_hides"),
    ("hands", "state.N - 1)) / state.speed", "state.N - 1)) * state.speed", "speed"),
    ("hands", "[1, 4, 0.25]", "[1, 0.25, 4]", "speed"),
    ("hands", "1200 / state.speed", "1200 * state.speed", "reduced_motion"),
    ("hands", "x > y ? take(event)", "x < y ? take(event)", "vertical_swipe"),
    ("hands", "if (state.i === state.N - 1) go(state, 0);", "", "driven_by_the_clock"),
    ("hands", "brief && !state.held.was ? what", "brief ? what", "u_and_d"),
    ("hands", "if (event.ctrlKey || event.altKey || event.metaKey) return;", "", "keyboard_only"),
    ("hands", "if (!state.open) state.reach = next - 1;", "", "reduced_motion"),
    ("hands", "state.flag = state.i", "state.flag = state.reach", "band_is_the_schedule"),
    ("hands", '"aria-expanded", !state.facts.hidden', '"aria-expanded", state.facts.hidden', "behind_details"),
    ("band", 'which ? "dl-bar dl-hollow" : "dl-bar"', 'which ? "dl-bar" : "dl-bar dl-hollow"', "far_they_are_apart"),
    ("band", "+ which * width;", "+ (1 - which) * width;", "far_they_are_apart"),
    ("band", "Math.abs(share - 0.5)", "Math.abs(share - 0.4)", "rests_on"),
    ("panels", "state.place(i, 1).y", "state.place(i, 0).y", "two_forward"),
    ("panels", "[one, two] = [two, one]", "", "own_real_step"),
    ("panels", 'panel.decoded && !state.open ? "x_t"', 'panel.decoded && !state.open ? "x0"', "riddle_shows"),
    ("panels", 'values = b.values("x0", k)', 'values = a.values("x0", j)', "two_clouds"),
    ("panels", "setTransform(-1, 0, 0, 1, width, 0)", "setTransform(1, 0, 0, 1, 0, 0)", "control"),
    ("words", "place(p, [a, b][w])", "place(p, [b, a][w])", "own_real_step"),
    ("words", "brief(alpha / (1 - alpha))", "brief((1 - alpha) / alpha)", "caption_says"),
    ("words", 'hold === "control" && path ?', 'hold === "control" && !path ?', "control"),
    ("pictures", "> all / 2", "> all / 3", "riddle_shows"),
    ("pictures", "Math.max(0, k - 1)", "Math.max(0, k - 2)", "marked_as_strongly"),
    ("pictures", "170 * Math.min", "85 * Math.min", "marked_as_strongly"),
    ("pictures", "place(values, path.follow), 11", "place(values, 0), 11", "two_clouds"),
    ("player", "indexOf(Math.max(...changes))", "indexOf(Math.min(...changes))", "rests_on"),
]


def noticed(script: str, old: str, new: str, tests: str) -> bool:
    """Whether one of the tests fails where `new` stands for `old` in the script."""
    if not (child := os.fork()):
        plain, null = player._file, os.open(os.devnull, os.O_RDWR)
        player._file = lambda name: plain(name).replace(old, new) if name == f"{script}.js" else plain(name)
        for stream in () if os.environ.get("LOUD") else (1, 2):
            os.dup2(null, stream)
        os._exit(pytest.main(["-qx", "-p", "no:cacheprovider", "-o", "addopts=", "-k", tests, *FILES]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"{script}.js, {old!r}: no test was run with -k {tests!r}")
    return code == pytest.ExitCode.TESTS_FAILED


def main():
    os.chdir(ROOT)
    browser.PATIENCE, browser.until.__defaults__ = PATIENCE, (True, PATIENCE)
    asked = [row for row in MUTANTS if not sys.argv[1:] or row[0] in sys.argv[1:]]
    lived = 0
    for script, old, new, tests in asked:
        if player._file(f"{script}.js").count(old) != 1:
            sys.exit(f"{script}.js does not have {old!r} once: mend the row of tests/mutants_js.py")
        if not noticed(script, old, new, tests):
            lived += 1
            print(f"{script}.js: {old!r} -> {new!r} lives through -k {tests!r}", flush=True)
    every = " or ".join(sorted({tests for *_, tests in asked}))
    if noticed(asked[0][0], "", "", every):
        sys.exit("the tests fail with nothing planted")
    print(f"{len(asked)} mutants, {len(asked) - lived} killed, {lived} survivors")


if __name__ == "__main__":
    main()
