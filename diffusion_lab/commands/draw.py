"""`draw PROMPT`: a picture from a prompt, and the path to it as a player."""

import contextlib
from argparse import ArgumentParser, Namespace
from pathlib import Path

from diffusion_lab.errors import LabError
from diffusion_lab.files import new_file
from diffusion_lab.places import ROLES, find_model
from diffusion_lab.recipe import shortened

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
ENLARGED = 256  # pixels; a smaller picture is shown larger, with hard edges


def add_arguments(parser: ArgumentParser) -> None:
    """The command line of `draw`."""
    parser.add_argument("prompt", help='what to draw, such as "red circle"')
    parser.add_argument("--model", default="stable-diffusion-v1-5", help=f"a folder, one of {', '.join(ROLES)}, or "
                        "an address on the hub (Stable Diffusion v1.5 on a GPU, else Tiny SD)")  # fmt: skip
    parser.add_argument("--device", help="cuda, mps or cpu (the best one here)")
    parser.add_argument("--preset", help="as_in_article, fast, compiled or turbo (the model's own habits)")
    parser.add_argument("--safety-checker", action="store_true", help="hide pictures that it takes for unsafe")
    parser.add_argument("--seed", type=int, default=0, help="which static it starts from (0)")
    parser.add_argument("--steps", type=int, help="how many steps, 1 to 1000 (the model's own choice)")
    parser.add_argument("--guidance-scale", type=float, help="how strongly the prompt pulls (the model's own choice)")
    parser.add_argument("--negative-prompt", default="", help="what it shall keep away from")
    parser.add_argument("--sampler", help="how it steps, such as ddim, dpmpp_2m, heun (the model's own choice)")
    parser.add_argument("--out", type=Path, default=Path("picture.png"), help="the file to write (picture.png)")
    parser.add_argument("--player", type=Path, metavar="steps.html", help="every step, as a page to scrub")
    parser.add_argument("--ask", nargs="?", const="Press when you know what it will be", default="",
                        metavar="QUESTION", help="the player begins as a riddle: it asks, and hides the prompt")
    parser.add_argument("--record", type=Path, metavar="run.safetensors", help="the run, to be replayed anywhere")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(args: Namespace) -> None:
    """Draw, then write the picture and, where asked for, the player."""
    if args.ask and not args.player:
        raise LabError("--ask came, a riddle, without the player that asks it; add --player riddle.html")
    with contextlib.ExitStack() as files:
        part = files.enter_context(new_file(args.out, PICTURES, args.force))
        page = args.player and files.enter_context(new_file(args.player, (".html",), args.force))
        tape = args.record and files.enter_context(new_file(args.record, (".safetensors",), args.force))
        model = open_model(args.model, args.device, args.preset, args.safety_checker)
        made = draw(model, args)
        picture = model.picture(made.x0)[0]
        picture.resize(_shown(picture.size), 0).save(part)
        if page:
            from diffusion_lab import Player

            Player(made, ask=args.ask).save(page)
        if tape:
            _save_recording(made, model, tape)
    if black := _why_black(model, made, picture):
        print(black)
    print(f"{args.out}: {shortened(args.prompt)} drawn by {_drawer(model)} in {made.recipe.n} steps, seed {args.seed}")
    if tape:
        print(f"{args.record}: a recording of the run; Player(Trajectory.load(...)) replays it")
    if page:
        print(f"{args.player}: the {len(made)} steps of it; open it in a browser")


def open_model(name: str, device: str | None = None, preset: str | None = None, safety_checker: bool = False):
    """The model in a folder, of a name in ROLES, or of an address on the hub; in this order.

    What only a Stable Diffusion can be told, a toy refuses.
    """
    if find_model(name).kind == "toy":
        asked = {"--device": device, "--preset": preset, "--safety-checker": safety_checker}
        if told := [option for option, value in asked.items() if value]:
            raise LabError(f"{' and '.join(told)} came, which only a Stable Diffusion has; {name} is a toy; leave it "
                           "out")  # fmt: skip
        from diffusion_lab.toy import Toy

        return Toy.load(name)
    from diffusion_lab.stable_diffusion import StableDiffusion

    model = StableDiffusion.load(name, device=device, safety_checker=safety_checker)
    if preset:
        print(f"{preset} changes {model.use(preset)}")
    return model


def draw(model, args: Namespace):
    """Walk the whole path, with a progress bar on a terminal; return it as a Trajectory."""
    from tqdm import tqdm

    from diffusion_lab import Trajectory

    asked = {"n": args.steps, "guidance_scale": args.guidance_scale, "sampler": args.sampler}
    chosen = {name: value for name, value in asked.items() if value is not None}
    steps = model.steps(args.prompt, negative_prompt=args.negative_prompt, seed=args.seed, **chosen)
    made = [step for step in tqdm(steps, total=steps.recipe.n, desc="drawing", leave=False, disable=None)]
    return Trajectory(made, steps.recipe, steps.to_rgb, decode=getattr(steps, "decode", None))


def _drawer(model) -> str:
    """The model's name and, for a Stable Diffusion, the device it ran on."""
    if not hasattr(model, "pipeline"):
        return model.name
    from diffusion_lab.stable_diffusion.recording import machine

    return f"{model.name} on {machine(model)}"


def _why_black(model, made, picture) -> str:
    black = picture.getextrema() == ((0, 0),) * 3
    return model.why_black(made.x0) if black and hasattr(model, "why_black") else ""


def _save_recording(made, model, path: Path) -> None:
    from diffusion_lab.stable_diffusion import save_recording

    if not hasattr(model, "pipeline"):
        made.save(path)
    else:
        save_recording(made, model, path)


def _shown(size: tuple[int, int]) -> tuple[int, int]:
    scale = max(1, ENLARGED // max(size))
    return size[0] * scale, size[1] * scale
