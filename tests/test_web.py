"""What the site's page draws with: the networks as ONNX, model.json, and the page's own JavaScript beside Python."""

import base64
import importlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from browser import PACKAGES

from diffusion_lab import Trajectory
from diffusion_lab.__main__ import main
from diffusion_lab.commands.environment import ROOT
from diffusion_lab.errors import LabError
from diffusion_lab.player import paths
from diffusion_lab.player.frames import Detail
from diffusion_lab.recipe import Recipe
from diffusion_lab.stable_diffusion import StableDiffusion, web
from diffusion_lab.stable_diffusion.prompts import nearest
from diffusion_lab.stable_diffusion.schedulers import KINDS, fresh
from diffusion_lab.stable_diffusion.walk import Walk
from diffusion_lab.trajectory import Step

WEB_EXTRA = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None or importlib.util.find_spec("onnxscript") is None,
    reason="the extra `web` is not here",
)
DRAW = ROOT / "docs" / "site" / "draw"
PROMPTS = ["an astronaut on the moon", "a red cat in a city", ""]


@pytest.fixture(scope="module")
def tiny():
    return StableDiffusion.load("tiny-sd", device="cpu")


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    return web.export(tiny, tmp_path_factory.mktemp("web") / "tiny")


def test_model_json_says_what_the_model_is(tiny):
    told = web.habits(tiny)
    scheduler, tokenizer = tiny.pipeline.scheduler, tiny.pipeline.tokenizer
    bars = np.array(json.loads(json.dumps(told["alpha_bars"])), np.float32)
    assert np.array_equal(bars, scheduler.alphas_cumprod.numpy())
    assert np.float32(told["final"]) == scheduler.final_alpha_cumprod.numpy()
    assert told["guidance_scale"] == 2.5 and list(told["samplers"]) == list(web.DRAWN)
    assert (told["prediction"], told["shape"], told["size"], told["tokens"]) == ("v", [4, 16, 16], [128, 128], 24)
    assert torch.equal(torch.tensor(told["to_rgb"]), tiny.to_rgb)
    assert len(told["merges"]) + 512 + 2 == len(tokenizer) and "astronaut" in told["words"]
    says = [say for words in told["kinds"].values() for say in words]
    assert set(says) < set(told["words"]) and list(told["kinds"]) == ["figure", "ride", "place", "colour"]


def test_what_the_page_could_not_draw_is_refused(tiny, monkeypatch):
    class Other:
        name, pipeline, shape, to_rgb = tiny.name, type("Pipeline", (), {})(), tiny.shape, tiny.to_rgb

    Other.pipeline.tokenizer = tiny.pipeline.tokenizer
    Other.pipeline.scheduler = type(tiny.pipeline.scheduler).from_config(
        tiny.pipeline.scheduler.config, timestep_spacing="leading")  # fmt: skip
    with pytest.raises(LabError, match="trailing timesteps .* leading and v_prediction came"):
        web.habits(Other)


