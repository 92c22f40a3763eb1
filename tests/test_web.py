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
from types import SimpleNamespace
from urllib.parse import parse_qs

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
from diffusion_lab.player.views import VIEWS
from diffusion_lab.recipe import Recipe
from diffusion_lab.stable_diffusion import StableDiffusion, web
from diffusion_lab.stable_diffusion.prompts import nearest
from diffusion_lab.stable_diffusion.schedulers import KINDS, fresh
from diffusion_lab.stable_diffusion.walk import Walk
from diffusion_lab.trajectory import Step, arrived

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


def other(model, shape=(4, 16, 16), most=24, scaling_factor=0.5, **scheduler):
    """A model as `habits` reads it that differs from one in what is named."""
    pipeline = model.pipeline
    changed = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **scheduler)
    text = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=most))
    vae = SimpleNamespace(config=SimpleNamespace(scaling_factor=scaling_factor))
    pipeline = SimpleNamespace(tokenizer=pipeline.tokenizer, scheduler=changed, text_encoder=text, vae=vae,
                               vae_scale_factor=8)  # fmt: skip
    return SimpleNamespace(name="Other", guidance_scale=3, to_rgb=model.to_rgb, shape=shape, pipeline=pipeline)


def test_model_json_of_another_model_says_what_that_one_is(tiny):
    assert tiny.pipeline.tokenizer.model_max_length == 24
    for most, tokens in ((12, 12), (77, 24)):
        told = web.habits(other(tiny, shape=(4, 16, 24), most=most))
        assert (told["tokens"], told["shape"], told["size"]) == (tokens, [4, 16, 24], [192, 128])
        assert (told["name"], told["guidance_scale"], told["scaling_factor"]) == ("Other", 3.0, 0.5)


@pytest.mark.parametrize("told", [{"timestep_spacing": "leading"}, {"prediction_type": "flow"}])
def test_what_the_page_could_not_draw_is_refused(tiny, told):
    words = {"timestep_spacing": "trailing", "prediction_type": "v_prediction"} | told
    with pytest.raises(LabError, match=f"trailing timesteps .* {' and '.join(words.values())} came"):
        web.habits(other(tiny, **told))


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
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    graph = made.graph
    for one in (made, graph, graph.node[0], graph.initializer[0], graph.input[0], graph.output[0]):
        one.metadata_props.add(key="stack", value="/home/somebody/file.py")
        one.doc_string = "somebody"
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
    assert np.all(np.frexp(s)[0] * 4096 % 1 == 0)  # 12 bits
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
    assert said == "Tiny SD does not know “rad” (red?)."
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


@WEB_EXTRA
def test_weights_of_which_the_scales_would_be_most_are_not_kept_as_bytes():
    from onnx import TensorProto, helper, numpy_helper

    ones, few = np.ones(32, np.float32), np.full((16, 8), 2, np.float32)
    graph = helper.make_graph([], "none", [], [], [numpy_helper.from_array(ones, "ones"),
                                                   numpy_helper.from_array(few, "few")])  # fmt: skip
    web.shrink(graph)
    kinds = {one.name: one.data_type for one in graph.initializer}
    assert kinds == {"ones_half": TensorProto.FLOAT16, "few_half": TensorProto.FLOAT16}


@pytest.mark.parametrize(("options", "expected"), [([], "as it is"), (["--int8"], "rounded")])
def test_the_command_rounds_where_it_is_asked_to(monkeypatch, capsys, tmp_path, options, expected):
    monkeypatch.setattr(StableDiffusion, "load", lambda name, device: "as it is")
    monkeypatch.setattr(web, "rounded", lambda model: "rounded")
    monkeypatch.setattr(web, "export", lambda model, out: (out.mkdir(), (out / "model").write_text(model), out)[2])
    out = tmp_path / "web"
    assert main(["export-web", "--out", str(out), *options]) == 0
    assert (out / "model").read_text() == expected
    assert capsys.readouterr().out == f"{out}: tiny-sd for a page, 0.0 MB\n"


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
    for version in ("1.20.1", "1.31.0"):
        (tmp_path / "package.json").write_text(json.dumps({"version": version}), encoding="utf-8")
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


