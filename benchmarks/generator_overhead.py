"""What the loop that yields costs beside bare calls of the model: the 16x16 U-Net, 50 steps, one ratio.

Bare and looped runs take turns, so that whatever else the machine does falls on both. Processor time is counted, not
the clock on the wall.

    python benchmarks/generator_overhead.py [--batch 1] [--rounds 12]
"""

import argparse
import statistics
import time

import torch

from diffusion_lab import Toy, denoise, noise

N = 50


def bare(toy: Toy, x: torch.Tensor, condition: torch.Tensor) -> None:
    for t in toy.schedule.timesteps(N):
        toy.predict_noise(x, t, condition)


def looped(toy: Toy, x: torch.Tensor, condition: torch.Tensor) -> None:
    for _ in denoise(lambda x_t, t: toy.predict_noise(x_t, t, condition), toy.schedule, x, toy.schedule.timesteps(N)):
        pass


def seconds(run, *arguments) -> float:
    started = time.process_time()
    run(*arguments)
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=1, help="pictures at once (1, where a loop costs most)")
    parser.add_argument("--rounds", type=int, default=12, help="how often both are run (12)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    toy = Toy.load("icons")
    condition = toy.condition(["red circle"]).expand(args.batch, -1)
    task = (toy, noise(toy.shape, list(range(args.batch))), condition)
    seconds(bare, *task), seconds(looped, *task)
    pairs = [(seconds(bare, *task), seconds(looped, *task)) for _ in range(args.rounds)]
    alone, all_in = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{N} bare calls {1000 * alone:.1f} ms, in the loop {1000 * all_in:.1f} ms, batch of {args.batch}: "
          f"{100 * (ratio - 1):+.1f} % (goal: at most +5 %)")


if __name__ == "__main__":
    main()
