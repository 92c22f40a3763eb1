"""What is inside the real one, and can your own loop drive it?"""

import math
from collections.abc import Sequence
from textwrap import wrap

import torch
from torch import Tensor

from ...figures import PALETTE, Figure, axes
from ...guidance import Guess
from ...noising import noise
from ...recipe import as_whole
from ...sampling import Predict, ddim_step, predicted_x0
from ...schedules import Schedule, scaled_linear
from ...trajectory import Trajectory
from ..checks.exercises import Code, Slip, Value


def draw(predict: Predict, schedule: Schedule, x: Tensor, timesteps: Sequence[int]) -> Tensor:
    """The whole way from static x (B, ...) to the clean sample, in DDIM steps: the x0 that `denoise` yields last."""
    for t, alpha_bar, alpha_bar_next in schedule.times(timesteps):
        eps = predict(x, t).eps
        x = ddim_step(x, eps, alpha_bar, alpha_bar_next)
    return x


BOXES = {"1 tokenizer": ("pull", 20, 32, 15), "2 text encoder": ("pull", 50, 32, 13), "3 U-Net": ("guess", 18, 7, 12),
         "4 scheduler": ("reference", 40, 7, 15), "5 VAE": ("signal", 73, 7, 9)}  # its colour, left, bottom, width
ARROWS = ((16.5, 37, 19.5, 37), (35.5, 37, 39.5, 37), (46, 37, 49.5, 37), (63.5, 37, 67, 37), (24, 24, 24, 17.5),
          (12.5, 12, 17.5, 12), (30.5, 13.5, 39.5, 13.5), (39.5, 10.5, 30.5, 10.5), (55.5, 12, 59, 12),
          (70.5, 12, 72.5, 12), (82.5, 12, 84.5, 12))  # from x, y to x, y


def pipe_drawing(sd, path: Trajectory) -> Figure:
    """The five parts in their order and what flows between them: the prompt, static and picture of a drawn `path`."""
    from matplotlib.patches import Rectangle

    figure, panel = axes(8, 3.55)
    panel.set(xlim=(0, 96), ylim=(0, 47))
    panel.set_axis_off()
    for words, (role, x, y, width) in BOXES.items():
        panel.add_patch(Rectangle((x, y), width, 10, facecolor=f"{PALETTE[role]}33", edgecolor=PALETTE[role],
                                  linewidth=2))
        panel.text(x + width / 2, y + 5, words.replace("text ", "text\n"), ha="center", va="center", fontsize=13)
    for *tail, x, y in ARROWS:
        panel.annotate("", (x, y), tail, arrowprops={"arrowstyle": "-|>", "color": "#444", "lw": 2, "shrinkA": 0})
    panel.plot([84, 84, 24], [30, 24, 24], color="#444", linewidth=2)
    _flow(panel, sd, path)
    return Figure(figure, "A pipe in two rows. Above, the prompt goes into the tokenizer, its tokens go into the text "
                  "encoder, and rows of numbers come out. Below, static and these rows go into the U-Net; its guess "
                  "goes to the scheduler and the next latent comes back, again and again; the last latent goes into "
                  "the VAE, and a picture comes out.",
                  f"Each part works once, but for the U-Net and the scheduler: they take turns, {path.recipe.n} times.")


