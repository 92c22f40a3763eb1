"""One way from any picture to samples: upright, on white, in the right depth."""

import io

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

from diffusion_lab import Exact, Toy
from diffusion_lab.errors import LabError
from diffusion_lab.packing import unpacked
from diffusion_lab.pixels import TO_RGB, as_mask, as_pictures, as_rgb, as_samples, fitted, readable
from diffusion_lab.worlds import photos

RED, WHITE = (255, 0, 0), (255, 255, 255)


def seen(image) -> np.ndarray:
    return np.asarray(as_rgb(image))


def test_a_photo_of_a_turned_phone_stands_upright(tmp_path):
    lying = Image.new("RGB", (4, 2), RED)
    exif = lying.getexif()
    exif[0x0112] = 6  # turn by a quarter
    lying.save(tmp_path / "phone.jpg", exif=exif)
    assert as_rgb(Image.open(tmp_path / "phone.jpg")).size == (2, 4)
    assert as_samples(Image.open(tmp_path / "phone.jpg")).shape == (1, 3, 4, 2)


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (2, 1), (*RED, 255))
    clear.putpixel((1, 0), (0, 0, 0, 0))
    assert seen(clear).tolist() == [[list(RED), list(WHITE)]]
    grey = Image.new("LA", (1, 1), (0, 0))
    palette = clear.convert("P")
    palette.info["transparency"] = palette.getpixel((1, 0))
    assert seen(grey).tolist() == [[list(WHITE)]] and seen(palette)[0, 1].tolist() == list(WHITE)


