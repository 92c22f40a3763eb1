"""`edit PHOTO` and `outpaint PHOTO`: a picture of your own, a part of it drawn anew, or more of it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from diffusion_lab.files import new_file
from diffusion_lab.places import ROLES
from diffusion_lab.recipe import STRENGTH, shortened

from .draw import PICTURES, open_model

EXACT = (".png", ".webp")  # the files that keep what is kept to the grey level; JPEG would change it


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of both."""
    outwards = parser.prog.split()[-1] == "outpaint"
    parser.add_argument("photo", help="a picture file, or one of astronaut, cat, rocket")
    parser.add_argument("--prompt", required=True, help='what to draw, such as "a cat standing on the moon"')
    if outwards:
        parser.add_argument("--by", type=int, required=True, metavar="COLUMNS",
                            help="how many columns to add at the right edge; below 0, at the left one (--by=-96)")
    else:
        parser.add_argument("--mask", help="a picture of the same size: white is drawn anew, black is kept exactly "
                            "(all of it is redrawn, in the model's own size)")
        parser.add_argument("--strength", type=float, help="how much of the path to walk, above 0 to 1 "
                            f"({STRENGTH}; with a mask 1)")  # fmt: skip
    parser.add_argument("--model", default="stable-diffusion-v1-5", help=f"a folder, one of {', '.join(ROLES)}, or "
                        "an address on the hub (Stable Diffusion v1.5 on a GPU, else Tiny SD)")  # fmt: skip
    parser.add_argument("--device", help="cuda, mps or cpu (the best one here)")
    parser.add_argument("--seed", type=int, default=0, help="which static it starts from (0)")
    parser.add_argument("--steps", type=int, help="how many steps a whole path has (the model's own choice)")
    parser.add_argument("--guidance-scale", type=float, help="how strongly the prompt pulls (the model's own choice)")
    parser.add_argument("--sampler", help="how it steps, such as ddim (the model's own choice)")
    parser.add_argument("--out", type=Path, default=Path("edited.png"),
                        help="the file to write (edited.png)" + ("" if outwards else "; without a mask .jpg too"))
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.set_defaults(outwards=outwards)


def run(args: Namespace) -> None:
    """Write the edited picture."""
    part_of_it = args.outwards or args.mask is not None
    with new_file(args.out, EXACT if part_of_it else PICTURES, args.force) as part:
        edit = wanted(args)
        model = open_model(args.model, args.device)
        *_, last = model.steps(args.prompt, n=args.steps, guidance_scale=args.guidance_scale, seed=args.seed,
                               sampler=args.sampler, edit=edit)  # fmt: skip
        picture = edit.paste(model.picture(last.x0)[0])
        picture.save(part, lossless=part_of_it)  # of .webp
    what = "redrawn" if edit.mask is None else f"{float((edit.mask > 0).float().mean()):.0%} of it drawn anew"
    print(f"{args.out}: {Path(args.photo).name}, {picture.width} x {picture.height}, {what}: {shortened(args.prompt)}, "
          f"by {model.name}, seed {args.seed}")


def wanted(args: Namespace):
    """The edit that a command line asks for."""
    from diffusion_lab.editing import Edit
    from diffusion_lab.files import expanded
    from diffusion_lab.pixels import opened
    from diffusion_lab.worlds import photos

    photo = photos.load(args.photo)
    if args.outwards:
        return Edit.wider(photo, args.by)
    if args.mask is None:
        return Edit(photo, strength=STRENGTH if args.strength is None else args.strength)
    with opened(expanded(args.mask), Path(args.mask).name) as mask:
        return Edit(photo, mask, 1.0 if args.strength is None else args.strength)