def test_without_the_extra_it_says_what_to_install(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(LabError, match="extra `web` were expected; onnx is missing; install them: .*web"):
        web.export(tiny, tmp_path / "web")
    assert list(tmp_path.iterdir()) == []


@WEB_EXTRA
@pytest.mark.parametrize("others", [
    {"letter.txt": "mine"}, {"model.json": '{"mine": 1}'}, {"model.json": "{}", "letter.txt": "mine"},
    dict.fromkeys(web.FILES, '{"mine": 1}'), dict.fromkeys(web.FILES, "mine"),
    dict.fromkeys(web.FILES, '{"prediction": "v", "alpha_bars": [], "merges": []}') | {"letter.txt": "mine"},
])  # fmt: skip
def test_a_folder_of_something_else_stays(tiny, tmp_path, others):
    for name, text in others.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match="earlier export.* expected.*; choose another --out"):
        web.export(tiny, tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == others


@WEB_EXTRA
def test_what_is_no_folder_is_refused_and_an_earlier_export_is_not(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "parts", lambda model: {})
    (tmp_path / "file").touch()
    for bad in ("x" * 300, "file"):
        with pytest.raises(LabError, match="choose another --out"):
            web.export(tiny, tmp_path / bad)
    (tmp_path / "empty").mkdir()
    for good in ("new", "empty"):
        out = web.export(tiny, tmp_path / good)
        for name in web.FILES - {"model.json"}:
            (out / name).touch()
        web.export(tiny, out)
        assert [path.name for path in out.iterdir()] == ["model.json"]


@WEB_EXTRA
def test_weights_are_halved_where_nothing_is_lost_and_traces_go():
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    even, odd = np.arange(32, dtype=np.float32) / 8, np.full(32, 1 / 3, np.float32)
    large = np.full(32, 1e6, np.float32)  # beyond float16
    nodes = [helper.make_node("Add", ["x", "even"], ["a"]), helper.make_node("Add", ["a", "odd"], ["b"]),
             helper.make_node("Add", ["b", "large"], ["y"])]  # fmt: skip
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [32]) for name in "xy"]
    weights = {"even": even, "odd": odd, "large": large}
    weights = [numpy_helper.from_array(each, name) for name, each in weights.items()]
    graph = helper.make_graph(nodes, "sum", value[:1], value[1:], weights)
    graph.node[0].metadata_props.add(key="stack", value="/home/somebody/file.py")
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    before = ReferenceEvaluator(made).run(None, {"x": odd})[0]
    web.strip(made)
    web.shrink(made.graph)
    kinds = {one.name: one.data_type for one in made.graph.initializer}
    assert kinds == {"even_half": TensorProto.FLOAT16, "odd": TensorProto.FLOAT, "large": TensorProto.FLOAT}
    assert b"somebody" not in made.SerializeToString()
    assert np.array_equal(ReferenceEvaluator(made).run(None, {"x": odd})[0], before)


@WEB_EXTRA
@pytest.mark.parametrize("turned", [False, True])
def test_rounded_weights_are_kept_as_bytes_and_come_back_to_the_bit(turned):
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    source = np.random.default_rng(0)
    full = (source.standard_normal((16, 9, 3)) * np.geomspace(1e-6, 1e3, 16)[:, None, None]).astype(np.float32)
    full[3] = 0
    full = full.T.copy() if turned else full
    q, s = web.eighths(full)
    assert q.dtype == np.int8 and s.shape == ((1, 1, 16) if turned else (16, 1, 1))
    assert np.all(np.abs(q * s - full) <= 0.5001 * s) and np.abs(q).max() == 127
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, full.shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "sum", value[:1], value[1:],
                              [numpy_helper.from_array(q * s, "w")])  # fmt: skip
    web.shrink(graph)
    assert [one.data_type for one in graph.initializer] == [TensorProto.INT8, TensorProto.FLOAT]
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    assert np.array_equal(ReferenceEvaluator(made).run(None, {"x": np.zeros_like(full)})[0], q * s)


BUNDLE = """
const told = in_words.complaint("a rad cat", given, in_words.tokenizer(given.merges));
out = [told, Array.from(in_random.generator(1)(2)), Object.keys(in_samplers)];
"""


def test_modules_put_one_behind_the_other_do_the_same(tiny, monkeypatch):
    monkeypatch.syspath_prepend(DRAW.parent)
    monkeypatch.setattr(importlib.import_module("drawing"), "RUNTIME_SCRIPT", DRAW / "random.js")
    script = importlib.import_module("page").bundled("worker")
    assert re.findall(r"^(?:import|export)\b", script, re.M) == []
    held = "const in_worker ="  # all but the worker itself, which needs a browser
    assert script.count(held) == 1
    said, numbers, names = node(script[: script.index(held)] + BUNDLE, web.habits(tiny))
    assert said == "Tiny SD does not know “rad”. Did you mean red?"
    expected = torch.randn(2, generator=torch.Generator().manual_seed(1))
    assert np.abs(np.array(numbers) - expected.numpy()).max() < 5e-6
    assert set(names) == {"SAMPLERS", "denoise", "roundHalfEven", "timesteps"}


def test_the_page_has_a_rule_for_each_sampler_that_it_offers():
    assert tuple(node("out = Object.keys(samplers.SAMPLERS);", {})) == web.DRAWN


