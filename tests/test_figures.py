"""Figures carry words, keep pixels square, and say the same thing every time."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_lab.coursework.lessons import paper
from diffusion_lab.errors import LabError
from diffusion_lab.figures import (
    PALETTE,
    WORDS,
    Figure,
    Line,
    Slider,
    as_image,
    axes,
    bars,
    clouds,
    fields,
    histograms,
    lines,
    schedule_curves,
    shares,
    strip,
)
from diffusion_lab.figures import figure as drawing
from diffusion_lab.schedules import cosine, linear, scaled_linear, straight

RED = np.full((4, 4, 3), [200, 0, 0], np.uint8)


def test_a_figure_has_alt_text_and_escapes_it():
    html = Figure(Image.new("RGB", (4, 4)), 'a "black" square <b>', "5 < 6")._repr_html_()
    assert 'alt="a &quot;black&quot; square &lt;b&gt;"' in html and "5 &lt; 6" in html and "<b>" not in html
    with pytest.raises(LabError, match="alt text was expected"):
        Figure(Image.new("RGB", (4, 4)), "  ")


def test_the_same_figure_is_the_same_text():
    def draw():
        figure, panel = axes()
        panel.plot([0, 1], color=PALETTE["signal"])
        return Figure(figure, "a rising line")._repr_html_()

    assert draw() == draw()


def test_a_strip_enlarges_with_hard_edges_in_rows():
    rows = strip([RED, RED * 0, RED * 0, RED], "squares", rows=2, size=40).image
    pixels = np.asarray(rows)
    assert rows.size == (88, 88) and set(map(tuple, pixels[:40, :40].reshape(-1, 3))) == {(200, 0, 0)}
    assert tuple(pixels[20, 60]) == (0, 0, 0) and tuple(pixels[60, 60]) == (200, 0, 0)
    assert tuple(pixels[20, 44]) == (255, 255, 255)  # a white gap


def test_pictures_of_every_kind_are_one_picture():
    sample = torch.tensor(RED).permute(2, 0, 1) / 127.5 - 1
    for kind in (RED, Image.fromarray(RED), sample, sample.numpy()):
        assert np.array_equal(np.asarray(as_image(kind)), RED)
    assert np.asarray(as_image(torch.full((3, 2, 2), torch.nan))).max() == 128  # NaN is middle grey
    assert as_image(torch.zeros(3, 2, 2, requires_grad=True)).size == (2, 2)
    with pytest.raises(LabError, match="take one picture out of its batch"):
        as_image(np.zeros((2, 3, 4, 4)))


@pytest.mark.parametrize("mode, value, seen", [("RGBA", (0, 0, 0, 0), 255), ("LA", (0, 0), 255), ("I;16", 2048, 128),
                                               ("F", 0.5, 128), ("CMYK", (0, 0, 0, 0), 255)])
def test_a_figure_takes_pictures_in_by_the_one_door(mode, value, seen):
    """On white and in the right depth, as a picture of a strip and as one of its own."""
    picture = Image.new(mode, (2, 1), value)
    if mode == "I;16":
        picture.putpixel((1, 0), 4095)
    for shown in (as_image(picture), Figure(picture, "a picture").image, strip([picture], "a strip", size=1).image):
        assert np.asarray(shown)[0, 0].tolist() == [seen] * 3


SIZES = [RED, RED[:3]]


@pytest.mark.parametrize("call", [
    lambda: strip(SIZES, "two"), lambda: strip([RED] * 3, "three", labels=["a", "b"]), lambda: strip([], "none"),
    lambda: strip([RED], "one", rows=0), lambda: strip([RED], "one", labels=[5]), lambda: strip([RED], None),
    lambda: strip([torch.zeros(3, 2, 2, device="meta")], "meta"), lambda: as_image("cat.png"), lambda: as_image(None),
    lambda: Slider(SIZES, ["a", "b"], "two", title="x"), lambda: Slider([], [], "none", title="x"),
    lambda: Slider([RED], ["a"], "one", title="x", start=1), lambda: Slider([RED], ["\ud800"], "one", title="x"),
    lambda: Slider([RED], ["a"], "one", title="\ud800"), lambda: Figure(Image.new("RGB", (2, 2)), "\ud800"),
    lambda: Figure(Image.new("RGB", (2, 2)), "a", 5), lambda: Figure(5, "five"),
    *(lambda size=size: Figure(Image.new("L", size), "nothing") for size in ((0, 5), (5, 0))),
    *(lambda width=width: Figure(Image.new("RGB", (2, 2)), "a", width=width)
      for width in ('1px;"><script>', float("nan"), 0, -1, 2.5)),
    lambda: strip(None, "none"), lambda: strip(Image.new("RGB", (2, 2)), "one"), lambda: strip("cat.png", "one"),
    lambda: strip([RED], "one", labels=None), lambda: strip([RED], "one", labels="x"),
    lambda: Slider([RED], None, "one", title="x"), lambda: Slider([RED], ["a"], "one", title="x", height="9px"),
    lambda: shares(RED, RED, [RED] * 2, [float("nan"), 0.5]), lambda: shares(RED, RED, [RED] * 2, [1.0]),
    lambda: shares(RED, RED, [], []), lambda: shares(RED, RED, [RED], [2.0]), lambda: schedule_curves("sine"),
    lambda: lines({}, "no lines", across="t"), lambda: lines({"": [Line("a", [0], ["x"], "noise")]}, "a", across="t"),
    lambda: lines({"": [Line("a", [0], [1], "red")]}, "a line", across="t"), lambda: clouds({"a": [1, 2]}, "a cloud"),
    lambda: bars({}, "no bars", across="error"), lambda: fields({"a": [1, 2], "b": [1]}, "two rows"),
    lambda: histograms({"a": [[1.0]]}, "a heap", roles=["noise"], reach=1), lambda: clouds([[0, 1]], "a cloud"),
    lambda: histograms({"a": [1], "b": [1], "c": [1]}, "heaps", roles=["noise", "signal"], reach=1),
    lambda: clouds({"a": [[1, 2]]}, "a cloud", roles=()), lambda: clouds({"a": [[1, 2]]}, "a cloud", rows=0),
    lambda: schedule_curves(cosine), lambda: schedule_curves(), lambda: schedule_curves(*[cosine()] * 5),
])  # fmt: skip
def test_what_no_figure_can_show_is_one_sentence(call):
    with pytest.raises(LabError, match="came;") as told:
        call()
    assert "\n" not in str(told.value)


def test_bars_are_as_long_as_their_weights():
    sheet = np.asarray(shares(RED, RED, [RED] * 4, [0.7, 0.2, 0.1, 0.0]))
    green = (sheet == [0, 158, 115]).all(axis=2)
    x = [470, 470 + 82, 470, 470 + 82]
    lengths = [green[:148, x[0]].sum(), green[:148, x[1]].sum(), green[148:, x[2]].sum(), green[148:, x[3]].sum()]
    whole = 116 - 80
    assert np.allclose(lengths, [0.7 * whole, 0.2 * whole, 0.1 * whole, 0], atol=1.5)


def test_a_slider_holds_all_pictures_and_escapes_its_words():
    slider = Slider([RED, RED * 0], ["</script>", "black"], "two squares", title="colour")
    html = slider._repr_html_()
    assert html.count("</script>") == 2 and "two squares" in html and html == slider._repr_html_()
    setting = json.loads(re.search(r'<script type="application/json">(\{.*?\})</script>', html).group(1))
    assert setting["labels"] == ["</script>", "black"] and len(set(setting["frames"])) == 2
    with pytest.raises(LabError, match="one label for each of 2 pictures"):
        Slider([RED, RED], ["only one"], "squares", title="colour")


def inner(html: str) -> Image.Image:
    """The first picture of a piece of HTML."""
    return Image.open(io.BytesIO(base64.b64decode(re.search(r'src="data:image/\w+;base64,([^"]+)"', html)[1])))


def test_a_figure_is_as_wide_as_told_and_has_a_caption_where_there_is_one():
    bare, told = Figure(Image.fromarray(RED), "a square"), Figure(Image.fromarray(RED), "a square", "Red.", width=300)
    assert re.findall(r"width:\d+px", bare._repr_html_()) == [] and "figcaption" not in bare._repr_html_()
    assert "width:300px;max-width:100%" in told._repr_html_() and ">Red.</figcaption>" in told._repr_html_()
    assert repr(told) == "<Figure: a square>" and (told.alt, told.caption, told.width) == ("a square", "Red.", 300)
    assert told._repr_html_().startswith("<figure ") and told._repr_html_().endswith("</figure>")


def test_a_picture_is_stored_bit_for_bit_but_for_much_static():
    static = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    large, small = (Figure(Image.fromarray(p), "static")._repr_html_() for p in (static, static[:64]))
    assert "data:image/webp;base64," in large and len(large) < 60_000 and inner(large).size == (160, 160)
    assert "data:image/webp;base64," in small and np.array_equal(inner(small), static[:64])
    wide = np.tile(static[:2], (1, 103, 1))
    assert np.array_equal(inner(Figure(Image.fromarray(wide), "too wide for a WebP")._repr_html_()), wide)


def test_a_drawing_has_one_and_a_half_pixels_for_each_css_pixel():
    from matplotlib import pyplot

    open_before = pyplot.get_fignums()
    figure, panel = axes(4, 2)
    panel.plot([0, 1], [0, 1], color=PALETTE["signal"])
    image = Figure(figure, "a rising line").image
    assert image.size == (576, 288) and image.mode == "P" and len(image.getcolors()) <= 128
    pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (np.abs(pixels - [0, 0x72, 0xB2]).max(axis=2) < 40).sum() > 300
    figure, panels = axes(6, 3, columns=2, sharey=True)
    assert panels.shape == (2,) and figure.get_size_inches().tolist() == [6, 3]
    assert not panels[0].spines["top"].get_visible() and not panels[1].spines["right"].get_visible()
    assert len(panels[0].get_xticks()) <= 7 and panels[0].get_ylim() == panels[1].get_ylim()
    Figure(figure, "two plots")
    assert pyplot.get_fignums() == open_before


def written(picture: Image.Image, x: float, y: float) -> bool:
    """Whether something is written about here: x in the middle, y above."""
    return bool((np.asarray(picture)[round(y) : round(y) + 18, round(x) - 12 : round(x) + 12] < 100).any())


def test_letters_that_would_be_too_small_on_a_phone_scroll():
    wide, narrow = (strip([RED] * n, "squares", "Red.", labels=["red"] * n, size=96)._repr_html_() for n in (9, 3))
    assert 'tabindex="0"' in wide and "overflow-x:auto" in wide
    assert f"min-width:{round((9 * 104 - 8) * 11 / 24)}px" in wide  # letters of 24 pixels are then of 11
    bare = strip([RED] * 9, "squares", size=96)._repr_html_()
    assert not any(said in html for html in (narrow, bare) for said in ("tabindex", "min-width", "overflow"))


def letters(figure) -> list[str]:
    return re.findall(r"--letters:([\d.]+)", figure._repr_html_())


def test_a_figure_says_how_large_its_smallest_letters_are():
    """In CSS pixels, those of a matplotlib figure never under 24 of its own; a picture without letters says nothing."""
    assert letters(strip([RED], "a square")) == letters(Figure(Image.fromarray(RED), "a square")) == []
    short, longer = (strip([RED] * 2, "squares", labels=[word] * 2, size=40) for word in ("M", "a longer label"))
    assert (letters(short), letters(longer)) == (["24"], ["18"])
    assert letters(Figure(short.image, "half as wide", width=44)) == ["12"]
    figure, panel = axes(4, 3)
    panel.set(xlim=(0, 1), ylim=(0, 1))
    small = panel.text(0.5, 0.5, "small", fontsize=5)
    assert letters(Figure(figure, "words")) == ["24"] and small.get_fontsize() == 12
    figure, panel = axes(4, 3)
    panel.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    panel.text(0.5, 0.5, "large", fontsize=20)
    assert letters(Figure(figure, "words")) == ["40"]
    slider = Slider([short.image] * 2, ["one", "two"], "squares", title="Which", height=short.image.height // 2)
    assert '"letters":12' in slider._repr_html_().replace(" ", "")


def test_labels_stand_under_their_pictures():
    column = strip([RED] * 4, "squares", labels=["M", "W"], rows=2, size=40).image
    each = strip([RED] * 4, "squares", labels=["M", "W", "A", "V"], rows=2, size=40).image
    assert column.size == (88, 40 + 8 + 40 + 36) and each.size == (88, 2 * 76 + 8)
    assert [written(column, x, 88 + 4) for x in (20, 68)] == [True, True]
    assert (np.asarray(column)[40:48] == 255).all()
    assert [written(each, x, y) for y in (44, 128) for x in (20, 68)] == [True] * 4
    different = [np.asarray(each)[y : y + 24, x : x + 40] for y in (44, 128) for x in (0, 48)]
    assert not any(np.array_equal(a, b) for i, a in enumerate(different) for b in different[:i])
    three = strip([RED] * 3, "squares", "Three.", size=10)
    assert three.image.size == (3 * 8 + 2 * 8, 8) and (three.width, three.caption) == (40, "Three.")
    assert strip([RED] * 3, "squares", rows=2, size=1).image.size == (16, 16)
    with pytest.raises(LabError, match="at least one picture was expected"):
        strip([], "nothing")


def test_no_label_is_cut_off_or_touches_the_next():
    """Narrow columns get smaller letters, then lines; a word that is wider still moves the pictures apart."""
    black = np.zeros((4, 4, 3), np.uint8)
    for label, rows in (("t = 100: 95 %", 1), ("DPM++ 2M SDE: 0.65", 2), ("unbreakableness", 1)):
        size = 188 if rows == 1 and " " in label else 120
        made_of = strip([black] * 3, "black", labels=[label] * 3, size=size)
        below = np.asarray(made_of.image)[size:] < 128
        width = (made_of.image.width - 2 * 8) // 3  # of a column
        for k in range(3):
            inked = np.flatnonzero(below[:, k * (width + 8) :][:, :width].any(axis=(0, 2)))
            assert 0 < inked[0] and inked[-1] < width - 1, label
        assert not below[:, width : width + 8].any() and not below[:, -width - 8 : -width].any(), label
        assert len(below) == rows * 22 + 8 or rows == 1, label
        assert 18 <= float(letters(made_of)[0]) <= 24


def test_one_channel_is_grey():
    assert np.asarray(as_image(torch.zeros(1, 2, 2)))[0, 0].tolist() == [128, 128, 128]


def test_shares_show_what_it_sees_what_it_guesses_and_each_weight():
    blue, green, black = ([[c]] * np.ones((4, 4, 1), int) for c in ([0, 0, 250], [0, 250, 0], [0, 0, 0]))
    data = [np.full((4, 4, 3), [10 * k, 0, 99], np.uint8) for k in range(3)]
    sheet = shares(blue.astype(np.uint8), green.astype(np.uint8), data, [0.75, 0.25, 0])
    pixels = np.asarray(sheet)
    assert sheet.size == (960, 290) and tuple(pixels[5, 5]) == (255, 255, 255)
    assert (pixels[16:224, :208] == [0, 0, 250]).all() and (pixels[16:224, 232:440] == [0, 250, 0]).all()
    for k, (x, y) in enumerate([(464, 0), (546, 0), (464, 148)]):
        assert (pixels[y : y + 72, x : x + 72] == [10 * k, 0, 99]).all()
        bar = (pixels[y + 76 : y + 113, x : x + 76] < 255).any(axis=2)
        assert bar[:, :72].all() and not bar[:, 72:].any() and (pixels[y + 76, x, 0] == 0xF0)
        assert written(sheet, x + 36, y + 114)
    grey = WORDS["reference"], WORDS["guess"]
    for x, colour in zip((104, 336), grey, strict=True):
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels[232:252, x - 40 : x + 40].astype(int) - wanted).max(axis=2) < 12).any()
    with pytest.raises(ValueError):
        shares(RED, RED, data, [0.5, 0.5])


def test_the_curves_of_schedules_say_where_half_is_lost():
    """cosine's middle is where cos^2 is one half; linear's is told by its own table."""
    figure = schedule_curves(cosine(), linear(), straight(), scaled_linear())
    half, last = (min(range(1000), key=lambda t: abs(one.alpha_bar(t) - 0.5)) for one in (linear(), scaled_linear()))
    crossed = (f"the cosine schedule at timestep 495, the linear schedule at timestep {half}, the straight schedule at "
               f"timestep 499, the scaled linear schedule at timestep {last}")
    assert figure.caption == f"Half picture, half noise: {crossed}."
    assert figure.alt.endswith(f"they cross one half: {crossed}.")
    pixels = np.asarray(figure.image.convert("RGB")).astype(int)
    for role in ("signal", "guess", "pull", "noise"):
        wanted = [int(PALETTE[role][i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels - wanted).max(axis=2) < 30).sum() > 200


def test_the_curves_are_drawn_as_they_are_told(monkeypatch):
    """The drawing itself: each curve, its mark where half is lost, and the words beside it, the first's on its left."""
    drawn = []
    monkeypatch.setattr(drawing, "_drawn", lambda figure: drawn.append(figure) or Image.new("RGB", (1, 1)))
    schedule_curves(cosine(), linear())
    (panel,) = drawn[0].axes
    curve, mark, other, _, reference = panel.lines
    for line, schedule in ((curve, cosine()), (other, linear())):
        assert np.array_equal(line.get_ydata(), schedule.alpha_bars)
    assert (list(mark.get_xdata()), list(mark.get_ydata()), mark.get_marker(), mark.get_markersize()) == (
        [495], [0.5], "o", 9)  # fmt: skip
    assert [(line.get_color(), line.get_linestyle()) for line in (curve, other, reference)] == [
        (PALETTE["signal"], "-"), (PALETTE["guess"], "--"), (PALETTE["reference"], ":")]  # fmt: skip
    assert list(reference.get_ydata()) == [0.5, 0.5] and reference.get_linewidth() == 1
    first, second = panel.texts
    assert first.get_text() == "cosine:\n50 : 50 at t = 495" and first.xy == (495, 0.5)
    placed = [(t.xyann, t.get_ha(), t.get_va(), t.get_color(), t.anncoords) for t in (first, second)]
    assert placed == [((-12, -12), "right", "top", WORDS["signal"], "offset points"),
                      ((12, 8), "left", "bottom", WORDS["guess"], "offset points")]  # fmt: skip
    assert (panel.get_xlabel(), panel.get_ylabel(), panel.get_xlim()[0], panel.get_ylim()) == (
        "timestep t", "share of picture", 0, (0, 1.02))  # fmt: skip
    assert list(panel.get_yticks()) == [0, 0.5, 1]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["0 %", "50 %", "100 %"]


