"""Change a part of a picture and keep the rest: how does a path from static keep what is there?"""

import torch
from torch import Tensor

from ...editing import blend, masked_step
from ...errors import LabError
from ...mixing import add_noise, predicted_eps
from ...noising import noise
from ...sampling import ddim_step
from ...trajectory import Step, Trajectory, arrived
from ..checks.exercises import Code, Diagnoses, Slip, Value


def seam_at(pixels: Tensor, column: int) -> float:
    """How much a joint shows: the mean absolute step, in grey levels, from the column before to this one; pixels are
    (H, W, 3)."""
    return float((pixels[:, column] - pixels[:, column - 1]).abs().mean())


# --- the masked step -------------------------------------------------------------------------------------------------

def _masked_cases() -> list[tuple]:
    proposal, known, eps = noise((4, 6, 6), [91, 92]), noise((4, 6, 6), [93, 94]), noise((4, 6, 6), [95, 96])
    mask = torch.zeros(1, 1, 6, 6)
    mask[..., 2:5, 3:] = 1
    mask[..., 1, 3:] = 0.25
    return [(proposal, known, mask, eps, a) for a in (0.3, 0.8, 0.55)]


def _by_lerp(proposal, known, mask, eps, alpha_bar_next):
    kept = alpha_bar_next**0.5 * known + (1 - alpha_bar_next) ** 0.5 * eps
    return torch.lerp(kept, proposal, mask.expand_as(kept))


def _by_difference(proposal, known, mask, eps, a):
    kept = add_noise(known, a, eps)
    return kept + mask * (proposal - kept)


def _with(kept=lambda known, eps, a: a**0.5 * known + (1 - a) ** 0.5 * eps,
          joined=lambda proposal, kept, mask: mask * proposal + (1 - mask) * kept):
    """A masked step with one of its parts exchanged: how slips are made."""
    return lambda proposal, known, mask, eps, a: joined(proposal, kept(known, eps, a), mask)


MASKED = Code(
    call="masked_step(proposal, known, mask, eps, alpha_bar_next)",
    reference=masked_step,
    source=(masked_step, blend, add_noise),
    also_right=(_by_lerp, _by_difference),
    letters={"M": "mask", "m": "mask", "x0": "known", "x_0": "known", "epsilon": "eps", "x_s": "proposal"},
    cases=_masked_cases,
    right="What is kept is always as noisy as what is drawn beside it, so the network sees one picture; and in the "
          "last step, where nothing but picture is left, it is clean.",
    hints=(
        "Two parts. What would the known picture look like at the noise that is left after this step? And which of "
        "the two, that or the proposal, is seen at each place?",
        "Noise the known picture with lesson 01's line, with `eps` and `alpha_bar_next`. Then mix: the mask is the "
        "share of the proposal.",
        "Two lines: kept = root of alpha_bar_next times known, plus root of (1 - alpha_bar_next) times eps; then mask "
        "times proposal plus (1 - mask) times kept.",
    ),
    slips=(
        Slip("the mask inside out", "What should be kept is drawn anew, and what should be new is kept: look at what "
             "the mask multiplies.", _with(joined=lambda p, k, m: m * k + (1 - m) * p)),
        Slip("clean too early", "The known picture is put back without any noise, beside a proposal that still has "
             "some: the network has never seen such a patchwork. Look at what `eps` is for.",
             _with(kept=lambda known, eps, a: known)),
        Slip("no square roots", "The known picture gets too little picture and too little noise: look at lesson 01's "
             "line and its roots.", _with(kept=lambda known, eps, a: a * known + (1 - a) * eps)),
        Slip("static is put back", "Beside the mask there is nothing but noise: where is the known picture?",
             _with(kept=lambda known, eps, a: eps)),
        Slip("noise at full strength", "The noise on the known picture never grows less: look at what shrinks it.",
             _with(kept=lambda known, eps, a: a**0.5 * known + eps)),
        Slip("the picture is not shrunk", "The known picture gets noise, but keeps all of itself, too: look at its "
             "own factor.", _with(kept=lambda known, eps, a: known + (1 - a) ** 0.5 * eps)),
        Slip("nothing is put back", "The proposal comes back as it was: where does the mask come in?",
             _with(joined=lambda p, k, m: p + 0 * k)),
        Slip("everything is put back", "The known picture comes back everywhere: where does the proposal come in?",
             _with(joined=lambda p, k, m: k + 0 * p)),
        Slip("a hole beside the mask", "Under the mask all is well, beside it there is nothing: look for a second "
             "part.", _with(joined=lambda p, k, m: m * p + 0 * k)),
        Slip("a hole under the mask", "Beside the mask all is well, under it there is nothing: where is the proposal?",
             _with(joined=lambda p, k, m: (1 - m) * k + 0 * p)),
        Slip("both under the mask", "Under the mask the proposal and the known picture are added up: look at the share "
             "of what is kept.", _with(joined=lambda p, k, m: m * p + k)),
        Slip("both beside the mask", "Beside the mask the proposal and the known picture are added up: look at the "
             "share of the proposal.", _with(joined=lambda p, k, m: p + (1 - m) * k)),
        Slip("half of each", "Every place gets half of both, whatever the mask says: look at where it comes in.",
             _with(joined=lambda p, k, m: (p + k) / 2)),
        Slip("new wherever there is some mask", "At its border the mask is between 0 and 1, and there both parts are "
             "mixed: multiply by it, do not ask whether it is above 0.",
             _with(joined=lambda p, k, m: torch.where(m > 0, p, k))),
        Slip("new only where all is mask", "At its border the mask is between 0 and 1, and there both parts are mixed: "
             "multiply by it, do not ask whether it is 1.",
             _with(joined=lambda p, k, m: torch.where(m == 1, p, k))),
        Slip("the proposal is noised, too", "The proposal has its noise already; you give it some more: noise the "
             "known picture alone, and mix then.",
             lambda p, known, m, eps, a: add_noise(m * p + (1 - m) * known, a, eps)),
        Slip("noised on the wrong side", "You noise the proposal, which has its noise already, and put the known "
             "picture back without any: which of the two is clean?",
             lambda p, known, m, eps, a: m * add_noise(p, a, eps) + (1 - m) * known),
        Slip("noise under the mask as well", "The noise comes in everywhere; it belongs to what is kept, and to the "
             "share of it: look at your brackets.",
             lambda p, known, m, eps, a: m * p + (1 - m) * a**0.5 * known + (1 - a) ** 0.5 * eps),
        Slip("rows times columns", "`@` multiplies rows with columns; place by place it is `*`.",
             _with(joined=lambda p, k, m: m @ p + (1 - m) * k)),
    ),
)