def _flow(panel, sd, path: Trajectory) -> None:
    """What flows through the pipe, between its parts."""
    (prompt,), latents = path.recipe.prompt, torch.cat([path[0].x_t, path.x0])             # (2, C, h, w)
    static, latent = (latents.movedim(1, -1) @ sd.to_rgb[:-1] + sd.to_rgb[-1]).clamp(-1, 1) / 2 + 0.5
    rows, (picture,) = sd.condition([prompt])[0].float().cpu(), sd.picture(path.x0)
    for image, x, y, width, height in ((static, 0, 6, 12, 12), (latent, 59, 6, 11, 12), (picture, 85, 6, 11, 12),
                                       (rows, 68, 31, 28, 13)):
        panel.imshow(image, extent=(x, x + width, y, y + height), aspect="auto", cmap="PuOr", interpolation="nearest")
    panel.set(xlim=(0, 96), ylim=(0, 47))
    ids = sd.pipeline.tokenizer(prompt).input_ids
    for x, y, words in ((8, 37, "\n".join(wrap(prompt, 15))), (42.8, 37, "\n".join([*map(str, ids[:3]), "…"])),
                        (8, 28, "prompt"), (42.8, 28, "tokens"), (78, 28, "rows"), (35, 15.5, "guess"), (35, 8, "step"),
                        (6, 3, "static"), (35, 3, f"{path.recipe.n} times"), (64.5, 3, "latent"), (90.5, 3, "picture")):
        panel.text(x, y, words, ha="center", va="center", fontsize=13)


def _guess(x: Tensor, t: int) -> Guess:
    """A stand-in for a guided network: its guess depends on all values and on t, and no network takes another t."""
    t = as_whole(t, "t", "take one from timesteps(n)", 0, 999)
    return Guess(torch.tanh(0.9 * x + 0.2 * x.roll(1, -1)) * (0.6 + 0.4 * math.cos(t / 250)))


def _cases() -> list[tuple]:
    schedule = scaled_linear()
    return [(_guess, schedule, noise((4, 8, 8), [71, 72]), schedule.timesteps(n)) for n in (5, 8)]


def _loop(label=lambda t, k, ts: t, levels=lambda s, ts: s.times(ts), step=ddim_step):
    """A loop with one of its parts exchanged: how slips are made."""
    def loop(predict, schedule, x, timesteps):
        for k, (t, a, b) in enumerate(levels(schedule, timesteps)):
            x = step(x, predict(x, label(t, k, timesteps)).eps, a, b)
        return x

    return loop


def _rising(schedule, timesteps):
    rising = sorted(timesteps)
    return [(t, schedule.alpha_bar(t), schedule.alpha_bar(later)) for t, later in zip(rising, rising[1:], strict=False)]


def _one_back(schedule, timesteps):
    return [(t, schedule.alpha_bar(t), schedule.alpha_bar(t - 1) if t else 1.0) for t in timesteps]


def _guessed_once(predict, schedule, x, timesteps):
    eps = predict(x, timesteps[0]).eps
    for _, a, b in schedule.times(timesteps):
        x = ddim_step(x, eps, a, b)
    return x


def _never_moved(predict, schedule, x, timesteps):
    result = x
    for t, a, b in schedule.times(timesteps):
        result = ddim_step(x, predict(x, t).eps, a, b)
    return result


TOKENS = Value(
    truth=9,
    right="Seven words, and one token each for the start and the end. What is left of the row is filled up.",
    wrong={
        7: "Seven is the number of words. Look at the first and the last number of the row: do they belong to a word?",
        8: "One of the two is missing: a token stands before the words, and another one behind them.",
        24: "24 places is what a row has room for here; most of them are only filled up. Count up to the end token.",
        77: "77 places is what a row of the full-size model has room for; count what this prompt needs of them.",
    },
    hints=(
        "Call the tokenizer on the prompt and look at the row of numbers.",
        "Turn the numbers back into words, one by one, with `pipe.tokenizer.convert_ids_to_tokens`.",
        "Count the words, then count what the tokenizer puts around them.",
    ),
    solution="9: a start token, seven words, an end token.",
)

def _by_hand(predict, schedule, x, timesteps):
    bars = [schedule.alpha_bar(t) for t in timesteps] + [schedule.final]
    for i, t in enumerate(timesteps):
        eps = predict(x, t).eps
        x0 = (x - math.sqrt(1 - bars[i]) * eps) / math.sqrt(bars[i])
        x = math.sqrt(bars[i + 1]) * x0 + math.sqrt(1 - bars[i + 1]) * eps
    return x


