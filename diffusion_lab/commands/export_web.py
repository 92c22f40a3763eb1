"""`export-web FOLDER`: a Stable Diffusion as a web page draws with it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `export-web`."""
    parser.add_argument("model", nargs="?", default="tiny-sd", help="a folder, or a name, of a Stable Diffusion of "
                        "Tiny SD's kind (tiny-sd)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("web"), help="the new folder to write (web)")
    parser.add_argument("--int8", action="store_true", help="round the weights to 8 bits a number: half as large, and "
                        "pictures a little other than Python's")  # fmt: skip


def run(args: Namespace) -> None:
    """Write the three networks and model.json, and say what they weigh."""
    from diffusion_lab.stable_diffusion import StableDiffusion
    from diffusion_lab.stable_diffusion.web import export, rounded

    model = StableDiffusion.load(args.model, device="cpu")
    out = export(rounded(model) if args.int8 else model, args.out)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    print(f"{out}: {args.model} for a page, {size:.1f} MB")
