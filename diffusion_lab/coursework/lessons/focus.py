"""The pictures of lesson 07: squares to scale, heat over a picture, a word in focus with where it acts; and the work
of a step, counted."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from ...evaluation.masks import by_chance, overlap, pointed
from ...figures import PALETTE, WORDS, Figure, as_image, axes, write
from ...stable_diffusion.attention import difference, finest, looking, without

WIDE = 960
PANEL = 224  # pixels of a picture in a sheet


def mosaic(sd, x: Tensor) -> Image.Image:
    """A latent (C, h, w) as colours, one square for each place: the model's linear preview."""
    colours = (x.movedim(0, -1) @ sd.to_rgb[:-1] + sd.to_rgb[-1]).clamp(-1, 1)    # (h, w, 3)
    return as_image(colours.movedim(-1, 0))


def row(pictures: Sequence, labels: Sequence[str], size: int = 256, gap: int = 40) -> Image.Image:
    """Pictures side by side, each with words under it; small ones keep hard edges."""
    sheet = Image.new("RGB", (len(pictures) * (size + gap) - gap, size + 38), "white")
    for k, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        sheet.paste(_large(as_image(picture), size), (k * (size + gap), 0))
        write(sheet, label, k * (size + gap) + size / 2, size + 6)
    return sheet


def _large(image: Image.Image, size: int) -> Image.Image:
    how = Image.Resampling.NEAREST if image.width < 64 else Image.Resampling.LANCZOS
    return image.resize((size, size), how)


