"""`draw PROMPT`: a picture from a prompt, and the path to it as a player."""

import contextlib
from argparse import ArgumentParser, Namespace
from pathlib import Path

from diffusion_lab.commands.files import new_file
from diffusion_lab.errors import LabError

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
ENLARGED = 256  # pixels; a smaller picture is shown larger, with hard edges


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `draw`."""
    parser.add_argument("prompt", help='what to draw, such as "red circle"')
    parser.add_argument("--model", default="tiny-sd", help="icons, tiny-sd, or the folder of a model (tiny-sd)")
    parser.add_argument("--seed", type=int, default=0, help="which static it starts from (0)")
    parser.add_argument("--steps", type=int, help="how many steps, 1 to 1000 (the model's own choice)")
    parser.add_argument("--guidance-scale", type=float, help="how strongly the prompt pulls (the model's own choice)")
    parser.add_argument("--negative-prompt", default="", help="what it shall keep away from")
    parser.add_argument("--sampler", help="how it steps, such as ddim, dpmpp_2m, heun (the model's own choice)")
    parser.add_argument("--out", type=Path, default=Path("picture.png"), help="the file to write (picture.png)")
    parser.add_argument("--player", type=Path, metavar="steps.html", help="every step, as a page to scrub")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(args: Namespace) -> None:
    """Draw, then write the picture and, where asked for, the player."""
    with contextlib.ExitStack() as files:
        part = files.enter_context(new_file(args.out, PICTURES, args.force))
        page = args.player and files.enter_context(new_file(args.player, (".html",), args.force))
        model = open_model(args.model)
        made = draw(model, args)
        picture = model.picture(made.x0)[0]
        picture.resize(_shown(picture.size), 0).save(part)
        if page:
            _save_player(made, model, page)
    print(f"{args.out}: {args.prompt!r} drawn by {model.name} in {made.recipe.n} steps, seed {args.seed}")
    if page:
        print(f"{args.player}: the {len(made)} steps of it; open it in a browser")


def open_model(name: str):
    """The model of a role (icons, tiny-sd) or of a folder: a toy's or one in diffusers' layout."""
    shipped = WEIGHTS / name.replace("-", "_")
    folder = shipped if shipped.is_dir() else Path(name)
    if (folder / "model_index.json").exists():
        from diffusion_lab.stable_diffusion import StableDiffusion

        return StableDiffusion.load(folder)
    if (folder / "config.json").exists():
        from diffusion_lab.toy import Toy

        return Toy.load(folder)
    known = sorted(path.name.replace("_", "-") for path in WEIGHTS.glob("*") if _has_model(path))
    raise LabError(f"a model was expected, one of {', '.join(known)} or a folder that holds one (model_index.json or "
                   f"config.json); {name!r} came; choose one with --model")  # fmt: skip


def draw(model, args: Namespace):
    """Walk the whole path, with a progress bar on a terminal; return it as a Trajectory."""
    from tqdm import tqdm

    from diffusion_lab import Trajectory

    asked = {"n": args.steps, "guidance_scale": args.guidance_scale, "sampler": args.sampler}
    chosen = {name: value for name, value in asked.items() if value is not None}
    steps = model.steps(args.prompt, negative_prompt=args.negative_prompt, seed=args.seed, **chosen)
    made = [step for step in tqdm(steps, total=steps.recipe.n, desc="drawing", leave=False, disable=None)]
    return Trajectory(made, steps.recipe, steps.to_rgb)


def _has_model(folder: Path) -> bool:
    return (folder / "model_index.json").exists() or (folder / "config.json").exists()


def _save_player(made, model, page: Path) -> None:
    from diffusion_lab import Player, watch
    from diffusion_lab.trajectory import Steps

    again = Steps(made.steps, made.recipe, made.to_rgb, getattr(model, "decode", None))
    Player(watch(again, model)).save(page)


def _shown(size: tuple[int, int]) -> tuple[int, int]:
    scale = max(1, ENLARGED // max(size))
    return size[0] * scale, size[1] * scale