@WEB_EXTRA
@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3])
def test_the_exported_networks_answer_as_torch_does(tiny, exported, batch):
    from onnx.reference import ReferenceEvaluator

    source = torch.Generator().manual_seed(0)
    x = torch.randn(batch, *tiny.shape, generator=source)
    ids = tiny.pipeline.tokenizer(PROMPTS[:batch], padding="max_length", return_tensors="pt").input_ids
    given = {"text": {"ids": ids}, "decoder": {"latent": x},
             "unet": {"x": x, "t": torch.tensor([417.0]), "condition": tiny.condition(PROMPTS[:batch])}}  # fmt: skip
    for name, (network, _) in web.parts(tiny).items():
        with torch.no_grad():
            expected = network(*given[name].values()).numpy()
        fed = {place: value.numpy() for place, value in given[name].items()}
        (got,) = ReferenceEvaluator(str(exported / f"{name}.onnx")).run(None, fed)
        assert np.abs(got - expected).max() < 2e-4, name


@WEB_EXTRA
@pytest.mark.slow
def test_the_exported_files_are_small_and_name_no_place(exported):
    names = {path.name: path.read_bytes() for path in exported.iterdir()}
    assert sorted(names) == ["decoder.onnx", "model.json", "text.onnx", "unet.onnx"]
    assert json.loads(names["model.json"])["name"] == "Tiny SD"
    assert sum(map(len, names.values())) < 12e6
    assert not [name for name, data in names.items() if b".py" in data or b"site-packages" in data]


def test_the_command_refuses_a_toy(capsys, tmp_path):
    assert main(["export-web", "icons", "--out", str(tmp_path / "web")]) == 2
    assert "icons" in capsys.readouterr().err


def test_the_site_says_what_the_page_that_draws_lacks(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(DRAW.parent)
    drawing = importlib.import_module("drawing")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else name)
    assert drawing.missing() == "onnx missing: python -m pip install --constraint constraints.txt -e '.[web]'"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(drawing, "RUNTIME", tmp_path)
    other = f"onnxruntime-web missing: {PACKAGES}"
    for place in ("README.md", ".ci/run", ".github/workflows/canary.yml"):
        assert f"axe-core@4 onnxruntime-web@{drawing.VERSION}" in (ROOT / place).read_text(encoding="utf-8"), place
    assert drawing.missing() == other
    (tmp_path / "package.json").write_text('{"version": "1.20.1"}', encoding="utf-8")
    assert drawing.missing() == other
    (tmp_path / "package.json").write_text('{"version": "1.30.0"}', encoding="utf-8")
    assert drawing.missing() == ""
    page = drawing.player_page()
    assert page.count("{{title}}") == page.count("{{data}}") == 1 and "dl-player" in page