def work(sd, side: int) -> float:
    """How many multiplications one guess of the U-Net takes for a sample of side x side places; nothing is computed."""
    from torch.utils.flop_counter import FlopCounterMode

    unet = copy.deepcopy(sd.pipeline.unet).to("meta")  # shapes without numbers
    x = torch.empty(1, unet.config.in_channels, side, side, device="meta")
    rows = torch.empty(1, 24, unet.config.cross_attention_dim, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(x, 500, encoder_hidden_states=rows)
    return counter.get_total_flops() / 2  # it counts a product and its sum as two


def squares(pairs: Sequence[tuple[str, float, str, float, str]]) -> Figure:
    """Pairs of squares to scale, the small one on the ground beside the large one.

    Each pair is (title, the large number, its words, the small number, its words): areas are as the numbers are.
    """
    sheet = Image.new("RGB", (WIDE, 384), "white")
    draw, told = ImageDraw.Draw(sheet), []
    for k, (title, large, words, small, other) in enumerate(pairs):
        left, ground, side = 20 + 490 * k, 296, 256
        tiny = side * (small / large) ** 0.5
        draw.rectangle([left, ground - side, left + side, ground], fill=PALETTE["signal"])
        draw.rectangle([left + side + 70, ground - tiny, left + side + 70 + tiny, ground], fill=PALETTE["noise"])
        write(sheet, title, left + side / 2, 4)
        write(sheet, words, left + side / 2, ground + 8, WORDS["signal"])
        write(sheet, other, left + side + 70 + tiny / 2, ground + 8, WORDS["noise"])
        write(sheet, f"{large / small:.0f} to 1", left + side + 70 + tiny / 2, ground + 44, "#222222")
        told.append(f"{title} {large / small:.0f} to 1")
    said = ", ".join(told)
    return Figure(sheet, "Two pairs of squares, a large one for pixels and a small one for latents, their areas to "
                  f"scale: {said}.", f"Areas to scale: {said}.")


def glow(picture, heat: Tensor, size: int = PANEL) -> Image.Image:
    """A map of heat (h, w) over a picture in grey: black where it is least, over violet and red to yellow."""
    from matplotlib import colormaps

    grey = np.asarray(_large(as_image(picture), size).convert("L"), dtype=np.float32)[..., None] / 255
    wide = F.interpolate(heat[None, None].float(), (size, size), mode="bicubic")[0, 0]
    wide = ((wide - wide.min()) / (wide.max() - wide.min() + 1e-12)).clamp(0, 1).numpy()[..., None]
    mixed = 0.6 * grey * (1 - wide**0.7) + colormaps["inferno"](wide[..., 0])[..., :3] * wide**0.7
    return Image.fromarray((255 * mixed).clip(0, 255).astype(np.uint8))


def masked(picture, true: Tensor | None, size: int = PANEL) -> Image.Image:
    """A mask (H, W) in one colour with a dark edge, over the picture, pale; without a mask all is pale."""
    image = _large(as_image(picture), size)
    pale = Image.blend(image.convert("L").convert("RGB"), Image.new("RGB", image.size, "white"), 0.6)
    if true is None:
        return pale
    where = Image.fromarray((255 * true.numpy()).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    pale.paste("#222222", mask=where.filter(ImageFilter.MaxFilter(5)))
    pale.paste(PALETTE["signal"], mask=where)
    return pale


def unanswered(size: int) -> Image.Image:
    """The place of what is not drawn yet, with a question mark."""
    sheet = Image.new("RGB", (size, size), "#eeeeee")
    write(sheet, "?", size / 2, size / 2 - 60, PALETTE["reference"], 96)
    return sheet


def focused(words: Sequence[str], k: int, panels: Sequence[Image.Image], labels: Sequence[tuple[str, str]]
            ) -> Image.Image:
    """A prompt with its word number k in focus, and pictures under it, each with two lines of words."""
    from ...figures.strips import _font

    sheet = Image.new("RGB", (WIDE, PANEL + 128), "white")
    draw, font, gap = ImageDraw.Draw(sheet), _font(26), 22
    lengths = [font.getlength(word) for word in words]
    x = (WIDE - sum(lengths) - gap * (len(words) - 1)) / 2
    for j, (word, length) in enumerate(zip(words, lengths, strict=True)):
        if j == k:
            draw.rounded_rectangle([x - 8, 2, x + length + 8, 40], 8, fill=WORDS["pull"])
        write(sheet, word, x + length / 2, 6, "white" if j == k else "#555555", 26)
        x += length + gap
    room = (WIDE - PANEL * len(panels)) / (len(panels) - 1)
    for j, (panel, lines) in enumerate(zip(panels, labels, strict=True)):
        left = round(j * (PANEL + room))
        sheet.paste(panel, (left, 56))
        for i, line in enumerate(lines):
            write(sheet, line, left + PANEL / 2, PANEL + 62 + 30 * i, size=22)
    return sheet


def acting(sd, prompt: str, noisy: Mapping[int, Tensor], image: np.ndarray, true: Mapping[str, Tensor]
           ) -> tuple[list[str], list[Image.Image], str]:
    """Where each word of a prompt acts in a scene made noisy, {t: x_t}, a sheet for each: attention, difference, and
    the true mask (H, W) of what it names, and the share of all attention that the word gets. Returns the words, with
    the start token and what stands after the prompt, the sheets, and what the words with a mask came to."""
    words, sheets, told = ["(start)", *prompt.split(), "(after)"], [], []
    with looking(sd) as looks:                                   # listens, and changes nothing
        for t, x_t in noisy.items():
            sd.predict_noise(x_t, t, sd.condition([prompt]))
    heat = finest(looks)[0]                                      # (h, w, tokens)
    for k, word in enumerate(words):
        found = [heat[..., k] if k < len(words) - 1 else heat[..., k:].sum(dim=-1)]
        if 0 < k < len(words) - 1:
            less = [without(prompt, word)]
            found.append(torch.stack([difference(sd, x_t, t, [prompt], less)[0] for t, x_t in noisy.items()]).mean(0))
        lines = _read(found, true.get(word))
        pictures = [glow(image, one) for one in found] + [masked(image, None)] * (2 - len(found))
        pictures = [_large(as_image(image), PANEL), *pictures, masked(image, true.get(word))]
        sheets.append(focused(words, k, pictures, [("the scene", ""), *lines]))
        told += [f"{word}: " + ", ".join(map(" ".join, lines))] * (word in true)
    return words, sheets, "; ".join(told)


def _read(found: Sequence[Tensor], true: Tensor | None) -> list[tuple[str, str]]:
    """Two lines of words for attention, difference and true mask."""
    lines = []
    share = 100 * float(found[0].mean())
    names = f"attention: {f'{share:.0f}' if share >= 1 else 'under 1'} %", "difference"
    for name, one in zip(names, found, strict=False):
        if true is None:
            lines.append((name, ""))
            continue
        large = F.interpolate(one[None, None], true.shape, mode="bicubic")[0, 0]
        at = "on" if pointed(large, true) else "beside"
        lines.append((name, f"{at} it, overlap {100 * overlap(large, true):.0f} %"))
    lines += [("difference", "cannot be left out")] * (2 - len(lines))
    chance = "it names no thing" if true is None else f"by chance {100 * by_chance(true)[1]:.0f} %"
    return [*lines, ("true mask", chance)]


def ruled(pictures: Sequence, again: Sequence, course: Sequence[float], mine: Sequence[float] | None) -> tuple:
    """Pictures, what came back of them, and under each two bars of decibels, the course's and the learner's, with a
    question mark while there are none; returns what a Figure is made of."""
    figure, panel = axes(9.6, 3.9)
    for k, (one, two) in enumerate(zip(pictures, again, strict=True)):
        for picture, y in ((one, 76), (two, 30)):
            panel.imshow(np.asarray(as_image(picture)), extent=(k - 0.36, k + 0.36, y, y + 44), aspect="auto")
        _decibel_bar(panel, k - 0.19, course[k], "#bbbbbb")
        if mine is None:
            panel.text(k + 0.19, 4, "?", ha="center", color=PALETTE["reference"], fontsize=24)
        else:
            _decibel_bar(panel, k + 0.19, mine[k], PALETTE["guess"], edged=abs(mine[k] - course[k]) >= 0.005)
    panel.axhline(0, color="#666666", linewidth=1)
    panel.set(xlim=(-0.5, len(pictures) - 0.5), ylim=(-8, 121), xticks=[], yticks=[])
    panel.spines[["left", "bottom"]].set_visible(False)
    told = ", ".join(f"{value:.0f}" for value in course)
    off = 0 if mine is None else max(abs(a - b) for a, b in zip(mine, course, strict=True))
    yours = ("yours are missing" if mine is None else
             f"green yours, edged where they differ: largest difference {off:.2f} dB")
    return (figure, "Five pictures, under each what the VAE gave back of it, and two bars of decibels, the course's "
            f"and yours: {told} by the course's ruler; {yours}. Scenes are hardly changed, photographs are mush.",
            f"Grey the course's ruler, {yours}. Decibels: {told}.")


def _decibel_bar(panel, x: float, value: float, colour: str, edged: bool = False) -> None:
    """A bar from -9 to 42 with its number, and an arrow where it would go on."""
    number = float(np.nan_to_num(value, nan=-9, posinf=99, neginf=-99))
    shown = 0.55 * min(max(number, -9), 42)
    panel.bar(x, shown, 0.34, facecolor=colour, edgecolor=PALETTE["noise"] if edged else colour, linewidth=4 * edged)
    beyond = " ↑" if number > 42 else " ↓" if number < -9 else ""
    panel.text(x, max(shown, 0) + 1, f"{value:.1f}{beyond}", ha="center", color="#222222")


def scoreboard(record: dict) -> Figure:
    """How often each kind of map points at the thing and how much of it it covers, of stored counts."""
    kinds = {"chance": "#bbbbbb", "one for all": "#777777", "difference": PALETTE["pull"],
             "attention": PALETTE["guess"]}  # fmt: skip
    figure, panels = axes(9.6, 2.9, columns=2, sharey=True)
    parts = list(record["maps"])
    for number, (panel, title) in enumerate(zip(panels, ("hottest point is on it", "overlap"), strict=True)):
        for j, (kind, colour) in enumerate(kinds.items()):
            values = [100 * record["maps"][part][kind][number] for part in parts]
            at = np.arange(len(parts)) + 0.21 * (j - 1.5)
            panel.bar(at, values, 0.19, color=colour, hatch="//" if kind == "difference" else None, edgecolor="white")
            for x, value in zip(at, values, strict=True):
                panel.text(x, value + 1, f"{value:.0f}", ha="center", fontsize=10)
        panel.set(title=title, xticks=range(len(parts)), ylim=(0, 108), yticks=[])
        panel.set_xticklabels(parts)
        panel.spines["left"].set_visible(False)
    handles = [panels[0].containers[j] for j in range(len(kinds))]
    figure.legend(handles, list(kinds), loc="outside lower center", ncols=4, frameon=False)
    told = "; ".join(f"{part}: " + ", ".join(f"{kind} {100 * record['maps'][part][kind][0]:.0f} and "
                                             f"{100 * record['maps'][part][kind][1]:.0f}" for kind in kinds)
                     for part in parts)
    short = ", ".join(f"{part} " + " and ".join(f"{100 * record['maps'][part][kind][1]:.0f}"
                                                for kind in ("attention", "chance")) for part in parts)
    blind, seen = (100 * record["maps"]["place"][kind][0] for kind in ("one for all", "attention"))
    return Figure(figure, f"Bars in percent for three parts of {record['n']} scenes, how often the hottest point is on "
                  f"the part and how much of it is covered. {told}.",
                  f"Counted in {record['n']} scenes. Overlap by attention, and by chance, in percent: {short}. "
                  f"At the place the blind map points better: {blind:.0f} to {seen:.0f}.")