def test_a_label_of_a_row_stands_over_its_left_end():
    grey = np.full((6, 16, 16, 3), 128, np.uint8)
    sheet = np.asarray(strip(list(grey), "grey", labels=["one", "two"], rows=2, size=32).image.convert("RGB"))
    rows = np.flatnonzero((sheet == 128).all(axis=(1, 2)) | (sheet[:, 0] == 128).all(axis=1))
    top, second = rows[0], rows[32]
    assert top > 12 and second - top == 32 + 8 + top  # a label's height over each row, none below the last one
    assert rows[-1] == sheet.shape[0] - 1 and sheet.shape[1] == 3 * 32 + 2 * 8
    for y in (top, second):
        dark = np.flatnonzero((sheet[y - top : y] < 100).any(axis=(0, 2)))
        assert 0 <= dark[0] <= 3 and dark[-1] < 60


def test_a_slider_of_many_shows_five_where_scripts_are_stripped():
    pictures = [np.full((4, 4, 3), k, np.uint8) for k in range(0, 90, 10)]
    slider = Slider(pictures, [f"at {k}" for k in range(9)], "a square", "It brightens.", title="how bright", start=4,
                    height=99)  # fmt: skip
    assert repr(slider) == "<Slider: how bright, 9 pictures>"
    still = np.asarray(slider.still.image)
    beside = still.shape[1] // 2  # words are wider than their picture, and none is cut off
    assert still.shape[0] == 5 * (4 + 52) + 4 * 8 and (still[8:30] < 100).any()
    assert (slider.still.alt, slider.still.caption) == ("a square", "It brightens.")
    assert [int(still[k * 64, beside, 0]) for k in range(5)] == [0, 20, 40, 60, 80]
    setting = json.loads(re.search(r"json\">(\{.*?\})</script>", slider._repr_html_())[1])
    assert (setting["title"], setting["start"], setting["height"]) == ("how bright", 4, 99)
    assert len(setting["frames"]) == 9 and setting["labels"][8] == "at 8"
    resting = json.loads(re.search(r"json\">(\{.*?\})</script>", Slider(
        pictures, [""] * 9, "a square", title="how bright")._repr_html_())[1])  # fmt: skip
    assert (resting["start"], resting["height"]) == (0, 256)