def test_whoever_gives_the_courses_address_finds_it_on_the_pages(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(DRAW.parent)
    build, asked = importlib.import_module("build"), []
    monkeypatch.setattr(build, "PAGES", tmp_path)
    shutil.copy(DRAW.parent / "teaching.md", tmp_path)
    build.teaching([], "https://host/course.git")
    page = (tmp_path / "teaching.md").read_text(encoding="utf-8")
    assert "colab 04 https://host/course.git --out" in page and "repo=https://host/course.git&" in page
    start = build.start((ROOT / "README.md").read_text(encoding="utf-8"), "https://host/course.git")
    assert "git clone --depth 1 https://host/course.git diffusion_lab" in start and "<address>" not in start
    monkeypatch.setattr(build, "build", lambda *given: asked.append(given))
    monkeypatch.setattr("sys.argv", ["build.py", "--out", str(tmp_path / "site"), "--address", "https://host/a.git"])
    build.main()
    assert asked == [(tmp_path / "site", "https://host/a.git")]


def test_what_a_lesson_says_of_the_page_that_draws_can_be_drawn(tiny, monkeypatch):
    monkeypatch.syspath_prepend(DRAW.parent)
    links = [parse_qs(asked) for _, asked in importlib.import_module("reading").TRY.values()]
    assert links and {name for link in links for name in link} <= {"prompt", "seed", "steps", "guidance", "sampler"}
    clip = "const clip = words.tokenizer(given.merges);"
    script = clip + "out = given.asked.map(([text]) => words.complaint(text, given, clip));"
    assert set(node(script, web.habits(tiny) | {"asked": [link["prompt"] for link in links]})) == {""}
    assert {name for link in links for name in link.get("sampler", [])} <= set(web.habits(tiny)["samplers"])


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
    names = ("random", "words", "samplers", "chips", "fields", "files", "path", "frame")
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


def test_an_arrow_moves_a_number_by_what_it_says():
    fields = [("1.1", -0.5, 0, 20), ("2,5", 0.5, 0, 20), ("0.2", -0.5, 0, 20), ("x", 1, 1, 100), ("100", 1, 1, 100),
              (str(2**53 - 2), 1, 0, 2**53 - 1), (str(2**53 - 1), 1, 0, 2**53 - 1)]  # fmt: skip
    script = """out = given.fields.map(([value, by, least, most]) => {
        const field = { value, dataset: { least: String(least), most: String(most) } };
        fields.move(field, by);
        return String(field.value);
    });"""
    assert node(script, {"fields": fields}) == ["0.6", "3", "0", "1", "100", str(2**53 - 1), str(2**53 - 1)]


def test_an_old_browser_lets_the_player_scroll():
    """Where nobody tells how high it is, nothing of it is hidden."""
    script = """
    globalThis.getComputedStyle = () => ({ backgroundColor: "red" });
    globalThis.document = { body: {} };
    class ResizeObserver { constructor(act) { this.observe = act; } }
    out = [{ ResizeObserver }, {}].map((contentWindow) => {
        const body = { style: {}, querySelector: () => true, offsetHeight: 7 }, documentElement = { style: {} };
        const inside = { style: {}, contentDocument: { body, documentElement }, contentWindow };
        frame.Frame.prototype.dress.call({ frame: inside });
        return [body.className, documentElement.style.overflow ?? "", inside.style.height ?? ""];
    });"""
    assert node(script, {}) == [["red", "hidden", "7px"], ["red", "", ""]]


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
    assert said[0] == "" and said[1] == "Tiny SD does not know “rad” (red?)."
    press = "Take one of the words to press."
    assert said[2:5] == [f"Tiny SD does not know “{word}”. {press}" for word in ("xylophone", "<script>", "😀")]
    assert said[5] == "Tiny SD reads at most 22 words and signs; 23 came."
    assert said[6] == "A prompt has at most 1,000 letters; 10,000 came."
    assert said[7].startswith("Tiny SD does not know “b”, “c”.")


def test_what_a_refusal_names_has_an_end(tiny):
    nonsense, press = [letter * 3 for letter in "qxzjkvwy"], "Take one of the words to press."
    asked = {
        "a " * 22: "", "x" * 1000: f"does not know “{'x' * 24}…”. {press}",
        "x" * 1001: "at most 1,000 letters; 1,001 came.",
        "x" * 24: f"does not know “{'x' * 24}”. {press}", "rad dgo rad": "does not know “rad” (red?), “dgo” (dog?).",
        "rad qqq": "does not know “rad” (red?), “qqq”.", "ponny kitens": "“ponny” (pony?), “kitens” (kittens?).",
        "three turtle flying please dragon": f"“three”, “turtle”, “flying”, “please” and 1 more. {press}",
        " ".join(nonsense[:4]): f"does not know “qqq”, “xxx”, “zzz”, “jjj”. {press}",
        " ".join([*nonsense[:4], "rad"]): f"“jjj” and 1 more. {press}",
    }  # fmt: skip
    script = """const clip = words.tokenizer(given.merges);
    out = given.asked.map((text) => words.complaint(text, given, clip));"""
    for (text, end), said in zip(asked.items(), node(script, web.habits(tiny) | {"asked": list(asked)}), strict=True):
        assert said.endswith(end) and bool(said) == bool(end), (text, said)


def test_the_fields_numbers_are_read_as_people_write_them():
    mild = {"prompt": "a cat", "seed": "3", "steps": "8", "guidance": "2.5", "sampler": "ddim"}
    read = {"seed": {" 12 ": 12, "1e3": 1000, "9007199254740991": 2**53 - 1},
            "steps": {"1": 1, "100": 100, "+5": 5},
            "guidance": {"0": 0, "20": 20, "2,5": 2.5, ".5": 0.5, "3.": 3}}  # fmt: skip
    seed, steps = (f"The {name} a whole number from {reach};" for name, reach in (
        ("seed is", "0 to 9007199254740991"), ("steps are", "1 to 100")))  # fmt: skip
    guidance, long = "Guidance is a number from 0 to 20;", "12345678901234567890123x"
    refused = {
        "seed": {text: f"{seed} {text} came." for text in ("1,0", "-1", "9007199254740992", "0x10", long)} | {
            " ": f"{seed} nothing came.", f"{long}y": f"{seed} {long}… came.",
            "🎈" * 30: f"{seed} {'🎈' * 24}… came."},
        "steps": {text: f"{steps} {text} came." for text in ("0", "101", "1,0", "2.5")},
        "guidance": {text: f"{guidance} {text} came." for text in ("-0.1", "20.5", "2,5,1", "x")},
    }  # fmt: skip
    cases = [(name, text, said) for table in (read, refused) for name in table for text, said in table[name].items()]
    got = node("out = given.map(fields.request);", [mild | {name: text} for name, text, _ in cases])
    for (name, text, said), found in zip(cases, got, strict=True):
        mine = {"steps": "n"}.get(name, name)
        whole = {"prompt": "a cat", "seed": 3, "n": 8, "guidance": 2.5, "sampler": "ddim"} | {mine: said}
        assert found == ({"field": name, "say": said} if isinstance(said, str) else whole), (name, text)


def test_a_field_answers_to_the_arrow_keys():
    script = """out = given.map(([value, key, least, most, by]) => {
        const field = Object.assign(new EventTarget(), { value, dataset: { least, most, by } });
        let heard = 0;
        field.addEventListener("input", () => (heard += 1));
        fields.arrows(field);
        field.dispatchEvent(Object.assign(new Event("keydown", { cancelable: true }), { key }));
        return [String(field.value), heard];
    });"""
    cases = [("7", "ArrowUp", "8"), ("7", "ArrowDown", "6"), ("7", "Enter", "7"), ("9", "ArrowUp", "9"),
             ("1", "ArrowDown", "1"), ("x", "ArrowUp", "1"), ("2,5", "ArrowUp", "3.5")]  # fmt: skip
    got = node(script, [[value, key, "1", "9", "1"] for value, key, _ in cases])
    assert got == [[moved, int(key != "Enter")] for _, key, moved in cases]
    assert node(script, [["2,5", "ArrowDown", "0", "20", "0.5"]]) == [["2", 1]]


def test_the_word_meant_is_found_as_in_python(tiny):
    known = web.habits(tiny)["words"]
    source = np.random.default_rng(0)
    typed = ["dgo", "hrose", "rad", "xy", "", "x" * 2000, "penguni", *(swapped(word) for word in known)]
    typed += ["".join(source.choice(list("abcdeorst"), 5)) for _ in range(40)]
    got = node("out = given.typed.map((word) => words.nearest(word, given.known));", {"typed": typed, "known": known})
    assert got == [nearest(word, known) for word in typed]
    assert got[:7] == ["dog", "horse", "red", "", "", "", "penguin"]
    known, word = ["a" * 30 + "b" * 10, "a" * 31, "a" * 30 + "b" * 11], "a" * 30 + "b" * 20  # 40 letters are looked at
    assert node("out = words.nearest(given.word, given.known);", {"word": word, "known": known}) == known[0]
    assert nearest(word, known) == known[0]


def swapped(word: str) -> str:
    return word[:-2] + word[:-3:-1]


CHIPS = [
    ("", "figure", "astronaut", "an astronaut"),
    ("an astronaut riding a horse on mars", "figure", "cat", "a cat riding a horse on mars"),
    ("two kittens in town", "figure", "dog", "two dogs in town"),
    ("TWO DOGS", "figure", "cat", "TWO cats"),
    ("an astronaut riding a red pony on mars", "ride", "standing", "an astronaut standing on mars"),
    ("a frog standing on mars", "ride", "bicycle", "a frog riding a bicycle on mars"),
    ("a frog on mars", "ride", "horse", "a frog riding a horse on mars"),
    ("a frog, on mars", "ride", "horse", "a frog riding a horse, on mars"),
    ("a cat and a dog on bikes", "ride", "horse", "a cat and a dog riding a horse"),
    ("a bicycle on mars", "ride", "horse", "a horse on mars"),
    ("somebody on mars", "ride", "horse", "somebody riding a horse on mars"),
    ("somebody", "ride", "horse", "somebody riding a horse"),
    ("a cat by the sea, standing", "place", "snow", "a cat in the snow, standing"),
    ("A cat.", "place", "mars", "A cat on mars"),
    ("A cat on mars", "colour", "orange", "An orange cat on mars"),
    ("an orange cat", "colour", "white", "a white cat"),
    ("on mars", "colour", "red", "on mars red"),
    ("a cat", "style", "oil", "a cat in oil"),
]


def test_a_chip_takes_the_place_of_the_word_of_its_kind(tiny):
    kinds = web.habits(tiny)["kinds"] | {"style": {"oil": ["in oil"]}}
    got = node("out = given.asked.map((one) => chips.put(...one.slice(0, 3), given.kinds));",
               {"kinds": kinds, "asked": CHIPS})  # fmt: skip
    for (*asked, expected), put in zip(CHIPS, got, strict=True):
        assert put == expected, asked


def test_times_and_shares_are_those_of_python_for_every_number_of_steps(tiny):
    told = web.habits(tiny) | {"all": list(range(1, 101))}
    got = node("out = given.all.map((n) => ['ddim', 'dpmpp_2m'].map((name) => samplers.SAMPLERS[name](given, n)"
               ".map((step) => [step.t, step.alphaBar])));", told)  # fmt: skip
    for n, pair in zip(told["all"], got, strict=True):
        for name, rows in zip(("ddim", "dpmpp_2m"), pair, strict=True):
            scheduler = fresh(tiny.pipeline.scheduler, name)
            scheduler.set_timesteps(n)
            times, bars = np.array(rows).T
            assert times.tolist() == scheduler.timesteps.tolist(), (name, n)
            if name == "ddim":
                assert np.array_equal(bars.astype(np.float32), scheduler.alphas_cumprod[scheduler.timesteps]), n
            else:
                noise = scheduler.sigmas[:-1].numpy()
                assert np.abs(np.sqrt((1 - bars) / bars) / noise - 1).max() < 3e-7, n


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon", "sample"])
def test_paths_are_those_of_the_schedulers(tiny, kind):
    """With a network that both sides can compute: a wave of what it sees."""
    told = web.habits(tiny) | {"prediction": KINDS[kind], "final": 1.0}  # Tiny SD's own is its first alpha_bar
    asked = [(name, n) for name in web.DRAWN for n in (1, 2, 4, 7, 20, 61)]
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
        scheduler.final_alpha_cumprod = torch.tensor(1.0)
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
    drawn = [[10 * k + c if c else 255 for c in (1, 2, 3, 0, 4, 5, 6, 0)] for k in range(7)]
    pictures = {"x0": drawn[:4], "x0_uncond": drawn[4:]}
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
    for name, kept in (("x0", drawn[:4]), ("x0_uncond", [*drawn[4:], drawn[3]])):  # at the end there is one picture
        shown = packed["pictures"][name]
        assert shown["at"] == [0, 1, 2, 3] and shown["size"] == [2, 1]
        assert [data for _, _, data in json.loads(shown["src"])] == kept
    assert got["stops"] == sorted({int(np.abs(np.array([*bars, 1]) - share).argmin()) for share in paths.STOPS})
    assert got["title"] == "“a cat”" and got["recipe"] == ["Tiny · seed 3 · DDIM, 3 steps · guidance 2.5"]
    assert [panel["what"] for panel in got["panels"]] == list(views) and got["pairs"] == [[k, 0] for k in range(4)]


def numbers(address: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(address.partition(",")[2]), "<f4")


def test_latents_are_painted_as_the_player_paints_them():
    """The bias of `to_rgb` belongs to the picture: x_t has sqrt(alpha_bar) of it, noise none."""
    draw = partial(torch.randn, 1, 4, 2, 3, generator=torch.Generator().manual_seed(0))
    to_rgb = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)) / 4
    trajectory = Trajectory([Step(draw(), draw(), 0.3, 500), arrived(draw())], to_rgb=to_rgb)
    kinds = [(k, name) for k in (0, 1) for name in ("x_t", "x0", "eps")]
    shares = {"x_t": lambda bar: bar**0.5, "x0": lambda bar: 1, "eps": lambda bar: 0}
    asked = [[getattr(trajectory[k], name).flatten().tolist(), shares[name](trajectory[k].alpha_bar)]
             for k, name in kinds]  # fmt: skip
    got = node(CANVAS + """out = given.asked.map(([x, share]) => {
        const canvas = document.createElement();
        path.paint(canvas, given, Float32Array.from(x), share);
        return [canvas.width, canvas.height, JSON.parse(canvas.toDataURL())];
    });""", {"shape": [4, 2, 3], "to_rgb": to_rgb.tolist(), "asked": asked})  # fmt: skip
    for (k, name), (width, height, [[x, y, data]]) in zip(kinds, got, strict=True):
        pixels, expected = np.array(data).reshape(2, 3, 4), VIEWS[name].pixels(trajectory, k, 0, 1)[0]
        assert (width, height, x, y) == (3, 2, 0, 0) and np.all(pixels[..., 3] == 255)
        assert np.abs(pixels[..., :3] - expected.astype(int)).max() <= 1, (k, name)
