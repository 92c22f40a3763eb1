"""How fast Stable Diffusion v1.5 draws here: the recorder and the presets, as ratios to the article's way.

    python benchmarks/stable_diffusion_gpu.py [--rounds 3] [--keep] [--tiny]

On an NVIDIA GPU it takes the full size in float16 with random weights, which cost the time and the memory of real ones.
Anywhere else (or with --tiny) it takes a small random model in float32 and says what it could not measure. With --keep
the table is written to benchmarks/results/, with date and device.

Goals at 512 pixels: recorder at most 3 %, fast at least 2.2 times as fast as the article, compiled 1.4 times as fast as
fast, turbo 10 times as fast as the article, 4 GB of GPU memory.
"""

import argparse
import datetime
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from diffusion_lab.places import Habits
from diffusion_lab.stable_diffusion import StableDiffusion, record
from diffusion_lab.stable_diffusion.presets import PRESETS, compile_network

HERE = Path(__file__).parent
PROMPT = "a photo of an astronaut riding a horse on mars"


def model(full: bool) -> StableDiffusion:
    """The full size on the GPU, or a model as small as Tiny SD on the CPU; random weights both."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    if full:
        import sd_full_size

        habits = Habits("Stable Diffusion v1.5, random weights")
        return StableDiffusion(sd_full_size.pipeline(torch.float16, "cuda"), habits)
    import recorder_overhead

    return StableDiffusion.load(recorder_overhead.stand_in(), device="cpu")


def seconds(call: Callable[[], object], rounds: int, full: bool) -> float:
    """The fastest time of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter() if full else time.process_time()
        call()
        if full:
            torch.cuda.synchronize()
        times.append((time.perf_counter() if full else time.process_time()) - start)
    return min(times)


def ways(sd: StableDiffusion) -> dict[str, Callable[[], object]]:
    """What is timed, by name, in the order of timing (the compiled U-Net comes last: it stays compiled)."""

    def plain():
        generator = torch.Generator().manual_seed(0)
        return sd.pipeline(PROMPT, num_inference_steps=50, generator=generator)

    def recorded():
        with record(sd.pipeline):
            plain()

    def steps(preset: str):
        chosen = PRESETS[preset]
        sampler = "lcm" if preset == "turbo" else chosen.sampler
        *_, last = sd.steps(PROMPT, n=chosen.n, sampler=sampler, guidance_scale=chosen.guidance_scale)
        return sd.picture(last.x0)

    return {"plain pipeline, 50 PNDM steps": plain, "the same, recorded": recorded,
            **{f"preset {name}": lambda name=name: steps(name) for name in ("as_in_article", "fast", "turbo")},
            "preset compiled": lambda: steps("compiled")}  # fmt: skip


def table(rounds: int, full: bool) -> Iterator[str]:
    """Measure, line by line, and say what could not be measured."""
    sd = model(full)
    sd.to_rgb  # noqa: B018 (a number of the model's, made once)
    name = torch.cuda.get_device_name() if full else f"{platform.processor() or platform.machine()}, CPU seconds"
    yield f"{datetime.date.today()}  {name}  torch {torch.__version__}  {sd.name}"
    base = None
    for way, call in ways(sd).items():
        if way == "preset compiled":
            if not full:
                continue
            compile_network(sd.pipeline)
            start = time.perf_counter()
            call()
            yield f"{'compiling, with its first picture':34}{time.perf_counter() - start:7.3f} s"
        if full:
            torch.cuda.reset_peak_memory_stats()
        spent = seconds(call, rounds, full)
        base = base or spent
        peak = f"  {torch.cuda.max_memory_allocated() / 1e9:5.2f} GB" if full else ""
        share = f"{spent / base:.3f} of the time, {base / spent:5.2f} times as fast"
        yield f"{way:34}{spent:7.3f} s   {share}{peak}"
    if not full:
        yield "not measured without an NVIDIA GPU: full size in float16, the compiled preset, GPU memory"


def main() -> None:
    """Print the table, and keep it where asked to."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--keep", action="store_true", help="write the table to benchmarks/results/ too")
    given.add_argument("--tiny", action="store_true", help="take the small model even where there is a GPU")
    options = given.parse_args()
    lines = []
    for line in table(options.rounds, torch.cuda.is_available() and not options.tiny):
        print(line, flush=True)
        lines.append(line)
    if options.keep:
        (HERE / "results").mkdir(exist_ok=True)
        file = HERE / "results" / f"stable_diffusion_{datetime.date.today()}.txt"
        file.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
