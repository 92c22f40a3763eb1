"""What the site's page draws with: the networks as ONNX, model.json, and the page's own JavaScript beside Python."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch

from diffusion_lab.__main__ import main
from diffusion_lab.errors import LabError
from diffusion_lab.stable_diffusion import StableDiffusion, web

WEB_EXTRA = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None or importlib.util.find_spec("onnxscript") is None,
    reason="the extra `web` is not here",
)
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
    assert (told["n"], told["guidance_scale"], told["sampler"]) == (20, 2.5, "dpmpp_2m_sde")
    assert (told["prediction"], told["shape"], told["size"], told["tokens"]) == ("v", [4, 16, 16], [128, 128], 24)
    assert torch.equal(torch.tensor(told["to_rgb"]), tiny.to_rgb)
    assert len(told["merges"]) + 512 + 2 == len(tokenizer) and "astronaut" in told["words"]
    assert set(told["to_draw"]) < set(told["words"])


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
def test_a_folder_of_something_else_stays(tiny, tmp_path):
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LabError, match="which holds something else; choose another --out"):
        web.export(tiny, tmp_path)
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8") == "mine"


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
    web.halve(made.graph)
    kinds = {one.name: one.data_type for one in made.graph.initializer}
    assert kinds == {"even_half": TensorProto.FLOAT16, "odd": TensorProto.FLOAT, "large": TensorProto.FLOAT}
    assert b"somebody" not in made.SerializeToString()
    assert np.array_equal(ReferenceEvaluator(made).run(None, {"x": odd})[0], before)


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
    told = json.loads(names["model.json"])
    assert told["bytes"] == {name: len(data) for name, data in names.items() if name.endswith(".onnx")}
    assert sum(map(len, names.values())) < 12e6
    assert not [name for name, data in names.items() if b".py" in data or b"site-packages" in data]


def test_the_command_refuses_a_toy(capsys, tmp_path):
    assert main(["export-web", "icons", "--out", str(tmp_path / "web")]) == 2
    assert "icons" in capsys.readouterr().err
