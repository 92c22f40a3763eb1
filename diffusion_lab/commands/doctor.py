"""`doctor`: one table of what this machine can do and how fast, and of what is missing."""

import os
import platform
import shutil
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from diffusion_lab.commands import environment
from diffusion_lab.errors import LabError
from diffusion_lab.files import tensor_shapes
from diffusion_lab.places import ROLES, WEIGHTS

GIB = 2**30
# Floating-point operations of Stable Diffusion v1.5 at 512 px, counted on its layers: one guided step, one decoding.
GFLOP_STEP, GFLOP_DECODE = 1607, 2515


class Row(NamedTuple):
    """One line of the table: `remedy` is empty where all is well; `broken` where the course cannot go on so."""

    what: str
    found: str
    remedy: str = ""
    broken: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `doctor`."""
    parser.add_argument("--quick", action="store_true", help="look, but time nothing")


def run(args: Namespace) -> int:
    """Print the table; exit code 1 where something is broken."""
    rows = list(examine(timed=not args.quick))
    print(as_text(rows))
    return int(any(row.broken for row in rows))


def examine(timed: bool = True) -> Iterator[Row]:
    """The table's rows, one after the other; with `timed`, the models draw and are timed."""
    checks = [_python, _packages, _torch, _device, _memory, _disk, _kernel, _weights]
    yield from (_guarded(check) for check in checks)
    if timed:
        yield from (_guarded(check) for check in (_toy_speed, _tiny_sd_speed, _full_size))


def as_text(rows: list[Row]) -> str:
    """The rows as a table for a terminal, remedies under the lines they belong to."""
    wide = max(len(row.what) for row in rows)
    lines = []
    for row in rows:
        mark = "BROKEN" if row.broken else "note" if row.remedy else "ok"
        lines.append(f"{mark:6}  {row.what:{wide}}  {row.found}")
        if row.remedy:
            lines.append(f"{'':6}  {'':{wide}}  -> {row.remedy}")
    broken = sum(row.broken for row in rows)
    return "\n".join([*lines, "", f"{broken} broken" if broken else "All that the course needs is here."])


def _guarded(check: Callable[[], Row]) -> Row:
    """A check that fails is a finding, not the end of the table."""
    try:
        return check()
    except Exception as error:  # whatever a damaged install may raise
        name = check.__name__.strip("_").replace("_", " ")
        return Row(name, f"failed: {type(error).__name__}: {str(error).splitlines()[0][:90] if str(error) else ''}",
                   "remove .venv and run make lab again", broken=True)  # fmt: skip


def _python() -> Row:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    old = sys.version_info < (3, 11)
    return Row("Python", found, "install Python 3.11 or newer, then run make lab again" if old else "", old)


def _packages() -> Row:
    """Is every package there, in a version that pyproject.toml allows?"""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in metadata.requires("diffusion_lab") or []]
    wanted = [need for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    wrong = []
    for need in wanted:
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if not need.specifier.contains(version):
            wrong.append(f"{need.name} {version}, not {need.specifier}")
    wrong += [f"{name} is gone" for name in environment.lost()]
    if wrong:
        return Row("packages", "; ".join(wrong), "run make lab again (it installs what is missing)", broken=True)
    return Row("packages", f"all {len(wanted)} in the versions that the course was tested with")


def _torch() -> Row:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    n = torch.get_num_threads()
    return Row("torch", f"{torch.__version__.split('+')[0]}, {build}, {n} thread{'s' * (n != 1)}")


def _device() -> Row:
    import torch

    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        return Row("device", f"GPU: {card.name}, {card.total_memory / GIB:.0f} GiB; Stable Diffusion in float16")
    if torch.backends.mps.is_available():
        return Row("device", "Apple GPU (MPS); Stable Diffusion in float16")
    found = f"CPU, {os.cpu_count()} cores; every lesson runs on it, with Tiny SD in the big model's place"
    if shutil.which("nvidia-smi") and torch.version.cuda is None:
        return Row("device", found, "there is an NVIDIA card, but this torch is the CPU build: README.md, "
                   "'What the download weighs', says how to get the other one")  # fmt: skip
    return Row("device", found)


def _memory() -> Row:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} GiB free"
    if memory.available < 1 * GIB:
        return Row("memory", found, "a lesson needs 1 GiB: close other programs", broken=True)
    return Row("memory", found)


