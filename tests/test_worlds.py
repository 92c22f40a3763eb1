"""The small worlds: the same seed draws the same things, held-out pairs stay out, foreign pictures end well."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diffusion_lab import pixels, worlds
from diffusion_lab.errors import LabError
from diffusion_lab.worlds import heaps, icons, photos, points

FOUND = sorted(path.stem for path in Path(worlds.__file__).parent.glob("[a-z]*.py"))
SMALL = [name for name in FOUND if name != "scenes"]  # which has tests of its own


def test_every_world_is_offered_by_its_name():
    stub = Path(worlds.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^from . import (\w+) as \1$", stub, re.M)) == FOUND


@pytest.mark.parametrize("name", SMALL)
def test_same_seed_same_samples_and_none_depends_on_the_batch(name):
    world = getattr(worlds, name)
    samples, captions, labels = world.sample(9, 3)
    again, few = world.sample(9, 3), world.sample(4, 3)
    np.testing.assert_array_equal(samples, again[0])
    np.testing.assert_array_equal(samples[:4], few[0])
    assert captions[:4] == few[1]
    assert all(list(labels[key][:4]) == list(few[2][key]) for key in labels)
    assert not np.array_equal(samples, world.sample(9, 4)[0])


@pytest.mark.parametrize("name", SMALL)
def test_samples_have_the_shape_that_all_worlds_share(name):
    samples, captions, labels = getattr(worlds, name).sample(5, 0)
    if samples.ndim == 2:
        assert samples.shape == (5, 2) and samples.dtype == np.float32
    else:
        assert samples.shape[0] == 5 and samples.shape[3] == 3 and samples.dtype == np.uint8
    assert len(captions) == 5 and all(isinstance(caption, str) for caption in captions)
    for words in labels.values():
        assert len(words) == 5 and all(word in caption for word, caption in zip(words, captions, strict=True))


def test_held_out_pairs_never_meet_in_training():
    held_out = {" ".join(pair) for pair in icons.HELD_OUT}
    training, other = set(icons.sample(2000, 0, "train")[1]), set(icons.sample(200, 0, "held-out")[1])
    assert not training & held_out and len(training) == 30
    assert other == held_out
    assert len(set(icons.sample(2000, 0)[1])) == 36
    for k in (0, 1):  # each colour and each shape is missing once, so each is seen in five pairs
        assert len({pair[k] for pair in icons.HELD_OUT}) == 6


def test_icons_are_drawn_in_their_colour_and_stay_inside():
    images, _, labels = icons.sample(300, 1)
    for image, colour in zip(images, labels["colour"], strict=True):
        off = np.abs(image.astype(int) - icons.PAPER).sum(axis=2)                # (16, 16)
        darkest = image[np.unravel_index(off.argmax(), off.shape)]
        assert np.abs(darkest.astype(int) - icons.COLOURS[colour]).max() <= 3
        assert off[[0, 0, -1, -1], [0, -1, 0, -1]].max() == 0                    # the corners are paper


OUTLINES = {  # area, and where its middle lies, of the unit shape
    "circle": (32 * np.sin(np.pi / 32), 0, 0), "square": (1.7**2, 0, 0), "triangle": (1.05 * 1.85, 0, 7 / 30),
    "star": (5 * 1.15 * 0.5 * np.sin(np.pi / 5), 0, 0.08), "heart": (2.34595, 0, -0.181165),
    "moon": (1.4994, -0.328765, 0),
}  # fmt: skip


@pytest.mark.parametrize("shape", icons.SHAPES)
def test_an_icon_is_its_shape_where_it_is_to_be_and_as_large(shape):
    (x, y), wanted = icons.outline(shape).T, OUTLINES[shape]
    across = x * np.roll(y, -1) - np.roll(x, -1) * y                             # twice the triangles to the middle
    area = across.sum() / 2
    middle = [((v + np.roll(v, -1)) * across).sum() / 6 / area for v in (x, y)]
    assert (abs(area), *middle) == pytest.approx(wanted, abs=1e-5)
    paper, colour = np.array(icons.PAPER), np.array(icons.COLOURS["blue"])
    share = ((np.asarray(icons.draw("blue", shape, 8.5, 7, 5)) - paper) / (colour - paper)).mean(axis=2)
    rows, columns = np.mgrid[:16, :16] + 0.5
    assert share.sum() == pytest.approx(25 * abs(area), rel=0.06)  # a fine pixel's edge more
    found = [(share * at).sum() / share.sum() for at in (columns, rows)]
    assert found == pytest.approx([8.5 + 5 * middle[0], 7 + 5 * middle[1]], abs=0.1)


def test_the_icons_of_a_seed_are_what_they_always_were():
    images, captions, _ = icons.sample(4, 5)
    assert captions == ["blue heart", "red square", "red square", "yellow star"]
    sums = [[51057, 54501, 59640], [61453, 50604, 49429], [61182, 48950, 47828], [63142, 60546, 48714]]
    assert images.sum(axis=(1, 2), dtype=int).tolist() == [pytest.approx(of, abs=300) for of in sums]


@pytest.mark.parametrize("kind, u, point", [
    ("moons", [0, 0.4], [-0.4, 0.2]), ("moons", [0.5, 0.4], [0.4, -0.6]), ("moons", [1, 0.4], [1.2, 0.2]),
    ("moons", [0, 0.5], [0.4, -0.2]), ("moons", [0.5, 0.5], [-0.4, 0.6]), ("moons", [1, 0.5], [-1.2, -0.2]),
    ("spiral", [1, 0], [1.25, 0]), ("spiral", [(0.25 - 0.02) / 0.98, 0], [0.625, 0]),
    ("spiral", [(0.375**2 - 0.02) / 0.98, 0], [0, -0.46875]), ("spiral", [(0.625**2 - 0.02) / 0.98, 0], [0, 0.78125]),
    ("ring", [0.1, 0], [1.1, 0]), ("ring", [0.125, 0], [1.1 * 0.5**0.5] * 2), ("ring", [0.3, 0], [0, 1.1]),
    ("ring", [0.99, 0], [1.1 * 0.5**0.5, -1.1 * 0.5**0.5]),
    ("pixels", [0.9, 0.3, 0.4], [0.75, -0.75]), ("pixels", [0.9, 0.3, 0.5], [-0.75, 0.75]),
    ("pixels", [0, 0.34, 0], [-0.9, -0.9]), ("pixels", [1, 0.34, 0.9], [0.9, 0.9]),
])  # fmt: skip
def test_a_point_is_its_formula(kind, u, point):
    u = np.array([[*u, *[0] * (4 - len(u))]])
    np.testing.assert_allclose(points.SHAPES[kind](u), [point], atol=1e-12)


@pytest.mark.parametrize("side", [3, 5])
def test_a_heap_is_called_by_its_number_and_is_as_wide_as_stated(side):
    drawn, captions, labels = heaps.sample(3000, 0, side=side)
    middles = heaps.centres(side)
    number = np.linalg.norm(drawn[:, None] - middles, axis=2).argmin(axis=1)
    assert labels["heap"].tolist() == [str(k + 1) for k in number]
    assert captions == [f"heap {k + 1}" for k in number] and set(number) == set(range(side**2))
    assert (drawn - middles[number]).std() == pytest.approx(heaps.SIDES[side], rel=0.05)
    assert middles[0].tolist() == [-1, -1] and middles[1].tolist() == [2 / (side - 1) - 1, -1]


def test_two_uniform_numbers_are_made_two_normal_ones():
    u = np.array([[0, 0.3], [1 - np.exp(-2), 0], [1 - np.exp(-0.5), 0.25], [1 - np.exp(-0.5), 0.5]])
    np.testing.assert_allclose(points.normal(u), [[0, 0], [2, 0], [0, 1], [-1, 0]], atol=1e-12)


@pytest.mark.parametrize("kind, first", [
    ("moons", [-1.0735919, 0.267303]), ("spiral", [0.3514167, -1.0577947]), ("ring", [-0.0222755, -1.079952]),
    ("pixels", [0.536968, 0.5698863]),
])  # fmt: skip
def test_the_points_of_a_seed_are_what_they_always_were(kind, first):
    assert points.sample(1, 5, kinds=kind)[0][0].tolist() == pytest.approx(first, abs=1e-6)


def test_points_keep_their_form():
    ring, _, _ = points.sample(4000, 0, kinds="ring")
    angle = np.arctan2(ring[:, 1], ring[:, 0])
    heaps = np.round(angle / (np.pi / 4)).astype(int) % 8
    assert np.bincount(heaps).min() > 400
    assert np.abs(np.hypot(*ring.T) - 1.1).mean() < 0.1
    alike, _, _ = points.sample(4000, 0, kinds="pixels")
    assert 0.6 < (np.abs(alike[:, 0] - alike[:, 1]) < 0.5).mean() < 0.72         # two thirds have no edge
    for kind in points.KINDS:
        spread = points.sample(4000, 0, kinds=kind)[0]
        assert np.abs(spread).max() < 2 and 0.3 < spread.std() < 1


@pytest.mark.parametrize("call", [
    lambda: icons.draw("red", "hexagon", 8, 8, 5), lambda: icons.draw("pink", "circle", 8, 8, 5),
    lambda: icons.outline("hexagon"), lambda: points.sample(3, 0, kinds=None), lambda: points.sample(3, 0, kinds=[[]]),
])  # fmt: skip
def test_what_no_world_has_is_told(call):
    with pytest.raises(LabError, match="(is one of|are) .*; .* came; choose one of"):
        call()


@pytest.mark.parametrize("n, seed, split", [
    (0, 0, "all"), (-3, 0, "all"), (2.0, 0, "all"), (True, 0, "all"), ("3", 0, "all"),
    (3, -1, "all"), (3, None, "all"), (3, 0, "test"), (3, 0, None),
])  # fmt: skip
@pytest.mark.parametrize("name", SMALL)
def test_a_wrong_call_is_told_in_one_sentence(name, n, seed, split):
    with pytest.raises(LabError, match="came") as told:
        getattr(worlds, name).sample(n, seed, split)
    assert "\n" not in str(told.value)


def test_unknown_names_name_the_known_ones():
    with pytest.raises(LabError, match="moons, spiral, ring, pixels; 'saturn' came"):
        points.sample(3, 0, kinds="saturn")
    with pytest.raises(LabError, match="choose from moons"):
        points.sample(3, 0, kinds=[])
    with pytest.raises(AttributeError, match=f"it has {', '.join(FOUND)}"):
        worlds.planets  # noqa: B018
    with pytest.raises(LabError, match="astronaut, cat, rocket"):
        photos.load("no such picture.png")
    with pytest.raises(LabError, match="'https://example.org/a.png' is an address"):
        photos.load("https://example.org/a.png")
    with pytest.raises(LabError, match="'.' is a folder"):
        photos.load(".")
    with pytest.raises(LabError, match="n, the number of scenes, is a whole number, 0 or more; -1 came"):
        worlds.scenes.sample(-1, 0)


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 300])
def test_a_photo_under_a_name_that_no_disk_has(path):
    with pytest.raises(LabError, match="was expected; .*(came; write the whole path|there is no file)"):
        photos.load(path)


def written(tmp_path, image: Image.Image, name: str, **how) -> str:
    path = tmp_path / name
    image.save(path, **how)
    return str(path)


def test_pictures_of_every_kind_come_out_as_rgb(tmp_path):
    red = Image.new("RGB", (8, 6), (200, 30, 30))
    kinds = {
        "grey.png": (Image.new("L", (8, 6), 77), (77, 77, 77)),
        "dots.png": (Image.new("1", (8, 6), 1), (255, 255, 255)),
        "clear.png": (Image.new("RGBA", (8, 6), (0, 0, 0, 0)), (255, 255, 255)),
        "half.png": (Image.new("LA", (8, 6), (0, 128)), (127, 127, 127)),
        "deep.png": (Image.fromarray(np.full((6, 8), 257 * 100, np.uint16)), (100, 100, 100)),
        "dark16.png": (Image.fromarray(np.full((6, 8), 200, np.uint16)), (1, 1, 1)),
        "float.tiff": (Image.fromarray(np.full((6, 8), 0.2, np.float32)), (51, 51, 51)),
        "palette.gif": (red.quantize(4), (200, 30, 30)),
        "print.jpg": (red.convert("CMYK"), (200, 30, 30)),
    }
    for name, (image, colour) in kinds.items():
        loaded = photos.load(written(tmp_path, image, name))
        assert loaded.mode == "RGB" and loaded.size == (8, 6), name
        assert np.abs(np.asarray(loaded)[3, 4].astype(int) - colour).max() <= 6, (name, np.asarray(loaded)[3, 4])


def test_see_through_palette_lies_on_white(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 0, 0, 200])
    path = written(tmp_path, image, "sprite.png", transparency=1)
    assert np.asarray(photos.load(path)).min() == 255


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("blue", "red", "lime")]
    path = written(tmp_path, frames[0], "moving.gif", save_all=True, append_images=frames[1:], duration=50)
    assert np.abs(np.asarray(photos.load(path))[2, 2].astype(int) - (0, 0, 255)).max() <= 8


def test_camera_turned_pictures_stand_upright(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me a quarter to the right"
    path = written(tmp_path, Image.fromarray(pixels), "turned.png", exif=exif)
    upright = np.asarray(photos.load(path))
    assert upright.shape == (8, 4, 3) and upright[:4].min() == 255 and upright[4:].max() == 0


def test_one_pixel_becomes_a_flat_picture(tmp_path):
    path = written(tmp_path, Image.new("RGB", (1, 1), (9, 8, 7)), "dot.png")
    assert photos.load(path).size == (1, 1)
    large = np.asarray(photos.load(path, 64))
    assert large.shape == (64, 64, 3) and (large == (9, 8, 7)).all()


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("width, height", [(100_000, 100_000), (10_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_named(tmp_path, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(width, height))
    with pytest.raises(LabError, match="80 million pixels"):
        photos.load(path)


def test_what_is_no_picture_is_told(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader")
    (tmp_path / "empty.png").write_bytes(b"")
    for path in (tmp_path / "letter.txt", tmp_path / "empty.png", tmp_path, "a\0b", 7, None, ""):
        with pytest.raises(LabError) as told:
            photos.load(path)
        assert "expected" in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("size", [0, -4, 2.5, "64", True])
def test_a_wrong_size_is_told(size):
    with pytest.raises(LabError, match="size is a whole number"):
        photos.load("cat", size)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    photos.load("cat", 48).save(buffer, kind)
    return buffer.getvalue()


ENCODED = {kind: encoded(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")}


def test_a_truncated_jpeg_is_told(tmp_path):
    path = tmp_path / "half.jpg"
    path.write_bytes(ENCODED["JPEG"][: len(ENCODED["JPEG"]) // 2])
    with pytest.raises(LabError, match="damaged"):
        photos.load(path)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ENCODED)), st.data())
def test_damaged_pictures_give_a_picture_or_one_sentence(tmp_path_factory, kind, data):
    raw = bytearray(ENCODED[kind][: data.draw(st.integers(0, len(ENCODED[kind])))])
    for _ in range(data.draw(st.integers(0, 4)) if raw else 0):
        raw[data.draw(st.integers(0, min(len(raw), 400) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / f"picture.{kind.lower()}"
    path.write_bytes(bytes(raw))
    try:
        image = photos.load(path)
    except LabError as told:
        assert "\n" not in str(told) and "expected" in str(told)
    else:
        assert image.mode == "RGB" and image.width * image.height <= pixels.MOST


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_picture_or_one_sentence(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("bytes") / "picture"
    path.write_bytes(raw)
    try:
        assert photos.load(path).mode == "RGB"
    except LabError as told:
        assert "\n" not in str(told)


def test_the_three_photos_are_there_without_a_network():
    for name in photos.FILES:
        image = photos.load(name, 128)
        assert image.size == (128, 128) and np.asarray(image).std() > 20


def test_photos_are_cut_in_squares_half_of_them_mirrored():
    whole = photos.load("cat")
    middle, mirrored = (photos._cut(whole, np.array([1.0, 0.5, 0.5, u]), 64) for u in (0.5, 0.499))
    assert np.array_equal(middle, np.asarray(photos.load("cat", 64))) and np.array_equal(mirrored, middle[:, ::-1])
    side = 180  # six tenths of its height: the smallest square, at the lower right
    corner = whole.crop((whole.width - side, whole.height - side, *whole.size)).resize((60, 60), Image.LANCZOS)
    inside = slice(3, -3)  # a filter of three pixels sees beyond an edge
    cut = photos._cut(whole, np.array([0.0, 1.0, 1.0, 0.9]), 60)
    assert np.array_equal(cut[inside, inside], np.asarray(corner)[inside, inside])
    _, captions, labels = photos.sample(300, 0, size=4)
    said = {"astronaut": "a photo of an astronaut", "cat": "a photo of a cat", "rocket": "a photo of a rocket"}
    assert captions == [said[one] for one in labels["subject"]]
    assert all(abs((labels["subject"] == name).mean() - 1 / 3) < 0.1 for name in photos.FILES)
