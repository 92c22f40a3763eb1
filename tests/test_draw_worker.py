"""The worker of the page that draws, its networks and its page played by a test: whom it answers, and what it says."""

import gzip
import hashlib
import json
import shutil
import subprocess
from base64 import b64encode

import pytest

from diffusion_lab.commands.environment import ROOT
from diffusion_lab.stable_diffusion import StableDiffusion, web

DRAW = ROOT / "docs" / "site" / "draw"
# Three small networks: the text's says the sum of a prompt's tokens, the U-Net this and no more, the decoder the
# latent's first number everywhere. Each run is `asked` first, as the page may speak at that moment.
RUNTIME = """
class Session {
  constructor(name) { this.name = name; }
  async run(given) {
    globalThis.asked?.(this.name, given);
    const [, h, w] = globalThis.shape;
    const dims = { text: () => [1, given.ids.dims[1], 2], unet: () => given.x.dims,
                   decoder: () => [1, 3, 8 * h, 8 * w] }[this.name]();
    const size = dims.reduce((a, b) => a * b), said = Array.from(given.condition?.data ?? []);
    const sum = this.name === "text" && Array.from(given.ids.data, Number).reduce((a, b) => a + b) / 1e4;
    const number = { text: () => sum, decoder: () => given.latent.data[0],
                     unet: (i) => said[Math.floor(i / (size / dims[0])) * (said.length / dims[0])] }[this.name];
    return { out: { dims, data: Float32Array.from({ length: size }, (_, i) => number(i)) } };
  }
}
export const env = { wasm: {} };
export class Tensor { constructor(type, data, dims) { Object.assign(this, { type, data, dims }); } }
export const InferenceSession = { create: async (bytes) => new Session(new TextDecoder().decode(bytes)) };
"""
STAGE = """import fs from "fs";
const given = JSON.parse(fs.readFileSync(0, "utf8")), said = [], waits = [];
Object.assign(globalThis, { self: globalThis, HELD: given.held, shape: given.shape, onmessage: null });
globalThis.postMessage = (message) => { said.push(message); for (const look of waits) look(); };
const until = (is) => new Promise((done) => { const look = () => is() && done(); waits.push(look); look(); });
const heard = (kind, id) => said.some((one) => one.kind === kind && one.id === id);
const asked = { prompt: "a cat", seed: 0, n: 3, guidance: 1, sampler: "ddim" };
const ask = (id, more) => onmessage({ data: { ...asked, id, ...more } });
await import("./worker.js");
%s
const short = ({ kind, id, say, picture }) => [kind, id, say, picture?.length].filter((one) => one !== undefined);
console.log(JSON.stringify(said.map(short)));
process.exit(0);
"""


@pytest.fixture(scope="module")
def told() -> dict:
    blobs = {name: name.encode() for name in ("wasm", "text", "unet", "decoder")}
    return web.habits(StableDiffusion.load("tiny-sd", device="cpu")) | {
        "whole": {name: len(blob) for name, blob in blobs.items()},
        "packed": {name: len(gzip.compress(blob)) for name, blob in blobs.items()},
        "prints": {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()},
    }


