"""What the recorder costs: the bare pipeline against the same call recorded, and recorded with previews, in one run.

    python benchmarks/recorder_overhead.py [MODEL_FOLDER] [--steps 50] [--rounds 7]

Times are seconds of processor time, the kinds of call taking turns; the fastest of each is printed, and their ratio
(what else runs on the machine only ever adds). Without a folder it takes the shipped Tiny SD, or else a small U-Net
with random weights. The goals: recorder 3 %, with linear previews of every step 5 %.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from diffusion_lab import stable_diffusion
from diffusion_lab.stable_diffusion import StableDiffusion, record

SHIPPED = Path(stable_diffusion.__file__).parents[1] / "weights/tiny_sd"


def stand_in() -> Path:
    """A random model as large as Tiny SD, where there is no other."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import sd_fixtures

    folder = sd_fixtures.build(sd_fixtures.scratch() / "stand-in", size=16, channels=(64, 128))
    (folder / "diffusion_lab.json").write_text(json.dumps({"to_rgb": [[0.1, 0.2, 0.3]] * 5}))
    return folder


def main() -> None:
    """Time, and print one line for each kind of call."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("folder", nargs="?", type=Path)
    given.add_argument("--steps", type=int, default=50)
    given.add_argument("--rounds", type=int, default=7)
    options = given.parse_args()
    folder = options.folder or (SHIPPED if (SHIPPED / "model_index.json").is_file() else stand_in())
    sd = StableDiffusion.load(folder)
    words = "a photo of an astronaut riding a horse on mars"
    matrix = sd.to_rgb  # once for a model, not for a picture

    def bare():
        sd.pipeline(words, num_inference_steps=options.steps, generator=torch.Generator().manual_seed(0))

    def recorded():
        with record(sd.pipeline) as trajectory:
            bare()
        return trajectory

    def previewed():
        for step in recorded().steps:
            step.x0.permute(0, 2, 3, 1) @ matrix[:-1] + matrix[-1]

    kinds = {"bare pipeline": bare, "recorded": recorded, "recorded, with previews": previewed}
    times = {name: [] for name in kinds}
    bare()
    for _ in range(options.rounds):
        for name, call in kinds.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    base = min(times["bare pipeline"])
    print(f"{folder.name}, {options.steps} steps, fastest of {options.rounds}, {torch.get_num_threads()} threads, CPU")
    for name, values in times.items():
        print(f"{name:24} {min(values):8.3f} s  x {min(values) / base:.3f}")


if __name__ == "__main__":
    main()