def test_a_build_takes_its_own_earlier_one_away_and_nothing_else(monkeypatch, tmp_path):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DRAW.parent)
    build, kept = importlib.import_module("build"), {"thesis.txt", "CNAME"}
    for name in (*kept, "py-modindex.html", "lessons/99_gone.html", "objects.inv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# Sphinx inventory version 2\n# Project: another\n", encoding="utf-8")
    before = {path.name for path in tmp_path.rglob("*")}
    build.forget(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == before
    (tmp_path / "objects.inv").write_bytes(b"# Sphinx inventory version 2\n# Project: diffusion_lab\n# Version: \n")
    build.forget(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == kept | {"objects.inv"}


def test_two_builds_at_once_end_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(DRAW.parent)
    drawing = importlib.import_module("drawing")
    with (pytest.raises(SystemExit, match="another process is at a build in .*; wait for it$"),
          drawing.alone(tmp_path / "pages", "a build"), drawing.alone(tmp_path / "pages", "a build")):  # fmt: skip
        pass
    for name in ("build", "page"):
        assert "with drawing.alone(" in (DRAW.parent / f"{name}.py").read_text(encoding="utf-8")


def test_the_form_begins_with_few_steps_and_the_guidance_of_its_model(tiny, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(DRAW.parent)
    other = {"guidance_scale": 7.5, "shape": [4, 16, 24], "samplers": {"dpmpp_2m": "A", "ddim": "<B>"}}
    (tmp_path / "model.json").write_text(json.dumps(web.habits(tiny) | other), encoding="utf-8")
    words = importlib.import_module("drawing").words(tmp_path, "1.5")
    assert dict(re.findall(r'data-is="(seed|steps|guidance)"[^>]*value="([^"]*)"', words["form"])) == {
        "seed": "0", "steps": "8", "guidance": "7.5"}  # fmt: skip
    options = '<option value="dpmpp_2m" selected>A</option><option value="ddim">&lt;B&gt;</option></select>'
    assert options in words["form"]
    assert "4 x 16 x 24 numbers" in words["form"] and "Draw here, 1.5 MB" in words["form"]
    assert words["compact"] == words["form"].replace('class="draw" ', 'class="draw" data-compact')


def test_a_script_says_the_same_in_ascii(monkeypatch):
    monkeypatch.syspath_prepend(DRAW.parent)
    script = "out = ['“a” × 😀'.replace(/[“”]/g, 'é'), `😀…`.length, /^😀$/u.test('😀')]; // ‘so’"
    escaped = importlib.import_module("drawing").escaped(script)
    assert escaped.isascii() and node(escaped, {}) == node(script, {}) == ["éaé × 😀", 3, True]


def node(script: str, given: dict) -> dict:
    """What a script of the page's own modules makes of `given`: it sets `out`."""
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    names = ("random", "words", "samplers", "chips", "fields", "files", "path")
    lines = [*(f'import * as {name} from "{(DRAW / name).as_uri()}.js";' for name in names), "import fs from 'fs';",
             "const given = JSON.parse(fs.readFileSync(0, 'utf8')); let out;", script,
             "console.log(JSON.stringify(out));"]  # fmt: skip
    run = subprocess.run(["node", "--input-type=module", "-e", "\n".join(lines)],
                         input=json.dumps(given), capture_output=True, text=True, encoding="utf-8")  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_model_json_that_the_page_cannot_use_is_known_before_it_is_used(tiny):
    parts = ("wasm", "text", "unet", "decoder")
    told = web.habits(tiny) | {"whole": dict.fromkeys(parts, 1), "packed": dict.fromkeys(parts, 1),
                               "prints": dict.fromkeys(parts, "f")}  # fmt: skip
    bad = {"kinds": None, "samplers": {}, "size": 64, "tokens": 10**9, "prints": {"wasm": "f"}, "merges": [1],
           "shape": [4, 16], "to_rgb": [[1]], "alpha_bars": ["1"], "final": None, "scaling_factor": "1"}  # fmt: skip
    lacking = [{key: told[key] for key in told if key != name} for name in (*bad, "name", "prediction", "words")]
    asked = [told, told | {"words": None}, [], None, *lacking, *(told | {name: value} for name, value in bad.items())]
    got = node("out = given.all.map(files.damaged);", {"all": asked})
    assert got[:2] == [[], []] and len(got[2]) == len(got[3]) > 15
    assert got[4:] == [[name] for name in (*bad, "name", "prediction", "words", *bad)]


def test_random_numbers_are_those_of_torch():
    sizes, seeds = [1024, 16, 5, 100, 3, 17, 1024], [0, 1, 7, 2**32 + 5, 2**53 - 1]
    script = """out = given.seeds.map((seed) => {
        const randn = random.generator(seed);
        return given.sizes.map((size) => Array.from(randn(size)));
    });"""
    got = node(script, {"seeds": seeds, "sizes": sizes})
    for seed, drawn in zip(seeds, got, strict=True):
        source = torch.Generator().manual_seed(seed)
        for size, numbers in zip(sizes, drawn, strict=True):
            expected = torch.randn(size, generator=source).numpy()
            assert np.abs(np.array(numbers, np.float32) - expected).max() < 5e-6, (seed, size)


ODD = ["", "a red cat", "A  Red\tCAT's!!", "don't we'll", "‘quotes’ — dash", "émile ÉMILE e\u0301", "ΣΑΣ", "12 345",
       "𝔘𝔫𝔦 😀🎈", "<script>alert(1)</script>", "<|startoftext|>x<|endoftext|>", "<|ENDOFTEXT|>!!", "一二三 한국어",
       "a\u0085b\ufeffc", "nowordatall " * 9, "İstanbul ẞ ǅ"]  # fmt: skip


def test_tokens_are_those_of_the_tokenizer(tiny):
    told = web.habits(tiny)
    source = np.random.default_rng(0)
    texts = ODD + [" ".join(source.choice(told["words"], 6)) for _ in range(40)]
    texts += ["".join(map(chr, source.choice([*range(32, 383), *range(0x2010, 0x2060)], 12))) for _ in range(60)]
    got = node("const clip = words.tokenizer(given.merges); out = given.texts.map(clip.encode);",
               {"texts": texts, "merges": told["merges"]})  # fmt: skip
    for text, ids in zip(texts, got, strict=True):
        assert ids == tiny.pipeline.tokenizer.encode(text), repr(text)


def test_a_prompt_that_cannot_be_read_is_told_in_one_sentence(tiny):
    told = web.habits(tiny)
    asked = ["a red cat on the moon", "a rad cat", "xylophone", "<script>", "😀", "a " * 23, "a" * 10_000, "a, b-c"]
    script = """const clip = words.tokenizer(given.merges);
    out = given.asked.map((text) => words.complaint(text, given, clip));"""
    said = node(script, told | {"asked": asked})
    assert said[0] == "" and said[1] == "Tiny SD does not know “rad”. Did you mean red?"
    assert said[2:5] == [f"Tiny SD does not know “{word}”." for word in ("xylophone", "<script>", "😀")]
    assert said[5] == "Tiny SD reads at most 22 words and signs; 23 came."
    assert said[6] == "A prompt has at most 1,000 letters; 10,000 came."
    assert said[7].startswith("Tiny SD does not know “b”, “c”.")


def test_the_word_meant_is_found_as_in_python(tiny):
    known = web.habits(tiny)["words"]
    source = np.random.default_rng(0)
    typed = ["dgo", "hrose", "rad", "xy", "", "x" * 2000, "penguni", *(swapped(word) for word in known)]
    typed += ["".join(source.choice(list("abcdeorst"), 5)) for _ in range(40)]
    got = node("out = given.typed.map((word) => words.nearest(word, given.known));", {"typed": typed, "known": known})
    assert got == [nearest(word, known) for word in typed]
    assert got[:7] == ["dog", "horse", "red", "", "", "", "penguin"]


def swapped(word: str) -> str:
    return word[:-2] + word[:-3:-1]


@pytest.mark.parametrize(("prompt", "kind", "word", "expected"), [
    ("", "figure", "astronaut", "an astronaut"),
    ("an astronaut riding a horse on mars", "figure", "cat", "a cat riding a horse on mars"),
    ("two kittens in town", "figure", "dog", "two dogs in town"),
    ("an astronaut riding a red pony on mars", "ride", "standing", "an astronaut standing on mars"),
    ("a frog standing on mars", "ride", "bicycle", "a frog riding a bicycle on mars"),
    ("a frog on mars", "ride", "horse", "a frog riding a horse on mars"),
    ("a cat and a dog on bikes", "ride", "horse", "a cat and a dog riding a horse"),
    ("a cat by the sea, standing", "place", "snow", "a cat in the snow, standing"),
    ("A cat.", "place", "mars", "A cat on mars"),
    ("A cat on mars", "colour", "orange", "An orange cat on mars"),
    ("an orange cat", "colour", "white", "a white cat"),
])  # fmt: skip
def test_a_chip_takes_the_place_of_the_word_of_its_kind(tiny, prompt, kind, word, expected):
    given = {"kinds": web.habits(tiny)["kinds"], "asked": [prompt, kind, word]}
    assert node("out = chips.put(...given.asked, given.kinds);", given) == expected


def test_times_are_those_of_python_for_every_number_of_steps(tiny):
    told = web.habits(tiny) | {"all": list(range(1, 101))}
    got = node("out = given.all.map((n) => ['ddim', 'dpmpp_2m'].map((name) =>"
               "samplers.SAMPLERS[name](given, n).map((step) => step.t)));", told)  # fmt: skip
    for n, pair in zip(told["all"], got, strict=True):
        for name, times in zip(("ddim", "dpmpp_2m"), pair, strict=True):
            scheduler = fresh(tiny.pipeline.scheduler, name)
            scheduler.set_timesteps(n)
            assert times == scheduler.timesteps.tolist(), (name, n)


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample"])
def test_paths_are_those_of_the_schedulers(tiny, kind):
    """With a network that both sides can compute: a wave of what it sees."""
    told = web.habits(tiny) | {"prediction": KINDS[kind]}
    asked = [(name, n) for name in web.DRAWN for n in (1, 2, 4, 20, 61)]
    script = """out = [];
    const wave = (x, t) => x.map((v, i) => Math.fround(0.8 * v + 0.3 * Math.sin(i + t / 100)));
    const predict = async (x, t) => ({ guess: wave(x, t), uncond: x.map(() => 0) });
    for (const [sampler, n] of given.asked) {
        const path = [];
        for await (const { alphaBar, ...step } of samplers.denoise(predict, given, { seed: 3, n, sampler })) {
            const told = Object.entries(step).map(([name, x]) => [name, x?.length ? Array.from(x) : x]);
            path.push({ alphaBar, ...Object.fromEntries(told) });
        }
        out.push(path);
    }"""
    got = node(script, told | {"asked": asked})
    places = torch.arange(1024, dtype=torch.float64)
    for (name, n), path in zip(asked, got, strict=True):
        scheduler = fresh(tiny.pipeline.scheduler, name)
        scheduler = type(scheduler).from_config(scheduler.config, prediction_type=kind)
        scheduler.set_timesteps(n)
        sources = [torch.Generator().manual_seed(3)]
        walk = Walk(scheduler, torch.randn(1, *tiny.shape, generator=sources[0]), sources)
        scribe, x = walk.scribe(), walk.x
        for i, t in enumerate(walk.timesteps):
            wave = (0.3 * torch.sin(places + float(t) / 100)).reshape(x.shape)
            guess = (0.8 * x.double() + wave).float()
            step = scribe.step(i, x, guess, None)
            far = max(1.0, float(step.x0.abs().max()))
            assert np.abs(np.array(path[i]["x0"]) - step.x0.numpy().ravel()).max() < 2e-5 * far, (name, n, i)
            far = max(1.0, float(step.eps.abs().max()))
            assert np.abs(np.array(path[i]["eps"]) - step.eps.numpy().ravel()).max() < 5e-4 * far, (name, n, i)
            blind = scribe.step(i, x, torch.zeros_like(x), None).x0
            far = max(1.0, float(blind.abs().max()))
            assert np.abs(np.array(path[i]["x0_uncond"]) - blind.numpy().ravel()).max() < 2e-5 * far, (name, n, i)
            assert path[i]["alphaBar"] == pytest.approx(step.alpha_bar, rel=1e-5)
            x = walk.move(i, x, guess)[0]
        far = max(1.0, float(x.abs().max()))
        assert len(path) == len(walk.timesteps) + 1 and path[-1]["alphaBar"] == 1
        assert np.abs(np.array(path[-1]["x_t"]) - x.numpy().ravel()).max() < 2e-5 * far, (name, n)


CANVAS = """globalThis.ImageData = class { constructor(w, h) { this.data = new Uint8ClampedArray(4 * w * h); } };
globalThis.document = { createElement: () => {
    const put = [];
    return { getContext: () => ({ putImageData: (image, x, y) => put.push([x, y, Array.from(image.data)]) }),
             toDataURL: () => JSON.stringify(put) };
} };
"""


def unpacked(sprite: dict, unit: float) -> np.ndarray:
    """The values of a sprite's frames, (N, h w, 3): each is told as its difference from the one before."""
    w, h = sprite["size"]
    put, levels = json.loads(sprite["src"]), []
    columns = sprite["columns"]
    assert [(x, y) for x, y, _ in put] == [(k % columns * w, k // columns * h) for k in range(len(put))]
    for _, _, data in put:
        frame = np.array(data).reshape(h * w, 4)
        assert (frame[:, 3] == 255).all()
        levels.append(frame[:, :3] if not levels else (levels[-1] + frame[:, :3] - 128) % 256)
    return (np.array(levels) - 128) * unit


def test_the_player_is_given_what_python_packs():
    """The same guided path: all numbers of paths.pack, and in each frame the colours to half a level."""
    generator, ts, bars = torch.Generator().manual_seed(0), [999, 500, 250], [0.0051234567, 0.2512345, 0.64]
    draw = partial(torch.randn, 1, 4, 2, 3, generator=generator)
    to_rgb = torch.rand(5, 3, generator=generator) / 2
    steps = [Step(draw(), draw(), bar, t, draw()) for bar, t in zip(bars, ts, strict=True)]
    steps.append(Step(draw(), torch.zeros(1, 4, 2, 3), 1.0, -1))
    recipe = Recipe(model="Tiny", prompt=("a cat",), seed=(3,), n=3, guidance_scale=2.5)
    trajectory = Trajectory(steps, recipe, to_rgb=to_rgb)
    views = {"x_t": "x_t", "x0": "x0", "eps": "eps", "x0_uncond": "x0_uncond"}
    path = [{"t": s.t, "alphaBar": s.alpha_bar, "x_t": s.x_t.flatten().tolist(), "x0": s.x0.flatten().tolist(),
             "eps": s.eps.flatten().tolist(),
             "x0_uncond": None if s.x0_uncond is None else s.x0_uncond.flatten().tolist()} for s in steps]  # fmt: skip
    told = {"name": "Tiny", "shape": [4, 2, 3], "size": [2, 1], "to_rgb": to_rgb.tolist(), "samplers": {"ddim": "DDIM"}}
    asked = {"prompt": " a cat ", "seed": 3, "n": 3, "guidance": 2.5, "sampler": "ddim"}
    pictures = [[10 * k + c if c else 255 for c in (1, 2, 3, 0, 4, 5, 6, 0)] for k in range(4)]
    got = node(f"{CANVAS} out = path.playerData(given.told, given.asked, given.path, given.pictures);",
               {"told": told, "asked": asked, "path": path, "pictures": pictures})  # fmt: skip
    packed = got["paths"][0]
    detail = Detail(x0=1 / 127, eps=1 / 32, frame=100, steps=100, side=100, quality=80)
    expected = paths.pack(trajectory, [0, 1, 2, 3], 0, detail, ["x_t", "x0_uncond"], {})
    for name in ("direction", "points", "total", "alpha", "number", "corrections", "latents"):
        assert packed[name] == expected[name], name
    assert packed["t"][:3] == ts
    for name in ("change", "moved"):
        np.testing.assert_allclose(numbers(packed[name]), numbers(expected[name]), rtol=1e-5, atol=1e-6)
    units = numbers(packed["units"])
    np.testing.assert_allclose(units[1:], [1 / 32, *to_rgb[4].tolist()], rtol=1e-6)
    colours = {name: torch.stack([(getattr(s, name) if getattr(s, name) is not None else s.x0)[0] for s in steps])
               .flatten(2).mT @ to_rgb[:4] for name in views if name != "x_t"}  # fmt: skip
    most = float(colours["x0"].abs().max())
    assert units[0] == pytest.approx(min(2, max(1, most)) / 127)
    for name, values in colours.items():
        unit = units[1] if name == "eps" else units[0]
        wanted = values.clamp(-127 * unit, 127 * unit).numpy()
        assert np.abs(unpacked(packed["frames"][name], unit) - wanted).max() <= 0.501 * unit
    shown = packed["pictures"]["x0"]
    assert shown["at"] == [0, 1, 2, 3] and shown["size"] == [2, 1]
    assert [data for _, _, data in json.loads(shown["src"])] == pictures
    assert got["stops"] == sorted({int(np.abs(np.array([*bars, 1]) - share).argmin()) for share in paths.STOPS})
    assert got["title"] == "“a cat”" and got["recipe"] == ["Tiny · seed 3 · DDIM, 3 steps · guidance 2.5"]
    assert [panel["what"] for panel in got["panels"]] == list(views) and got["pairs"] == [[k, 0] for k in range(4)]


def numbers(address: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(address.partition(",")[2]), "<f4")
