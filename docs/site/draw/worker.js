// Draws beside the page, so that the page stays awake: fetches the model, then answers the latest request only.

import { PARTS, brought, damaged } from "./files.js";
import * as ort from "./ort.js";
import { denoise } from "./samplers.js";
import { complaint, padded, tokenizer } from "./words.js";

let told, clip, text, unet, decoder, empty;
let wanted = null, busy = true;

const { port1, port2 } = new MessageChannel();
// A breath between two steps, in which a newer request can come in.
const breath = () => new Promise((done) => { port1.onmessage = done; port2.postMessage(0); });

const over = new AbortController(); // aborted by a failure: what is on its way is given up, and nothing more is said
const tell = (message) => over.signal.aborted || postMessage(message);

// What `read` makes of a file; where that is nothing, once more, past what the browser keeps of it.
async function retried(name, read, print) {
  const once = async (cache) => read(await brought(name, { cache, signal: over.signal }, print));
  return once("default").catch(() => once("reload"));
}

async function pieces(body, count) {
  const all = [], reader = body.getReader();
  for (let piece; !(piece = await reader.read()).done; ) {
    all.push(piece.value);
    count(piece.value.length);
  }
  return new Blob(all);
}

// A file that was packed with gzip, unpacked here; hosts that have unpacked it on the way are served too.
const fetched = (name, count) => retried(`${name}.bin`, async (answer) => {
  const broken = new Error(`${name}.bin came incomplete or damaged`);
  const blob = await pieces(answer.body, count).catch(() => { throw broken; });
  const head = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  const packed = head[0] === 0x1f && head[1] === 0x8b;
  const whole = packed ? new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))) : blob;
  const bytes = await whole.arrayBuffer().catch(() => new ArrayBuffer(0)); // gzip holds a checksum
  if (bytes.byteLength !== told.whole[name] || await differs(bytes, told.prints[name])) throw broken;
  return bytes;
}, told.prints[name]);

// Has it another SHA-256? Where the page lies at an address without encryption, nobody can tell.
async function differs(bytes, print) {
  if (!crypto.subtle) return false;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") !== print;
}

async function habits(answer) {
  const said = await answer.json().catch(() => null);
  if (damaged(said).length) throw new Error("model.json came damaged, or is another file");
  return said;
}

async function open() {
  if (typeof WebAssembly === "undefined") throw new Error("this browser has no WebAssembly, which the model needs; try another one");
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to unpack the model; try a newer one");
  told = await retried("model.json", habits);
  clip = tokenizer(told.merges);
  const total = PARTS.reduce((sum, name) => sum + told.packed[name], 0);
  let come = 0;
  const count = (bytes) => tell({ kind: "coming", share: Math.min(1, (come += bytes) / total), total });
  const [wasm, ...networks] = await Promise.all(PARTS.map((name) => fetched(name, count)));
  Object.assign(ort.env.wasm, { wasmBinary: wasm, numThreads: 1 });
  text = await session(networks[0]);
  unet = await session(networks[1]);
  decoder = await session(networks[2]);
  empty = await read("");
  tell({ kind: "ready", told });
}

const session = (bytes) => ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: ["wasm"] });
const floats = (data, ...shape) => new ort.Tensor("float32", data, shape);

// What the U-Net reads of a prompt, (tokens, width) in a row.
async function read(prompt) {
  const ids = BigInt64Array.from(padded(clip, prompt, told.tokens), BigInt);
  return (await text.run({ ids: new ort.Tensor("int64", ids, [1, told.tokens]) })).out.data;
}

function joined(a, b) {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

// predict(x, t): with guidance the U-Net is asked twice in one batch, uncond + w (cond - uncond); w = 1 asks once.
function guided(condition, w) {
  const twice = w !== 1, heard = twice ? joined(empty, condition) : condition;
  const B = twice ? 2 : 1, width = condition.length / told.tokens;
  return async (x, t) => {
    const given = { x: floats(twice ? joined(x, x) : x, B, ...told.shape), t: floats(Float32Array.of(t), 1),
                    condition: floats(heard, B, told.tokens, width) };
    const guess = (await unet.run(given)).out.data;
    if (!twice) return { guess, uncond: null };
    return { guess: x.map((_, i) => guess[i] + w * (guess[i + x.length] - guess[i])), uncond: guess.slice(0, x.length) };
  };
}

// The picture of a latent as red, green, blue, opaque, a byte each.
async function pixels(x0) {
  const { data, dims: [, , h, w] } = (await decoder.run({ latent: floats(x0.map((v) => v / told.scaling_factor), 1, ...told.shape) })).out;
  const out = new Uint8ClampedArray(4 * h * w).fill(255);
  for (let p = 0; p < h * w; p++) for (let c = 0; c < 3; c++) out[4 * p + c] = (data[c * h * w + p] / 2 + 0.5) * 255;
  return out;
}

async function draw(asked) {
  const say = complaint(asked.prompt, told, clip);
  if (say) return tell({ kind: "refused", id: asked.id, say });
  const began = performance.now(), predict = guided(await read(asked.prompt), asked.guidance);
  let last;
  for await (const step of denoise(predict, told, asked)) {
    tell({ kind: "step", id: asked.id, step: (last = step) });
    await breath();
    if (wanted) return; // somebody has typed on
  }
  const picture = await pixels(last.x0);
  tell({ kind: "drawn", id: asked.id, picture, ms: performance.now() - began });
}

// The picture of one latent of a path, which the page lacks.
const show = async ({ id, latent }) => tell({ kind: "shown", id, picture: await pixels(latent) });

async function work() {
  busy = true;
  while (wanted) {
    const asked = wanted;
    wanted = null;
    try {
      await (asked.latent ? show(asked) : draw(asked));
    } catch (error) {
      failed(error);
    }
  }
  busy = false;
}

function failed(error) {
  const full = error instanceof RangeError || /memory|allocat/i.test(error.message);
  tell({ kind: "failed", say: full ? "there is not enough memory here; close other pages" : error.message });
  over.abort();
}

onmessage = ({ data }) => {
  wanted = data;
  if (!busy) work();
};

open().then(work, failed);