def _recursively(predict, schedule, x, timesteps):
    if not timesteps:
        return x
    a = schedule.alpha_bar(timesteps[0])
    b = schedule.alpha_bar(timesteps[1]) if len(timesteps) > 1 else 1.0
    scale = math.sqrt(b / a)
    eps = predict(x, timesteps[0]).eps
    return _recursively(predict, schedule, x * scale + (math.sqrt(1 - b) - scale * math.sqrt(1 - a)) * eps,
                        timesteps[1:])


LOOP = Code(
    call="draw(predict, schedule, x, timesteps)",
    reference=draw,
    source=(draw,),
    also_right=(_by_hand, _recursively),
    cases=_cases,
    right="Your loop is the pipeline: give it `guided(sd, prompt)` and it draws the same picture as Stable Diffusion's "
          "own.",
    hints=(
        "It is lesson 04's loop. For each timestep: ask for the noise, then take one step. What does the step need to "
        "know about here and next?",
        "`schedule.times(timesteps)` gives you t, alpha_bar and alpha_bar_next for each step, the last one included.",
        "One `for` with two lines in it: eps from `predict(x, t).eps`, and x from `ddim_step(x, eps, ...)`. Return x.",
    ),
    slips=(
        Slip("timesteps ascending", "The loop walks towards more noise: look at the order of the timesteps.",
             _loop(levels=_rising)),
        Slip("the model is told the step's number", "predict gets 0, 1, 2, ... where it expects a timestep such as "
             "999: look at what the loop counts.", _loop(label=lambda t, k, ts: k)),
        Slip("the model is told the next time", "predict is asked about the level where the step will end, but x is "
             "not there yet: look at which t it gets.",
             _loop(label=lambda t, k, ts: ts[min(k + 1, len(ts) - 1)])),
        Slip("stopped one step too early", "The last step, to a picture without noise, is missing: look at the end of "
             "the loop.", _loop(levels=lambda s, ts: s.times(ts)[:-1])),
        Slip("one step of a thousand at a time", "Each step ends at t - 1, but the next one begins much further down: "
             "look at where alpha_bar_next comes from.", _loop(levels=_one_back)),
        Slip("guessed only once", "The noise is guessed before the loop and never again: look at where predict is "
             "called.", _guessed_once),
        Slip("x is never moved", "Every step starts from the same static: look at what is assigned in the loop.",
             _never_moved),
        Slip("jumps to the end at every step", "x becomes the guess itself, without noise, and the model is then asked "
             "about noise that is gone: look at the step.",
             _loop(step=lambda x, e, a, b: predicted_x0(x, e, a))),
        Slip("the two levels changed places", "The step is told that it comes from the next level: look at the order "
             "of its last two arguments.",
             _loop(step=lambda x, e, a, b: ddim_step(x, e, min(b, 0.9999), a))),
        Slip("scaled for another sampler", "x is multiplied before the loop, as Euler samplers in sigma space want it: "
             "here static has size 1.",
             lambda predict, schedule, x, ts: draw(predict, schedule, x / schedule.alpha_bar(ts[0]) ** 0.5, ts)),
    ),
)

SWAP = Value(
    truth="b",
    right="The static is the same, the model is the same, and nothing shakes: so the picture is the same one. The "
          "better solver ends closer to it, in twenty steps half as far off.",
    wrong={
        "a": "The static comes from the seed, not from the scheduler. Draw with both and look at the composition.",
        "c": "The number of calls is the same, but the way between two calls is not: look at how far each of them is "
             "from the picture of fifty steps.",
        "d": "The model only guesses noise. Which step follows from the guess is decided outside of it.",
    },
    hints=(
        "Ask for each part of the pipe whether it changes: the seed, the prompt, the network, the step.",
        "Draw with both, `path = watch(sd.steps(prompt, n=20, seed=0, sampler=\"ddim\"))`, and again with "
        "`\"dpmpp_2m\"`: is it another astronaut, or the same one?",
        "Only the step between two guesses is exchanged. In twenty steps, the better one comes nearer.",
    ),
    solution="b: the same picture, closer to what many steps would give.",
)

EXERCISES = {"tokens": TOKENS, "loop": LOOP, "swap": SWAP}