# --- the seam --------------------------------------------------------------------------------------------------------

def _seam_cases() -> list[tuple]:
    return [(128 + 40 * noise((3, 9 + k, 12), [97 + k])[0].movedim(0, -1), column)
            for k, column in enumerate((4, 7, 5))]


SEAM = Code(
    call="seam_at(pixels, column)",
    reference=seam_at,
    source=(seam_at,),
    also_right=(lambda pixels, column: torch.mean(torch.abs(pixels[:, column - 1, :] - pixels[:, column, :])),
                lambda pixels, column: pixels[:, column - 1 : column + 1].diff(dim=1).abs().mean()),
    cases=_seam_cases,
    right="A border that nobody sees makes no larger step than its neighbours do.",
    hints=(
        "A column of the picture is `pixels[:, column]`. Which column stands just left of it?",
        "Take the difference of the two columns. Some differences are above 0, some below: none may cancel another.",
        "The difference, then `.abs()`, then `.mean()` over all that is left.",
    ),
    slips=(
        Slip("steps cancel each other", "Steps up and steps down are added up and vanish: look at the signs before the "
             "mean.", lambda p, c: (p[:, c] - p[:, c - 1]).mean()),
        Slip("the sign goes too late", "You average first and take the sign away afterwards: by then up and down have "
             "cancelled.", lambda p, c: (p[:, c] - p[:, c - 1]).mean().abs()),
        Slip("squares, not steps", "A step of two counts as four: look at how the sign is taken away.",
             lambda p, c: (p[:, c] - p[:, c - 1]).square().mean()),
        Slip("a root of a mean of squares", "Large steps count for more than they should: take the plain size of each "
             "step.", lambda p, c: (p[:, c] - p[:, c - 1]).square().mean().sqrt()),
        Slip("a sum for a mean", "A higher picture would have a larger seam: look at how the steps are put together.",
             lambda p, c: (p[:, c] - p[:, c - 1]).abs().sum()),
        Slip("the colours added up", "A pixel counts its three colours three times: take the mean over them, too.",
             lambda p, c: (p[:, c] - p[:, c - 1]).abs().sum(-1).mean()),
        Slip("a median for a mean", "The step in the middle is not their mean: a few large ones must count, too.",
             lambda p, c: (p[:, c] - p[:, c - 1]).abs().median()),
        Slip("the whole picture", "You measure the steps between all columns: only the one before `column` is asked "
             "for.", lambda p, c: p.diff(dim=1).abs().mean()),
        Slip("shares, not grey levels", "You divide by 255: the pixels are grey levels, and the step stays in them.",
             lambda p, c: (p[:, c] - p[:, c - 1]).abs().mean() / 255),
        Slip("the largest step alone", "One pixel decides for all: look at how the steps are put together.",
             lambda p, c: (p[:, c] - p[:, c - 1]).abs().max()),
        Slip("rows for columns", "You compare two rows: the first place in the square brackets counts rows, the second "
             "one columns.", lambda p, c: (p[c] - p[c - 1]).abs().mean()),
        Slip("one column too far right", "You look at the step behind the column, the joint is before it: look at the "
             "two numbers in your brackets.", lambda p, c: (p[:, c + 1] - p[:, c]).abs().mean()),
        Slip("two columns apart", "Between your two columns lies a third: neighbours are wanted.",
             lambda p, c: (p[:, c + 1] - p[:, c - 1]).abs().mean()),
        Slip("one column too far left", "You look at the joint before this one: look at the two numbers in your "
             "brackets.", lambda p, c: (p[:, c - 1] - p[:, c - 2]).abs().mean()),
        Slip("the joints on both sides", "The step behind the column is in it as well: only the one before it is asked "
             "for.", lambda p, c: (p[:, c - 1 : c + 2].diff(dim=1)).abs().mean()),
        Slip("the rows added up", "Each row has its mean, and then you add them up: a higher picture would have a "
             "larger seam.", lambda p, c: (p[:, c] - p[:, c - 1]).abs().mean(-1).sum()),
        Slip("how much they vary", "You take the spread of the steps, not their size: take the mean of them.",
             lambda p, c: (p[:, c] - p[:, c - 1]).std()),
        Slip("a length for a mean", "The root of all squares added up grows with the picture: take the mean of the "
             "plain steps.", lambda p, c: (p[:, c] - p[:, c - 1]).norm()),
        Slip("the colours mixed first", "You average the three colours first, and there a step up in one and down in "
             "another cancel: take the steps first.",
             lambda p, c: (p.mean(-1)[:, c] - p.mean(-1)[:, c - 1]).abs().mean()),
        Slip("green alone", "Only the second colour is compared: leave the third place in the brackets out.",
             lambda p, c: (p[:, c, 1] - p[:, c - 1, 1]).abs().mean()),
        Slip("bytes run over", "Bytes know no number below 0: 3 - 5 is 254 there. Subtract the numbers as they came.",
             lambda p, c: (p[:, c].floor() - p[:, c - 1].floor()).remainder(256).mean()),
        Slip("red alone", "Only the first colour is compared: leave the third place in the brackets out.",
             lambda p, c: (p[:, c, 0] - p[:, c - 1, 0]).abs().mean()),
    ),
)

