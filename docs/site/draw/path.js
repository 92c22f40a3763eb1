// The steps of a picture as colours, and as the course's player reads them (diffusion_lab/player/paths.py says the same in Python).

const FINEST = { x0: 1 / 127, eps: 1 / 32 }; // the value of one level

const rms = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
const minus = (a, b) => a.map((v, i) => v - b[i]);

// Numbers as the player reads them: float32, as an address of data.
function floats(numbers) {
  const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
  return "data:application/octet-stream;base64," + btoa(String.fromCharCode(...bytes));
}

// A latent as colours without the bias, red, green and blue of a pixel side by side.
function colours(x, { shape: [channels, h, w], to_rgb }) {
  const out = new Float32Array(3 * h * w);
  for (let i = 0; i < out.length; i++) {
    const p = Math.floor(i / 3);
    for (let k = 0; k < channels; k++) out[i] += x[k * h * w + p] * to_rgb[k][i % 3];
  }
  return out;
}

// Paint a latent on a canvas; the bias belongs to the picture: noise has none, x_t its share.
export function paint(canvas, told, x, share) {
  const [, h, w] = told.shape, bias = told.to_rgb.at(-1), rgb = colours(x, told), image = new ImageData(w, h);
  for (let p = 0; p < h * w; p++) image.data.set([...bias.map((b, c) => 127.5 * (rgb[3 * p + c] + share * b + 1)), 255], 4 * p);
  Object.assign(canvas, { width: w, height: h }).getContext("2d").putImageData(image, 0, 0);
}

// Frames of bytes (three a pixel) in one grid, as a lossless picture.
function grid(frames, w, h) {
  const columns = Math.ceil(Math.sqrt(frames.length)), rows = Math.ceil(frames.length / columns);
  const canvas = Object.assign(document.createElement("canvas"), { width: columns * w, height: rows * h });
  frames.forEach((frame, k) => {
    const image = new ImageData(w, h);
    for (let p = 0; p < w * h; p++) image.data.set([frame[3 * p], frame[3 * p + 1], frame[3 * p + 2], 255], 4 * p);
    canvas.getContext("2d").putImageData(image, (k % columns) * w, Math.floor(k / columns) * h);
  });
  return { count: frames.length, size: [w, h], columns, src: canvas.toDataURL("image/png") };
}

// Each frame as its difference from the one before, modulo 256: level 128 is the value 0.
function sprite(values, unit, w, h) {
  const levels = values.map((frame) => Uint8Array.from(frame, (v) => 128 + Math.max(-127, Math.min(127, Math.round(v / unit)))));
  return grid(levels.map((frame, k) => (k ? frame.map((v, i) => v - levels[k - 1][i] + 128) : frame)), w, h);
}

function packed(told, path, pictures) {
  const [channels, h, w] = told.shape, last = path.length - 1, guided = path[0].x0_uncond !== null;
  const of = { x0: (step) => step.x0, eps: (step) => step.eps, ...(guided && { x0_uncond: (step) => step.x0_uncond || step.x0 }) };
  const seen = Object.fromEntries(Object.entries(of).map(([name, get]) => [name, path.map((step) => colours(get(step), told))]));
  const most = seen.x0.reduce((most, frame) => frame.reduce((a, v) => Math.max(a, Math.abs(v)), most), 1);
  const units = { x0: FINEST.x0 * Math.min(2, most), eps: FINEST.eps };
  const frames = Object.entries(seen).map(([name, values]) => [name, sprite(values, units[name] || units.x0, w, h)]);
  const shown = (kept) => kept.map((picture) => picture.filter((_, i) => i % 4 !== 3));
  const decoded = (kept) => ({ at: [...kept.keys()], ...grid(shown(kept), ...told.size) });
  return {
    direction: "reverse", points: false, total: last, latents: true, corrections: [],
    alpha: path.map((step) => Number(step.alphaBar.toPrecision(6))), t: path.map((step) => step.t),
    number: path.map((_, k) => (k === last ? 0 : k + 1)),
    change: floats(path.map((step, k) => (k ? rms(minus(step.x0, path[k - 1].x0)) : 0))),
    moved: guided ? floats(path.map((step) => rms(minus(step.x0, of.x0_uncond(step))) / Math.max(rms(step.x0), 1e-12))) : null,
    units: floats([units.x0, units.eps, ...told.to_rgb[channels]]),
    frames: Object.fromEntries(frames),
    pictures: { x0: decoded(pictures.x0), ...(guided && { x0_uncond: decoded([...pictures.x0_uncond, pictures.x0.at(-1)]) }) },
  };
}

// All that a player reads: `asked` made the steps `path`; `pictures` are those of their guesses x0 and, without the prompt,
// x0_uncond, from the first step on; at the end there is one picture only.
export function playerData(told, asked, path, pictures) {
  const [, h, w] = told.shape, views = ["x_t", "x0", "eps", ...(path[0].x0_uncond ? ["x0_uncond"] : [])];
  const alphas = path.map((step) => step.alphaBar);
  const nearest = (share) => alphas.reduce((best, a, k) => (Math.abs(a - share) < Math.abs(alphas[best] - share) ? k : best), 0);
  const pull = asked.guidance === 1 ? "" : `guidance ${asked.guidance}`;
  const recipe = [told.name, `seed ${asked.seed}`, `${told.samplers[asked.sampler]}, ${asked.n} steps`, pull];
  return {
    title: asked.prompt.trim() ? `“${asked.prompt.trim()}”` : "From static to picture",
    opening: "Static becomes a picture: at each step the computer guesses it, and a little static goes.",
    ask: "", rest: "result", small: `the ${w}×${h} latents that the model works on, as colours`, note: "",
    paths: [packed(told, path, pictures)], recipe: [recipe.filter(Boolean).join(" · ")],
    panels: views.map((what) => ({ path: 0, what })), pairs: path.map((_, k) => [k, 0]),
    stops: [...new Set([0, 0.1, 0.35, 0.7, 1].map(nearest))].sort((a, b) => a - b),
  };
}
