"""Five conclusions from the race of lesson 10, each over six of its runs; four of them are wrong, each in its own way.

They are meant to be met as pictures; whoever reads this file reads the answers.
"""

from collections.abc import Sequence

from ...figures import Slider, strip
from ...recipes.gans import GAMES, Run, steps_of
from .heaps_race import Cell, cells, label, of_one_size, tile

FAULTS = {  # each fault in words
    "one number alone": "what is compared can be high for a bad cloud, too",
    "one seed": "it rests on luck: the other seeds say otherwise",
    "only one side tuned": "the best width and rate of one side, a bad one of the other",
    "sound": "nothing is wrong: both are tuned, all seeds agree, heaps and share agree",
    "steps taken for time": "who makes fewer steps has not had less time",
}
CLAIMS = {1: "only one side tuned", 2: "one number alone", 3: "sound", 4: "one seed", 5: "steps taken for time"}


def claimed(runs: Sequence[Run]) -> dict[int, tuple[str, Cell, Cell]]:
    """For each claim what it says, and the two cells that it compares."""
    every = cells(runs)
    sides = {name: [cell for cell in every if cell.name == name] for name in {cell.name: 0 for cell in every}}
    gans, others = ([name for name in sides if (name in GAMES) == gan] for gan in (True, False))
    best_gan = max((sides[name][-1] for name in gans), key=lambda cell: cell.rank)
    best = max((sides[name][-1] for name in others), key=lambda cell: cell.rank)
    worst = min((sides[name][0] for name in others), key=lambda cell: cell.rank)
    lost = max((cell for name in gans for cell in sides[name] if max(cell.modes) < 13), key=lambda cell: cell.near)
    nearer = "better" if lost.near > best.near else "as good"
    lucky, other, seed = _lucky(every)
    each = {
        "only one side tuned": (f"{best_gan.name} finds up to {max(best_gan.modes)} heaps, {worst.name} at most "
                                f"{max(worst.modes)}: {best_gan.name} is better.", best_gan, worst),
        "one number alone": (f"{lost.name} puts {100 * lost.near:.0f} % of its points near a heap, {best.name} "
                             f"{100 * best.near:.0f} %: {lost.name} is {nearer}.", lost, best),
        "sound": (f"Each at its best width and rate, the worst seed of {best.name} finds {min(best.modes)} heaps, the "
                  f"best of {best_gan.name} {max(best_gan.modes)}: in this time {best.name} is better.",
                  best, best_gan),
        "one seed": (f"With seed {seed}, {lucky.name} finds {lucky.modes[seed]} heaps and {other.name} "
                     f"{other.modes[seed]}: at this width and rate {lucky.name} is better.", lucky, other),
        "steps taken for time": (f"{best.name} made {steps_of(best.name, best.width):,} steps, {best_gan.name} only "
                                 f"{steps_of(best_gan.name, best_gan.width):,}: of course {best.name} is better, it "
                                 "had more time.", best, best_gan),
    }  # fmt: skip
    return {number: each[fault] for number, fault in CLAIMS.items()}


def _lucky(every: Sequence[Cell]) -> tuple[Cell, Cell, int]:
    """Two cells of one width and rate, and the one seed with which the first finds more heaps, by as many as possible;
    with the others the second does, or both are equal."""
    pairs = [(a, b, seed) for a in every for b in every if a.name != b.name and (a.width, a.rate) == (b.width, b.rate)
             for seed in range(len(a.runs)) if a.modes[seed] > b.modes[seed]
             and all(a.modes[k] < b.modes[k] for k in range(len(a.runs)) if k != seed)]
    return max(pairs, key=lambda pair: pair[0].modes[pair[2]] - pair[1].modes[pair[2]])


def shown(runs: Sequence[Run]) -> Slider:
    """The two cells of each claim, three seeds each, under a slider."""
    pages, said = [], []
    for number, (says, *pair) in claimed(runs).items():
        three = [strip([tile(run.points, 180) for run in cell.runs], "Three clouds.", size=180,
                       labels=[f"{label(run.found)}, {run.found.divergence:.1f}" for run in cell.runs])
                 for cell in pair]
        trios = of_one_size(three)
        pages.append(strip(trios, "Six clouds.", size=trios[0].height,
                           labels=[f"{cell.name}, width {cell.width}, rate {cell.rate:g}" for cell in pair]))
        said.append(f"{number}. {says}")
    pages = of_one_size(pages)
    return Slider(pages, said, title="A claim and its six runs", height=pages[0].height,
                  alt="For each of five claims six clouds over 25 heaps, three seeds of one side and three of another. "
                  f"{' '.join(said)}",
                  caption="Three seeds of each side. Below each cloud heaps found, share near, and the divergence; "
                  "below all three their side, width and rate.")