ORDER = Value(
    truth="b",
    right="The figure is small and its shapes are decided late, so a weak edit is enough; the place fills the whole "
          "picture, and its large shapes are decided early. The pose comes last of all: from above 0.8.",
    wrong={
        "a": "Look at the bars on the next slide: most riders are new, hardly a place is. What is large is "
             "decided early on the path, before a weak edit boards.",
        "c": "Then both bars on the next slide would be alike. Are they?",
        "d": "A new prompt pulls at every step that is left: look at the bars on the next slide.",
    },
    hints=(
        "Early steps decide what is large, late steps what is small. Where does a weak edit board?",
        "A weak edit walks only the last steps. What is still open there: the whole ground, or a figure?",
        "Lesson 04: first the place, then the figure, then its buttons. A weak edit has only the end of that.",
    ),
    solution="b: the subject, the smaller of the two.",
)

STRENGTH = Value(
    truth="both",
    right="All subjects and nearly all places are new, and the poses are still those of the pictures: no stronger than "
          "is needed.",
    wrong={
        "too weak": "Some subjects are still half the old ones. Board earlier: let the path take more steps.",
        "places stay": "The subjects are new, but too many old places are still there: board a little earlier.",
        "too strong": "All is new, but that is hardly an edit any more: most of the path lies before the picture, and "
                      "little is left of it. How late can you board?",
    },
    hints=(
        "0.2, above, leaves most of the places old, and at 0.8 little of a picture is left: yours lies between.",
        "At 0.3 all subjects are new. The places come later.",
        "Try 0.7, then 0.1 less, as long as enough places are new.",
    ),
    solution="0.6: 8 subjects and 8 places. 0.5 has 8 and 6.",
)


