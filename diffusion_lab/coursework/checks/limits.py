"""A learner's function runs on a leash: it may loop for ever or ask for all memory, and the lesson goes on.

The function runs in a thread of its own, because that is the one way to stop Python code that works on every system:
the waiting thread throws an exception into it. Code that is busy inside a library call notices only when that call
returns; the check then stops waiting and says so. On Linux a ceiling on the address space makes a huge allocation
fail at once; elsewhere the memory in use is watched, which catches a list that grows, and a single huge request is
left to the system's own refusal. Of what is printed a few lines are shown. What torch, numpy, random and Python itself
keep for the whole process is as it was afterwards.
"""

import contextlib
import ctypes
import io
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import torch

from .box import spoken

SECONDS = 5.0
GIGABYTES = 1.5
PATIENCE = 1.0  # seconds for a stopped function to fall silent
PRINTED = 8  # lines of what it prints are shown
SETTINGS = (  # what a function could leave behind for the rest of the notebook: how it is read, how it is put back
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (torch.random.get_rng_state, torch.random.set_rng_state),
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
)


class _Stop(BaseException):
    """Thrown into the running thread; a BaseException, so that `except Exception` in a loop does not swallow it."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended: with a `value`, with an `error`, or `stopped` ("time", "memory"), perhaps still `running`."""

    value: Any = None
    error: BaseException | None = None
    stopped: str = ""
    running: bool = False


def limited(call: Callable[[], Any], seconds: float = SECONDS, gigabytes: float = GIGABYTES) -> Outcome:
    """Run call() for at most `seconds` and with at most `gigabytes` more memory than the process has now.

    Whoever interrupts the wait (Ctrl-C, Lab's stop button) stops the call with it. What such a call limits in its turn
    (a function that checks itself) runs on the leash that is there: two ceilings would be put back in any order.
    """
    if isinstance(threading.current_thread(), _Runner):
        try:
            return Outcome(call())
        except Exception as error:
            return Outcome(error=error)
    runner = _Runner(call)
    with _settings(), _ceiling(gigabytes), _few_lines():
        try:
            stopped = _wait(runner, seconds, gigabytes)
        finally:
            runner.halt()
    if stopped:
        return Outcome(stopped=stopped, running=runner.is_alive())
    if _out_of_memory(runner.error):
        return Outcome(stopped="memory")
    return Outcome(runner.value, runner.error)


class _Few(io.TextIOBase):
    """Where what is printed goes: the first lines are kept, the others counted."""

    def __init__(self):
        self.text, self.lines = "", 0

    def write(self, text: str) -> int:
        if self.lines < PRINTED:
            self.text += "".join(text.splitlines(True)[: PRINTED - self.lines])[:1000]
        self.lines += text.count("\n")
        return len(text)


@contextlib.contextmanager
def _few_lines():
    """What is printed meanwhile is shown at the end, and no more of it than a few lines."""
    few = _Few()
    try:
        with contextlib.redirect_stdout(few):
            yield
    finally:
        print(few.text, end="")
        if few.lines > PRINTED:
            print(f"... and {few.lines - PRINTED} more lines, printed while your function was checked.")


class _Runner(threading.Thread):
    """The thread a function runs in. The gate makes sure that nothing is thrown into it once it has ended."""

    def __init__(self, call: Callable[[], Any]):
        super().__init__(daemon=True)
        self.call, self.value, self.error = call, None, None
        self.gate, self.ended = threading.Lock(), False

    def run(self):
        with contextlib.suppress(_Stop):
            try:
                self.value = self.call()
            except _Stop:
                pass
            except BaseException as error:  # a learner's code may raise anything at all, SystemExit too
                self.error = error
            with self.gate:
                self.ended = True
            self.gate.locked()  # a call, at which Python delivers what was thrown just before the gate closed

    def halt(self) -> None:
        """Throw _Stop into a thread that runs, again where a bare `except:` swallowed it, until patience ends."""
        end = time.monotonic() + PATIENCE
        while self.is_alive() and time.monotonic() < end:
            with self.gate:
                if not self.ended:
                    ident, stop = ctypes.c_ulong(self.ident), ctypes.py_object(_Stop)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, stop)
            self.join(0.2)


def _wait(thread: threading.Thread, seconds: float, gigabytes: float) -> str:
    """Start the thread and watch it; returns "" when it ended by itself, otherwise what it had too much of."""
    process = psutil.Process()
    most = process.memory_info().rss + gigabytes * 1e9
    end = time.monotonic() + seconds
    thread.start()
    while thread.is_alive():
        thread.join(0.02)
        if time.monotonic() > end:
            return "time" if thread.is_alive() else ""
        if process.memory_info().rss > most:
            return "memory"
    return ""


@contextlib.contextmanager
def _settings():
    """Put SETTINGS back at the end, whatever was done to them."""
    before = [(put, read()) for read, put in SETTINGS]
    try:
        yield
    finally:
        for put, value in before:
            put(value)


@contextlib.contextmanager
def _ceiling(gigabytes: float):
    """On Linux, no more than `gigabytes` of further address space for the whole process, for as long as this lasts."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + int(gigabytes * 1e9)
    if soft != resource.RLIM_INFINITY:
        wanted = min(wanted, soft)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _out_of_memory(error: BaseException | None) -> bool:
    said = spoken(error, str)
    return isinstance(error, MemoryError) or "allocate memory" in said or "not enough memory" in said