@pytest.mark.parametrize(("values", "expected"), [
    (np.array([[0, 32768, 65535]], np.uint16), [0, 128, 255]), (np.array([[0, 2048, 4095]], np.uint16), [0, 128, 255]),
    (np.array([[0, 30000]], np.int32), [0, 117]), (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
    (np.array([[0.0, np.nan]], np.float32), [0, 0]), (np.array([[0.0, 51.0, 255.0]], np.float32), [0, 51, 255]),
    (np.array([[0, 51, 255]], np.int32), [0, 51, 255]), (np.array([[0, 0]], np.uint16), [0, 0]),
    (np.array([[0, 200]], np.uint16), [0, 1]), (np.array([[512, 1023]], np.uint16), [128, 255]),
    (np.array([[0, 1024]], np.uint16), [0, 64]), (np.array([[0, 4096]], np.uint16), [0, 64]),
    (np.array([[0, 16383]], np.uint16), [0, 255]), (np.array([[0, 16384]], np.uint16), [0, 64]),
    (np.array([[0, 255]], np.uint16), [0, 1]), (np.array([[0, 256]], np.uint16), [0, 64]),
    (np.array([[0, 131070]], np.int32), [0, 255]), (np.array([[-5.0, 2.0, 255.0]], np.float32), [0, 2, 255]),
    (np.array([[np.inf, -np.inf, 0.2, 1.0]], np.float32), [0, 0, 51, 255]),
])  # fmt: skip
def test_deep_grey_keeps_its_range(values, expected):
    assert seen(Image.fromarray(values))[..., 0].tolist() == [expected]


@pytest.mark.parametrize("model", [lambda: Exact(np.zeros((1, 24, 24, 3), np.uint8)), lambda: Toy.load("icons")])
def test_every_model_takes_a_palette_picture_as_its_colours(model):
    stripes = Image.fromarray(np.tile(np.array([RED, (0, 0, 255)], np.uint8), (48, 24, 1)))
    palette = stripes.convert("P", palette=Image.Palette.ADAPTIVE)
    assert torch.equal(model().encode(palette), model().encode(stripes))
    assert torch.equal(model().encode(np.asarray(stripes)), model().encode(stripes))


@pytest.mark.parametrize("wrong", ["a.png", None, np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), [RED]])
def test_what_is_no_picture_is_told(wrong):
    with pytest.raises(LabError, match="one picture was expected.*came; open it"):
        as_rgb(wrong)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_a_picture_that_is_cut_is_told(kind):
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(whole, kind)
    for call in (as_rgb, Toy.load("icons").encode, as_samples):
        with pytest.raises(LabError, match="none that can be read, or it is damaged") as caught:
            call(Image.open(io.BytesIO(whole.getvalue()[: len(whole.getvalue()) // 2])))
        assert "\n" not in str(caught.value)


def test_a_picture_that_is_closed_or_empty_is_told():
    closed = Image.new("RGB", (2, 2))
    closed.close()
    with pytest.raises(LabError, match="none that can be read"):
        as_rgb(closed)
    for empty in (Image.new("RGB", (0, 5)), np.zeros((5, 0, 3), np.uint8)):
        with pytest.raises(LabError, match="at least one pixel was expected; one of 0 x 5 came"):
            as_rgb(empty)


@pytest.mark.parametrize("wrong", [np.zeros((1, 3, 4, 4)), None, torch.zeros(1, 3, 4, 4) * 1j, torch.zeros(0, 3, 4, 4),
                                   torch.zeros(1, 3, 4, 4, device="meta"), [torch.zeros(3, 4, 4)],
                                   torch.zeros(1, 3, 4, 4).to_sparse()])
def test_what_are_no_samples_of_pictures_is_told(wrong):
    with pytest.raises(LabError, match="samples of pictures, .* came;"):
        as_pictures(wrong)


def test_data_are_one_array():
    points = torch.ones(2, 2, requires_grad=True)
    assert torch.equal(as_samples(points), torch.ones(2, 2)) and not as_samples(points).requires_grad
    for wrong in ([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], torch.zeros(2, 2, device="meta")):
        with pytest.raises(LabError, match="a data set as one array was expected"):
            as_samples(wrong)


@pytest.mark.parametrize("wrong", [
    np.zeros((2, 3)), np.zeros((2, 2), int), np.zeros((2, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8), np.zeros(2),
    np.zeros((2, 4, 4, 4), np.uint8), np.zeros((0, 2)), np.zeros((2, 2, 2)), np.zeros((4, 4), np.uint8),
], ids=lambda a: f"{a.dtype} {a.shape}")  # fmt: skip
def test_what_are_no_data_is_told(wrong):
    with pytest.raises(LabError, match="came; "):
        as_samples(wrong)


def test_pixels_and_samples_are_the_same_numbers():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    samples = as_samples(levels)
    assert samples.shape == (1, 3, 16, 16) and samples.dtype == torch.float32
    assert torch.equal(samples.flatten(2), (torch.arange(256) / 127.5 - 1).expand(1, 3, -1))
    assert np.array_equal(np.asarray(as_pictures(samples)[0]), levels[0])
    beyond = torch.tensor([-3.0, 3.0, float("nan"), 0.0]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert np.asarray(as_pictures(beyond.clone().requires_grad_())[0])[0, :, 1].tolist() == [0, 255, 128, 128]
    assert TO_RGB.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_a_picture_is_brought_to_the_size_of_a_model_by_means_of_areas():
    halves = np.zeros((4, 8, 3), np.uint8)
    halves[:2, :4] = 255
    small = fitted(halves, (3, 2, 4))
    assert small.shape == (1, 3, 2, 4) and small[0, 2].tolist() == [[1, 1, -1, -1], [-1, -1, -1, -1]]


@pytest.mark.parametrize(("call", "said"), [
    (lambda: as_rgb(np.zeros((4, 3))), "uint8 (H, W, 3); float64 (4, 3) came; "), (lambda: as_rgb("a"), "; str came; "),
    (lambda: as_pictures(torch.zeros(2, 2)), "were expected; (2, 2), torch.float32 came; "),
    (lambda: as_pictures("a"), "were expected; str came; "),
    (lambda: as_samples(np.zeros((2, 3))), "were expected; float64 (2, 3) came; "),
])
def test_what_came_is_told_by_its_kind_and_shape(call, said):
    with pytest.raises(LabError) as told:
        call()
    assert said in str(told.value)


@pytest.mark.parametrize(("error", "said"), [(OSError("cut\nhere"), "(cut)"), (MemoryError(), "(MemoryError)")])
def test_what_a_decoder_says_is_told_by_its_first_line(error, said):
    with pytest.raises(LabError) as told, readable("/far/away/cat.png"):
        raise error
    assert f"; cat.png is none that can be read, or it is damaged {said}; " in str(told.value)


def test_a_mask_may_have_an_alpha_that_hides_nothing():
    mask = Image.new("LA", (2, 1), (255, 255))
    mask.putpixel((1, 0), (0, 255))
    assert as_mask(mask).tolist() == [[1, 0]] == as_mask(mask.convert("RGBA")).tolist()
    mask.putpixel((1, 0), (0, 254))
    with pytest.raises(LabError, match="see-through in places"):
        as_mask(mask)


def test_a_large_photo_is_made_smaller_and_others_are_not():
    large = Image.new("RGB", (2048, 1024), RED)
    assert as_samples(large).shape == (1, 3, 512, 1024) and large.size == (2048, 1024)
    assert as_samples(Image.new("RGB", (1024, 3), RED)).shape == (1, 3, 3, 1024)


@pytest.mark.parametrize("wrong", [np.array([[1.0, np.nan]]), torch.full((3, 2), torch.inf)])
def test_points_are_numbers(wrong):
    with pytest.raises(LabError, match="points of finite numbers were expected; nan or inf came"):
        as_samples(wrong)


def test_a_page_of_postscript_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **kwargs: pytest.fail("it was run"))
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    (tmp_path / "x.png").write_bytes(page)
    with pytest.raises(LabError, match="x.png is none that can be read"):
        photos.load(tmp_path / "x.png")
    with pytest.raises(LabError, match="a picture was expected"):
        unpacked(torch.frombuffer(bytearray(b"\x01\0" + page), dtype=torch.uint8), 1)


def test_a_picture_in_a_recording_is_as_large_as_a_model_draws():
    buffer = io.BytesIO()
    Image.new("1", (4096, 2048)).save(buffer, "PNG")
    with pytest.raises(LabError, match="at most 4 million pixels"):
        unpacked(torch.frombuffer(bytearray(b"\x01\0" + buffer.getvalue()), dtype=torch.uint8), 1)
