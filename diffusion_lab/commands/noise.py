"""`noise PHOTO`: the forward process of a picture of your own, in one HTML file to be scrubbed."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from diffusion_lab.errors import LabError
from diffusion_lab.files import new_file


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `noise`."""
    parser.add_argument("photo", help="a picture file, or one of astronaut, cat, rocket")
    parser.add_argument("--out", type=Path, default=Path("noise.html"), help="the file to write (noise.html)")
    parser.add_argument("--schedule", default="linear", help="how fast it goes, such as cosine, straight (linear)")
    parser.add_argument("--size", type=int, default=256, help="side of the picture in pixels, 8 to 512 (256)")
    parser.add_argument("--seed", type=int, default=0, help="which static (0)")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def run(args: Namespace) -> None:
    """Write the player of the forward path, all thousand steps of it."""
    if not 8 <= args.size <= 512:
        raise LabError(f"a size of 8 to 512 pixels was expected; {args.size} came; try --size 256")
    with new_file(args.out, (".html",), args.force) as part:
        from diffusion_lab import Player, forward, noise
        from diffusion_lab.pixels import as_samples
        from diffusion_lab.schedules import named
        from diffusion_lab.worlds import photos

        x0 = as_samples(photos.load(args.photo, args.size))                     # (1, 3, H, W)
        schedule = named(args.schedule.replace("_", " "))
        path = forward(x0, schedule, eps=noise(x0.shape[1:], args.seed))
        Player(path, rest="even").save(part)
    print(f"{args.out}: {Path(args.photo).name} on its way into the static, {len(path) - 1} steps")
