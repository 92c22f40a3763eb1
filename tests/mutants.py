"""Plant small mistakes in a room of the package, one at a time, and see whether the room's own tests notice.

`make mutants` tries every room, `make mutants ROOM=mixing` one, `make mutants ROOM=worlds SAMPLE=200` a fair part.
The mistakes are mutmut's, wherever they stand but in what is said to people: errors, documentation, sentences. A mutant
is a fork of a process that has imported and collected all, so it costs no import of torch: the fork's functions get the
mistaken code, and it runs the tests that reached the line while nothing was planted, until one fails. A mistake in what
runs when it is imported is tried on a package that is imported anew.
"""

import argparse
import contextlib
import difflib
import functools
import gc
import importlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path

import coverage
import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "diffusion_lab"
OURS = ("diffusion_lab", "test_")
SILENT = (cst.Raise, cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)
PYTEST = ["-qs", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow and not browser", "-o", "addopts="]

ROOMS = {  # a room: its files, and its tests
    "mixing": ("mixing.py", "mixing"),
    "protocol": ("protocol.py", "sampling"),
    "recipe": ("recipe.py", "trajectory"),
    "steps": ("steps.py", "trajectory"),
    "trajectory": ("trajectory.py", "trajectory"),
    "files": ("files.py", "files"),
    "places": ("places.py", "places"),
    "pixels": ("pixels.py", "pixels editing"),
    "templates": ("templates.py", "templates"),
    "schedules": ("schedules.py", "sampling"),
    "networks": ("networks.py", "networks"),
    "worlds": ("worlds/*.py", "worlds scenes"),
    "noising": ("noising.py", "sampling devices"),
    "guidance": ("guidance.py", "sampling"),
    "exact": ("exact.py", "exact devices"),
    "objectives": ("objectives.py", "objectives devices"),
    "sampling": ("sampling/*.py", "sampling editing"),
    "editing": ("editing.py", "editing"),
    "figures": ("figures/*.py", "figures"),
    "controls": ("controls.py", "controls"),
    "anatomy": ("anatomy/*.py", "anatomy"),
    "fields": ("fields.py", "fields"),
    "touch": ("touch.py", "fields"),
    "sketch": ("sketch.py", "sketch"),
    "training": ("training/*.py", "training"),
    "checks": ("coursework/checks/*.py", "coursework beginners coursework_pages coursework_clinic"),
    "stable_diffusion": ("stable_diffusion/*.py", "stable_diffusion stable_diffusion_editing stable_diffusion_rooms"),
}  # fmt: skip
DRAWN = {"_scenes_draw.py", "_scenes_figures.py", "_scenes_things.py", "_scenes_wide.py"}  # looked at, not computed


class Mutations(cst.CSTVisitor):
    """Every (line, node, what stands there instead) of a file."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self):
        self.found, self.said = [], set()

    def on_visit(self, node) -> bool:
        called = str(getattr(node.func, "value", "")) if isinstance(node, cst.Call) else ""
        words = isinstance(node, cst.SimpleString) and " " in node.value
        listed = isinstance(node, cst.Assign) and getattr(node.targets[0].target, "value", "") == "__all__"
        if isinstance(node, SILENT) or words or listed or node in self.said or called in {"len", "isinstance"}:
            return False
        part = slice(1, 3) if called.startswith(("as_", "read_")) else slice(0)  # what an error would say
        part = slice(2, None) if called == "check_alike" else part
        if called == "zip" and node.args[-1].keyword:
            part = slice(-1, None)  # strict: lists that are equally long by their making
        said = node.args[part] if called else ()
        self.said |= set(said)
        if isinstance(node, cst.If) and '"nt"' in cst.Module([]).code_for_node(node.test):
            self.said.add(node.body)  # Windows is not here
        for kind, operator in mutation_operators:
            for other in operator(node) if isinstance(node, kind) else ():
                if not said or tuple(other.args[part]) == tuple(said):
                    self.found.append((self.get_metadata(PositionProvider, node).start.line, node, other))
        return True


def mutants(path: Path) -> list:
    """(path, line, the file's text with the mutant planted) of each mutant, the text made when it is asked for."""
    whole = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    visitor = Mutations()
    whole.visit(visitor)
    return [(path, line, lambda old=old, new=new: whole.module.deep_replace(old, new).code)
            for line, old, new in visitor.found]  # fmt: skip


class Reached:
    """A pytest plugin that keeps which tests reach which line, and how long each takes."""

    def __init__(self):
        self.coverage, self.seconds = coverage.Coverage(data_file=None, source=[str(PACKAGE)]), {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        forget()  # what one test keeps for the next would hide who needs a line
        begun = time.process_time()
        self.coverage.switch_context(item.nodeid)
        result = yield
        self.seconds[item.nodeid] = time.process_time() - begun
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        if fixturedef.scope != "function":
            self.coverage.switch_context("fixture " + fixturedef.argname)
        result = yield
        self.coverage.switch_context(request._pyfuncitem.nodeid)
        return result

    def of(self, path: Path, items: list) -> list[list[str]]:
        """For each line of a file the tests that reach it."""
        by_line = self.coverage.get_data().contexts_by_lineno(str(path))
        return [[item.nodeid for item in items
                 if {item.nodeid, *("fixture " + name for name in item.fixturenames)} & set(by_line.get(line + 1, []))]
                for line in range(len(path.read_text(encoding="utf-8").splitlines()))]  # fmt: skip


class Bench:
    """A pytest plugin: instead of running the room's tests, it tries the room's mutants on them."""

    def __init__(self, room: str, sample: int | None):
        pattern, names = ROOMS[room]
        self.room, self.files = room, [f"tests/test_{name}.py" for name in names.split()]
        self.paths = [path for path in sorted(PACKAGE.glob(pattern)) if path.name not in DRAWN]
        found = [mutant for path in self.paths for mutant in mutants(path)]
        few = min(sample or len(found), len(found))
        self.mutants = [found[i] for i in sorted(random.Random(0).sample(range(len(found)), few))]
        self.lived = 0
        self.importing = coverage.Coverage(data_file=None, source=[str(PACKAGE)])
        self.importing.start()

    def pytest_runtestloop(self, session) -> bool:
        self.importing.stop()
        self.at_import = {path: set(self.importing.get_data().lines(str(path)) or ()) for path in self.paths}
        memories()
        self.functions = [f for f in gc.get_objects() if type(f) is types.FunctionType and f.__module__
                          and f.__module__.startswith("diffusion_lab")]  # fmt: skip
        self.items = {item.nodeid: item for item in session.items}
        answer = forked(self.plain, 900)
        if answer is None:
            pytest.exit(f"{self.room}: its tests end the process, or take too long", returncode=1)
        failed, self.lines, self.seconds, modules = answer
        for name in failed:  # what fails here with nothing planted, in a fork or on a busy machine, tells nothing
            print(f"left out, for it fails as it is: {name}", flush=True)
            self.items.pop(name, None)
        for name in modules:  # what tests import late, no mutant has to import again
            if not name.startswith((*OURS, "conftest")):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        gc.freeze()  # what is here already is not copied for each fork
        self.control()
        for path, line, made in self.mutants:
            text, tests = made(), [name for name in self.lines[str(path)][line - 1] if name in self.items]
            if not self.noticed(path, line, text, tests):
                self.lived += 1
                show(path, text, bool(tests))
        n = len(self.mutants)
        print(f"{self.room}: {n} mutants, {n - self.lived} killed ({1 - self.lived / n:.1%}), {self.lived} survivors",
              flush=True)  # fmt: skip
        return True

    def plain(self, tell):
        """Run all tests with nothing planted: tell what failed, who reaches each line, and the seconds of each test."""
        reached, failed = Reached(), []
        plugins = next(iter(self.items.values())).config.pluginmanager
        plugins.register(reached)
        plugins.register(Verdict(failed.append))
        reached.coverage.start()
        run(list(self.items.values()))
        reached.coverage.stop()
        items = list(self.items.values())
        tell((failed, {str(path): reached.of(path, items) for path in self.paths}, reached.seconds,
              list(sys.modules)))

    def control(self):
        """A mutant without a mistake lives, or the bench itself is broken."""
        path = self.paths[0]
        text = path.read_text(encoding="utf-8")
        quick = sorted(self.items, key=self.seconds.get)[:9]
        jobs = functools.partial(self.swapped, {}, quick), functools.partial(anew, path, text, quick)
        if any(forked(job, 900) is not False for job in jobs):
            pytest.exit(f"{self.room}: what is no mistake is noticed", returncode=1)

    def noticed(self, path: Path, line: int, text: str, tests: list[str]) -> bool:
        """Whether a test fails, or hangs, where `path` holds `text`."""
        tests = sorted(tests or self.items, key=lambda name: (name.partition("::")[0], self.seconds[name]))
        limit = 5 + int(10 * sum(self.seconds[name] for name in tests))
        codes = swaps(path, text)
        if codes and line not in self.at_import[path]:
            return forked(functools.partial(self.swapped, codes, tests), limit) is not False
        return forked(functools.partial(anew, path, text, tests), limit + 10) is not False

    def swapped(self, codes: dict, tests: list[str], tell):
        for function in self.functions:
            if function.__code__ in codes:
                function.__code__ = codes[function.__code__]
        forget()
        items = [self.items[name] for name in tests]
        items[0].config.pluginmanager.register(Verdict(lambda name: tell(True)))
        run(items)
        tell(False)


class Verdict:
    """A pytest plugin that tells of each failure."""

    def __init__(self, tell):
        self.tell = tell

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item, call):  # before pytest spends time on words for it
        if call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.tell(item.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            self.tell(report.nodeid)


def run(items: list):
    for item, after in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)


@functools.cache
def memories() -> list:
    return [kept for kept in gc.get_objects() if type(kept) is functools._lru_cache_wrapper
            and kept.__module__.startswith(OURS)]  # fmt: skip


def forget():
    """Empty what functions of the package and of its tests remember."""
    for memory in memories():
        memory.cache_clear()


def swaps(path: Path, text: str) -> dict:
    """The code of each function of a file -> its code in `text`; empty where what runs at import differs."""
    pairs = {}

    def pair(old, new, at_import) -> bool:
        once = at_import and (not old.co_flags & 1 or old.co_name in {"<listcomp>", "<genexpr>", "<dictcomp>"})
        inner, own = zip(*(parts(code) for code in (old, new)), strict=True)
        if old.co_freevars != new.co_freevars or (once and own[0] != own[1]):
            return False
        if not once:
            pairs[old] = new
        return len(inner[0]) != len(inner[1]) or all(pair(a, b, once) for a, b in zip(*inner, strict=True))

    before, after = (compile(source, str(path), "exec") for source in (path.read_text(encoding="utf-8"), text))
    return {old: new for old, new in pairs.items() if old != new} if pair(before, after, True) else {}


def parts(code: types.CodeType) -> tuple:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    own = [repr(constant) for constant in code.co_consts if not isinstance(constant, types.CodeType)]
    return inner, (len(inner), code.co_code, code.co_names, own)


def anew(path: Path, text: str, tests: list[str], tell):
    """Tell whether a test fails (or cannot be collected) where the package is imported with `text` for `path`."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith((str(PACKAGE), str(ROOT / "tests"))) and name != "__main__":
            del sys.modules[name]
    get_code = SourceFileLoader.get_code

    def planted(loader, name):
        return compile(text, str(path), "exec") if loader.path == str(path) else get_code(loader, name)

    SourceFileLoader.get_code = planted
    tell(bool(pytest.main([*PYTEST, *tests], plugins=[Verdict(lambda name: tell(True))])))


def forked(job, limit: int):
    """What `job(tell)` tells from a fork of this process; None where it dies, or takes more than `limit` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))  # computed, however busy the machine is
            null = os.open(os.devnull, os.O_RDWR)
            for stream in () if os.environ.get("LOUD") else (0, 1, 2):
                os.dup2(null, stream)
            os.environ["TMPDIR"] = tempfile.tempdir = folder
            try:
                job(lambda value: (answer.write_text(json.dumps(value)), os._exit(0)))
            finally:
                os._exit(1)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        signal.alarm(60 + 10 * limit)  # slept
        try:
            os.waitpid(child, 0)
        finally:  # Ctrl-C too
            signal.alarm(0)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # with all that it started
        return json.loads(answer.read_text()) if answer.exists() else None


def show(path: Path, text: str, reached: bool):
    before = path.read_text(encoding="utf-8").splitlines()
    lines = list(difflib.unified_diff(before, text.splitlines(), n=0, lineterm=""))[2:]
    print(f"{path.relative_to(PACKAGE)}{'' if reached else ' (no test comes here)'}", *lines, sep="\n  ", flush=True)


def main():
    """The rooms that the command line names, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="*", metavar="room", choices=[[], *ROOMS], default=list(ROOMS))
    parser.add_argument("--sample", type=int, help="try so many mutants of each room, the same ones each time")
    asked = parser.parse_args()
    os.chdir(ROOT)
    for room in asked.rooms:
        if not os.fork():  # each room imports for itself: what an import runs belongs to that room
            bench = Bench(room, asked.sample)
            os._exit(pytest.main([*PYTEST, *bench.files], plugins=[bench]))
        if os.wait()[1]:
            sys.exit(1)


if __name__ == "__main__":
    main()
