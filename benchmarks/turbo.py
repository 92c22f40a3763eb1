"""What two calls save: a picture of Tiny SD turbo in two, four and one calls against Tiny SD in 20 guided steps.

    python benchmarks/turbo.py [--rounds 9]

Seconds of processor time for one picture, drawn and decoded, the models taking turns; the fastest of each is printed,
and how many times as long the 20 steps take (what else runs on the machine only ever adds). The goal: two calls 6
times faster.
"""

import argparse
import time

import torch

from diffusion_lab.stable_diffusion import StableDiffusion

WORDS = "a photo of an astronaut riding a horse on mars"


def main() -> None:
    """Time, and print one line for each kind of picture."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--rounds", type=int, default=9)
    rounds = given.parse_args().rounds
    teacher, turbo = (StableDiffusion.load(name, device="cpu") for name in ("tiny-sd", "tiny-sd-turbo"))

    def draw(call: tuple[StableDiffusion, int] | bool) -> None:
        if isinstance(call, bool):
            turbo.decode(x0, quick=call)
            return
        *_, last = call[0].steps(WORDS, n=call[1])
        call[0].decode(last.x0)

    kinds = {f"{teacher.name}, 20 guided steps": (teacher, 20)}
    kinds |= {f"{turbo.name}, {n} call{'s' * (n > 1)}": (turbo, n) for n in (4, 2, 1)}
    kinds |= {"decoding alone": False, "the small decoder alone": True}
    x0, times = torch.zeros(1, *turbo.shape), {name: [] for name in kinds}
    for call in kinds.values():
        draw(call)
    for _ in range(rounds):
        for name, call in kinds.items():
            start = time.process_time()
            draw(call)
            times[name].append(time.process_time() - start)
    base = min(next(iter(times.values())))
    print(f"fastest of {rounds}, {torch.get_num_threads()} threads, CPU")
    for name, values in times.items():
        print(f"{name:28} {1000 * min(values):7.0f} ms  20 steps take {base / min(values):4.1f} times as long")


if __name__ == "__main__":
    main()