@pytest.fixture
def plays(told, tmp_path):
    """What the worker says, message after message, while a script plays the page."""
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    for name in ("worker", "words", "samplers", "random", "files"):
        shutil.copy(DRAW / f"{name}.js", tmp_path)
    (tmp_path / "ort.js").write_text(RUNTIME, encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    held = {f"{name}.bin": address(gzip.compress(name.encode())) for name in told["whole"]}

    def play(script: str, **other: str) -> list[list]:
        (tmp_path / "stage.js").write_text(STAGE % script, encoding="utf-8")
        files = held | {"model.json": address(json.dumps(told).encode())} | other
        given = {"shape": told["shape"], "factor": told["scaling_factor"], "held": files}
        run = subprocess.run(["node", "stage.js"], cwd=tmp_path, input=json.dumps(given), capture_output=True,
                             text=True, encoding="utf-8", timeout=120)  # fmt: skip
        assert run.returncode == 0, run.stderr
        return [one for one in json.loads(run.stdout) if one[0] != "coming"]

    return play


def address(data: bytes) -> str:
    return "data:application/octet-stream;base64," + b64encode(data).decode()


def side(told: dict) -> int:
    return 4 * 64 * told["shape"][1] * told["shape"][2]  # numbers of a picture: red, green, blue, opaque


def test_whoever_types_on_is_answered_and_what_was_asked_before_is_given_up(plays, told):
    """While the second of 50 steps is computed three others come: only the last of them is drawn, at once."""
    said = plays("""
        let calls = 0;
        globalThis.asked = (name) => {
            if (name === "unet" && (calls += 1) === 2) for (const id of [2, 3, 4]) ask(id, { n: 2 });
        };
        await until(() => heard("ready"));
        ask(1, { n: 50 });
        await until(() => heard("drawn", 4));
    """)
    assert said == [["ready"], *[["step", 1]] * 2, *[["step", 4]] * 3, ["drawn", 4, side(told)]]


def test_a_request_that_comes_while_the_model_comes_is_drawn_once_it_is_there(plays, told):
    said = plays("""ask(1, { n: 1 }); ask(2, { n: 1 }); await until(() => heard("drawn", 2));""")
    assert said == [["ready"], ["step", 2], ["step", 2], ["drawn", 2, side(told)]]


def test_a_prompt_that_it_cannot_read_costs_no_step_and_a_latent_no_more_than_its_picture(plays, told):
    said = plays("""
        const names = [], empty = given.shape.reduce((a, b) => a * b);
        globalThis.asked = (name) => names.push(name);
        await until(() => heard("ready"));
        names.length = 0;
        ask(1, { prompt: "a zzz" });
        await until(() => heard("refused", 1));
        onmessage({ data: { id: 7, latent: new Float32Array(empty) } });
        await until(() => heard("shown", 7));
        said.push({ kind: names.join() });
    """)
    why = "Tiny SD does not know “zzz”. Take one of the words to press."
    assert said == [["ready"], ["refused", 1, why], ["shown", 7, side(told)], ["decoder"]]


def test_guidance_goes_from_the_guess_without_the_prompt_towards_that_with_it(plays):
    """v = v_uncond + w (v_cond - v_uncond), and x0 = alpha x - sigma v; whatever w is but 1."""
    numbers = """
        const steps = said.map(({ step }) => step).filter((step) => step?.x0_uncond);
        const first = ({ alphaBar, x_t, x0, x0_uncond }) => [alphaBar, x_t[0], x0[0], x0_uncond[0]];
        said.splice(0, said.length, ...steps.map((step) => ({ kind: first(step) })));"""
    sigma, guess = lambda bar: (1 - bar) ** 0.5, {}  # noqa: E731
    for w in (0, 0.5, 2.5):
        said = plays(f'ask(1, {{ guidance: {w} }}); await until(() => heard("drawn", 1)); {numbers}')
        assert len(said) == 3
        for (bar, x, x0, without), in said:
            v, v_uncond = ((bar**0.5 * x - one) / sigma(bar) for one in (x0, without))
            guess.setdefault("uncond", v_uncond), guess.setdefault(w, v)
            assert v == pytest.approx(guess[w], rel=1e-4) and v_uncond == pytest.approx(guess["uncond"], rel=1e-4)
    pull = guess[2.5] - guess["uncond"]
    assert abs(pull) > 0.01 and guess[0] == pytest.approx(guess["uncond"], rel=1e-4)
    assert guess[0.5] - guess["uncond"] == pytest.approx(pull / 5, rel=1e-3)


def test_a_picture_is_that_of_the_latent_as_the_decoder_has_it(plays, told):
    said = plays("""
        await until(() => heard("ready"));
        const latent = Float32Array.from({ length: given.shape.reduce((a, b) => a * b) }, () => 0.5 * given.factor);
        onmessage({ data: { id: 7, latent } });
        await until(() => heard("shown", 7));
        said.splice(0, said.length, { kind: [...new Set(said.at(-1).picture)] });
    """)
    assert said == [[[191, 255]]]  # 255 (0.5 / 2 + 0.5), and opaque


def test_what_has_come_of_the_model_is_told_as_a_share(plays, told):
    said = plays("""
        await until(() => heard("ready"));
        const come = said.filter(({ kind }) => kind === "coming").map(({ share, total }) => [share, total]);
        said.splice(0, said.length, { kind: come });
    """)
    (shares,), total = said[0], sum(told["packed"].values())
    assert shares[-1] == [1, total] and [share for share, _ in shares] == sorted({share for share, _ in shares})


@pytest.mark.parametrize("guidance", [1, 0.5, 2.5])
def test_guidance_asks_twice_in_one_batch_and_none_once(plays, guidance):
    (_, *calls), *_ = plays(f"""
        const batches = [];
        globalThis.asked = (name, {{ x, condition }}) => 
            name === "unet" && batches.push([x.dims[0], condition.dims[0]].join("+"));
        ask(1, {{ guidance: {guidance} }});
        await until(() => heard("drawn", 1));
        said.splice(0, said.length, {{ kind: "calls", say: batches.join() }});
    """)
    assert calls == [",".join(["1+1" if guidance == 1 else "2+2"] * 3)]


@pytest.mark.parametrize(("error", "sentence"), [
    ("new RangeError('x')", "there is not enough memory here; close other pages"),
    ("new Error('could not allocate')", "there is not enough memory here; close other pages"),
    ("new Error('Out of MEMORY')", "there is not enough memory here; close other pages"),
    ("new Error('it rains')", "it rains")])  # fmt: skip
def test_after_a_failure_it_says_why_and_nothing_more(plays, error, sentence):
    said = plays(f"""
        await until(() => heard("ready"));
        globalThis.asked = () => {{ throw {error}; }};
        ask(1);
        await until(() => heard("failed"));
        globalThis.asked = null;
        ask(2, {{ n: 1 }});
        for (let k = 0; k < 50; k++) await new Promise((done) => setImmediate(done));
    """)
    assert said == [["ready"], ["failed", sentence]]


@pytest.mark.parametrize(("name", "body", "sentence"), [
    ("unet.bin", gzip.compress(b"unet")[:-3], "unet.bin came incomplete or damaged"),
    ("unet.bin", gzip.compress(b"uneT"), "unet.bin came incomplete or damaged"),
    ("decoder.bin", b"decodeR", "decoder.bin came incomplete or damaged"),
    ("model.json", b"{}", "model.json came damaged, or is another file")])  # fmt: skip
def test_a_file_that_is_not_the_models_is_named(plays, name, body, sentence):
    assert plays('await until(() => heard("failed"));', **{name: address(body)}) == [["failed", sentence]]


def test_without_encryption_a_file_is_told_by_its_length(plays):
    bare = "delete Crypto.prototype.subtle;"
    other = {"unet.bin": address(gzip.compress(b"uneT"))}, {"unet.bin": address(gzip.compress(b"une"))}
    wait = 'await until(() => heard("ready") || heard("failed"));'
    assert [plays(bare + wait, **one) for one in other] == [
        [["ready"]], [["failed", "unet.bin came incomplete or damaged"]]]  # fmt: skip


def test_a_host_that_has_unpacked_what_is_packed_is_served_too(plays):
    said = plays('await until(() => heard("ready") || heard("failed"));', **{"unet.bin": address(b"unet")})
    assert said == [["ready"]]