def verdict(subjects: int, places: int, strength: float, n: int = 8) -> str:
    """What becomes of n scenes redrawn at a strength: a word of the exercise "09.strength"."""
    if subjects < n:
        return "too weak"
    if places < n - 1:
        return "places stay"
    return "both" if strength <= 0.7 else "too strong"


# --- four masks, two of them sick ------------------------------------------------------------------------------------

PATIENTS = {1: "too noisy", 2: "healthy", 3: "forgotten", 4: "inside out"}


def masked(patient: int, predict, schedule, known: Tensor, mask: Tensor, eps: Tensor, n: int) -> Tensor:
    """The latent that one of the four draws in n steps."""
    if patient not in PATIENTS:
        raise LabError(f"a patient from 1 to {len(PATIENTS)} was expected; {patient!r} came")
    illness, x = PATIENTS[patient], eps
    mask = 1 - mask if illness == "inside out" else mask
    times = schedule.times(schedule.timesteps(n))
    for k, (t, a, b) in enumerate(times):
        x = ddim_step(x, predict(x, t).eps, a, b)
        if illness == "forgotten" and k > 1:
            continue
        left = a if illness == "too noisy" else 1.0 if k + 1 == len(times) else b
        x = masked_step(x, known, mask, eps, left)
    return x


FOUR = Diagnoses(
    truth=PATIENTS,
    signs={
        "healthy": "A new rider, and beside it hardly a difference: what the VAE changes, and no more.",
        "inside out": "The old rider is still there; what differs lies around it, in the sun, the trees and the "
                      "mountains.",
        "forgotten": "The new rider is there, but mountains and trees have moved as well: nothing held them.",
        "too noisy": "The new rider is there, the mountains stand where they stood, and over all that was kept lies a "
                     "fine dirt of noise.",
    },
    right="All four are found. Whoever looks only at the rider sees one: what is kept must be looked at, too.",
    hints=(
        "First find the one that has no new rider at all.",
        "Now the differences, beside the rider: in one of the three others whole shapes have moved.",
        "Of the two that are left, one has blotches in the snow and in the sky.",
    ),
)

EXERCISES = {"order": ORDER, "strength": STRENGTH, "masked": MASKED, "patients": FOUR, "seam": SEAM}


# --- what the lesson shows -------------------------------------------------------------------------------------------

def put_back(path: Trajectory, known: Tensor, mask: Tensor) -> tuple[Trajectory, Trajectory]:
    """An inpainting's path twice: as the network guesses it, the whole picture at every step, and with the known
    picture (1, ...) put back in every guess, beside the mask."""
    free, pasted = [], []
    for step in path.steps[:-1]:
        eps = predicted_eps(step.x_t, blend(step.x0, known.expand_as(step.x0), mask), step.alpha_bar)
        free.append(Step(step.x_t, step.eps, step.alpha_bar, step.t))
        pasted.append(Step(step.x_t, eps, step.alpha_bar, step.t))
    last = path.steps[-1]
    return tuple(Trajectory([*steps, arrived(end)], path.recipe, path.to_rgb, decode=path.decode)
                 for steps, end in ((free, last.extras["proposal"]), (pasted, last.x_t)))


def _masked_values() -> dict[str, Tensor | float]:
    proposal, known, eps = (noise((2, 3, 3), [k]).double() for k in (81, 82, 83))
    mask = torch.linspace(0, 1, 9).view(1, 1, 3, 3).double()
    return {"x_s": masked_step(proposal, known, mask, eps, 0.64), "M": mask, r"\hat x_s": proposal, "x_0": known,
            r"\epsilon": eps, r"\bar\alpha_s": 0.64}


FORMULAS = {"masked_step": _masked_values}

SYMBOLS = {
    "M": (r"(?<![\\\w])M(?!\w)", r"mask"),
    "x_s hat": (r"\\hat x_s", r"proposal"),
}