def _disk() -> Row:
    free = shutil.disk_usage(environment.ROOT).free / 1e9
    found = f"{free:.1f} GB free where the course lies"
    if free < 0.5:
        return Row("disk", found, "the lessons save what you do: make room, 0.5 GB at least", broken=True)
    note = "Stable Diffusion v1.5 would need 3 GB of room for its files; all else fits" if free < 4 else ""
    return Row("disk", found, note)


def _kernel() -> Row:
    """Do the notebooks run with this environment's Python?"""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        first = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Row("notebooks", "no kernel named python3", "run make lab again", broken=True)
    own = Path(first).name.startswith("python") and (first == Path(first).name or _same(first, sys.executable))
    version = f"JupyterLab {metadata.version('jupyterlab')}"
    if own:
        return Row("notebooks", f"{version}, kernel python3 is this Python")
    return Row("notebooks", f"{version}, kernel python3 is {first}",
               "open the lessons with make lab: it takes the right one")  # fmt: skip


def _same(a: str, b: str) -> bool:
    return os.path.abspath(a) == os.path.abspath(b)


def _weights() -> Row:
    """Are the shipped models here, every file whole?"""
    files, damaged = sorted(WEIGHTS.rglob("*.safetensors")), []
    for path in files:
        try:
            tensor_shapes(path, "a model", "")
        except LabError:
            damaged.append(path.relative_to(WEIGHTS).as_posix())
    models = sorted({path.relative_to(WEIGHTS).parts[0] for path in files})
    remedy = "fetch the course's files again (git checkout -- diffusion_lab/weights)"
    if not files:
        return Row("models", f"none in {WEIGHTS}", remedy, broken=True)
    if damaged:
        return Row("models", f"damaged: {', '.join(damaged)}", remedy, broken=True)
    size = sum(path.stat().st_size for path in files) / 1e6
    return Row("models", f"{', '.join(models)} ({size:.1f} MB in all)")


def _toy_speed() -> Row:
    from diffusion_lab.toy import Toy

    toy = Toy.load("icons")
    seconds = _timed(lambda: list(toy.steps("red circle", n=20, seed=list(range(12)))))
    return Row("icons", f"12 pictures in 20 steps: {seconds:.1f} s")


def _tiny_sd_speed() -> Row:
    folder = WEIGHTS / ROLES["tiny-sd"].shipped
    if not folder.is_dir():
        return Row("Tiny SD", "not among the models here", "train it: python -m diffusion_lab train tiny-sd")
    from diffusion_lab.stable_diffusion import StableDiffusion

    loading = time.perf_counter()
    model = StableDiffusion.load(folder)
    loading = time.perf_counter() - loading
    seconds = _timed(lambda: model.picture(list(model.steps("an astronaut riding a horse on mars", n=20))[-1].x0))
    return Row("Tiny SD", f"a picture in 20 steps: {seconds:.1f} s (loaded in {loading:.0f} s, libraries included)")


def _full_size() -> Row:
    """Stable Diffusion v1.5 at 512 px, estimated from its operation count and this machine's multiplications."""
    import torch

    from diffusion_lab.stable_diffusion.loading.devices import best_device

    device = best_device()
    speed = _gflops(device, torch.float32 if device == "cpu" else torch.float16)
    half = 0.5 * speed  # layers reach about half of what one large multiplication does
    step, whole = GFLOP_STEP / half, (20 * GFLOP_STEP + GFLOP_DECODE) / half
    time_told = f"{whole:.2g} s" if whole < 10 else f"{whole:.0f} s" if whole < 120 else f"{whole / 60:.0f} min"
    pace = f"{step:.0f}" if step >= 10 else f"{step:.2g}"
    found = f"about {pace} s a step, {time_told} a picture in 20 steps (estimated from {speed:.0f} GFLOP/s)"
    return Row("Stable Diffusion v1.5", found)


def _gflops(device: str, dtype) -> float:
    import torch

    size = 1024 if device == "cpu" else 4096
    a = torch.ones(size, size, device=device, dtype=dtype)

    def multiply() -> None:
        (a @ a)[0, 0].item()  # read one number, so that a GPU has finished

    return 2 * size**3 / _timed(multiply, times=5) / 1e9


def _timed(call: Callable[[], object], times: int = 1) -> float:
    """Seconds that a call takes: the fastest of a few."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)