# --- plots by name -----------------------------------------------------------------------------------------------


def where(figure: Figure, colour: str) -> np.ndarray:
    """The places (y, x) of a figure that have about a colour."""
    wanted = [int(colour[k:k + 2], 16) for k in (1, 3, 5)]
    return np.argwhere(np.abs(np.asarray(figure.image.convert("RGB")).astype(int) - wanted).max(axis=2) < 12)


def test_a_bar_is_as_long_as_its_number_and_the_best_has_the_colour_of_a_guess():
    drawn = bars({"a": 1.0, "b": 3.0}, "two bars", across="error", best="a")
    guess, other = (where(drawn, PALETTE[role]) for role in ("guess", "reference"))
    bottom, middle = int(np.median(guess[:, 0])), drawn.image.height // 4  # the first one lies at the bottom
    short, long = (guess[:, 0] == bottom).sum(), (other[:, 0] == middle).sum()
    assert long / short == pytest.approx(3, abs=0.05)


def test_a_line_has_the_colour_of_its_role_and_rises_where_its_numbers_do():
    falls = Line("falls", torch.tensor([0, 1]), torch.tensor([1.0, 0.0]), "noise")
    drawn = lines({"": [Line("", [0, 1], [0, 1], "signal"), falls]}, "two", across="t")
    for role, sign in (("signal", -1), ("noise", 1)):
        y, x = where(drawn, PALETTE[role]).T
        left = x < 400
        assert np.sign(np.corrcoef(x[left], y[left])[0, 1]) == sign, role


def test_points_beyond_a_plot_lie_on_its_edge_and_stairs_are_level():
    inside, beyond = (where(clouds({"": [point]}, "a point", reach=(1, 1)), PALETTE["guess"]) for point in
                      ((0.98, 0.0), (50.0, 0.0)))
    assert len(inside) and np.array_equal(inside, beyond)
    y, x = where(lines({"": [Line("", [0, 1], [0, 1], "guess", "stairs")]}, "a stair", across="t"), PALETTE["guess"]).T
    assert len(set(y[(x > 300) & (x < 500)])) < 8  # a level step, no slope


def test_fields_are_violet_above_zero_and_orange_below():
    pixels = np.asarray(fields([("a", [1.0, -1.0]), ("a", [1.0, -1.0])], "two rows").image.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    (red, _, blue), (other_red, _, other_blue) = pixels[height // 4, width // 3], pixels[height // 4, width * 5 // 6]
    assert blue > red and other_red > other_blue


def test_a_histogram_is_highest_where_most_numbers_lie():
    drawn = histograms({"left": [-1.0] * 50 + [1.0], "right": [1.0] * 50}, "two heaps", roles=("signal", "noise"),
                       reach=2)
    left, right = (where(drawn, PALETTE[role])[:, 1].mean() / drawn.image.width for role in ("signal", "noise"))
    assert left < 0.2 and right > 0.75


def test_plots_are_drawn_as_they_are_told(monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "_drawn", lambda figure: drawn.append(figure) or Image.new("RGB", (1, 1)))
    bars({"a": torch.tensor(1.234, requires_grad=True)}, "a bar", across="error")
    lines({"": [Line("", [0, 1], [0, 1], "signal")]}, "a line", across="t", reach=((5, 1), (None, 3)))
    a, b = torch.tensor([2.0, 1.0]), torch.tensor([-1.0, 1.0])
    paper.one_guess(torch.zeros(2), a, (a, b), (0.75, 0.25), 0.5)
    bar, line, sheet = (figure.axes[0] for figure in drawn)
    assert [text.get_text() for text in bar.texts] == [" 1.23"]
    assert line.get_xlim() == (5, 1) and line.get_ylim()[1] == 3
    widths = [one.get_linewidth() for one in sheet.lines if one.get_color() == PALETTE["pull"]]
    assert widths == [14 * 0.75, 14 * 0.25]


@pytest.mark.parametrize("name", ["$x^$", r"$\frac{1$", r"\$", "_m", "a" * 10_000, 5])
def test_a_name_is_drawn_letter_by_letter(monkeypatch, name):
    from matplotlib import pyplot

    drawn, said = [], str(name) if len(str(name)) < 60 else "a" * 59 + "…"
    monkeypatch.setattr(drawing, "_drawn", lambda figure: drawn.append(figure) or Image.new("RGB", (1, 1)))
    lines({name: [Line(name, [0, 1], [0, 1], "signal")]}, "a", across="t")
    clouds({name: [[0, 0]]}, "a"), histograms({name: [1]}, "a", roles=["guess"], reach=2)
    bars({name: 1}, "a", across="t"), fields({name: [1, 2]}, "a")
    line, cloud, heap, bar, field = (figure.axes[0] for figure in drawn)
    for figure in drawn:
        pyplot.close(figure)
    names = [line.title, *line.get_legend().texts, cloud.title, heap.title, *bar.get_yticklabels(),
             *field.get_yticklabels()]
    shown = [one._preprocess_math(one.get_text()) for one in names]
    assert [(text.lstrip("\u200b"), math) for text, math in shown] == [(said, False)] * 6


@pytest.mark.parametrize("call", [
    *(lambda panels=panels: lines(panels, "a", across="t") for panels in (
        {"": [(1, 2)]}, {"": 5}, {"": Line("a", [1], [1], "guess")}, {"": [Line("a", [1], [1], "guess", "zz")]},
        {"": [Line("a", [1], [1], "guess", "")]}, {"": [Line("a", [1], [1], ["guess"])]})),
    lambda: lines({"": [Line("a", [1], [1], "guess")]}, "a", across="t", reach=5),
    *(lambda how=how: clouds({"a": [[1, 2]]}, "a", **how) for how in (
        {"reach": (0, 1)}, {"reach": 1.5}, {"roles": None}, {"roles": "guess"}, {"under": [1, 2]})),
    *(lambda reach=reach: histograms({"a": [1]}, "a", roles=("guess",), reach=reach) for reach in ("x", -1, 0)),
    *(lambda number=number: bars({"a": number}, "a", across="t") for number in ("x", [1, 2], None)),
    *(lambda rows=rows: fields(rows, "a") for rows in (5, [], [1, 2], {"a": 5}, {"a": []}, {"a": None},
                                                       [("a", [1, 2]), ("b", [1])])),
])  # fmt: skip
def test_what_cannot_be_plotted_is_told_in_one_sentence(call):
    with pytest.raises(LabError, match=" came; ") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_no_title_is_cut_off_where_a_plot_is_in_proportion():
    figure, panels = axes(9.6, 3.2, columns=2)
    for panel in panels:
        panel.set(xlim=(-2.4, 2.4), ylim=(-1.1, 1.9), xticks=[], yticks=[], aspect="equal", title="Title")
    ink = np.asarray(Figure(figure, "two empty plots").image.convert("L")) < 200
    assert not ink[:3].any() and ink[:20].any()
