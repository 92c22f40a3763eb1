// Frames: from packed levels to values, and from values to canvas pixels. Level 128 is the value 0, level 0 is NaN.

const bytesOf = (address) => Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (c) => c.charCodeAt(0));
const floatsOf = (address) => (address ? new Float32Array(bytesOf(address).buffer) : null);
// Where step k is kept among the frames or pictures of a view, -1 for nowhere: all that have it, or the one that holds for all.
const placeOf = (kept, k) => (kept.at ? kept.at.indexOf(k) : Math.min(k, kept.count - 1));

async function imageOf(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

// A sprite holds each frame as its difference from the one before, modulo 256: add them up again.
async function unpack(sprite) {
  const [w, h] = sprite.size;
  const image = await imageOf(sprite.src);
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  context.drawImage(image, 0, 0);
  const frames = [];
  for (let k = 0; k < sprite.count; k++) {
    const pixels = context.getImageData((k % sprite.columns) * w, Math.floor(k / sprite.columns) * h, w, h).data;
    const frame = new Uint8Array(w * h * 3);
    for (let i = 0, j = 0; i < frame.length; i++, j += i % 3 ? 1 : 2) {
      frame[i] = k ? frames[k - 1][i] + pixels[j] - 128 : pixels[j];
    }
    frames.push(frame);
  }
  return frames;
}

function shorts(address, count) {
  const all = new Int16Array(bytesOf(address).buffer);
  const frames = [];
  for (let i = 0; i < all.length; i += 2 * count) frames.push(all.subarray(i, i + 2 * count));
  return frames;
}

// A path with its frames unpacked ("same": those of the first path). values(what, k): colours (without the bias) or coordinates
// of step k, null where it has none; beside: the view that varies the guess, if the path has one.
async function openPath(packed, first) {
  const path = { ...packed, change: floatsOf(packed.change), moved: floatsOf(packed.moved), frames: {} };
  const units = floatsOf(packed.units);
  for (const what in packed.frames) {
    const own = packed.frames[what];
    const list = own === "same" ? null : packed.points ? shorts(own.src, packed.count) : await unpack(own);
    path.frames[what] = list ? { ...own, list, count: list.length } : first.frames[what];
  }
  path.beside = Object.keys(path.frames).find((what) => VIEWS[what].beside);
  path.size = (what) => (packed.points ? [480, 480] : (path.frames[what] || path.frames.x0).size);
  // The bias belongs to the picture: noise has none, x_t its share, so that the equation holds between the colours.
  path.bias = (what, k) => {
    const share = VIEWS[what].plain || VIEWS[what].noisy ? 0 : path.frames[what] ? 1 : Math.sqrt(path.alpha[k]);
    return units.subarray(2, 5).map((v) => v * share);
  };
  path.reach = packed.points ? units[2] : 1;
  for (const what in packed.pictures) path.pictures[what].image = await imageOf(packed.pictures[what].src);

  const tables = [0, 1].map((n) => Float32Array.from({ length: 256 }, (_, q) => (q ? (q - 128) * units[n] : NaN)));
  const last = {};
  const stored = (what, k) => {
    const place = placeOf(path.frames[what], k);
    if (place < 0) return null;
    if (last[what]?.place === place) return last[what].values;
    const frame = path.frames[what].list[place], n = VIEWS[what].noisy ? 1 : 0, values = new Float32Array(frame.length);
    if (packed.points) for (let i = 0; i < frame.length; i++) values[i] = frame[i] === -32768 ? NaN : frame[i] * units[n];
    else for (let i = 0; i < frame.length; i++) values[i] = tables[n][frame[i]];
    last[what] = { place, values };
    return values;
  };
  path.values = (what, k) => {
    if (path.frames[what]) return stored(what, k);
    const x0 = stored("x0", k), eps = stored("eps", k), x_t = new Float32Array(x0.length);
    const signal = Math.sqrt(path.alpha[k]), noise = Math.sqrt(1 - path.alpha[k]);
    for (let i = 0; i < x_t.length; i++) x_t[i] = signal * x0[i] + (noise ? noise * eps[i] : 0);
    return x_t;
  };
  // Where two guesses of one step, or the guesses of two steps, differ: rms over the colours, a value a pixel.
  path.distance = (a, b) => {
    const d = new Float32Array(a.length / 3);
    for (let i = 0, j = 0; i < d.length; i++, j += 3) {
      const red = a[j] - b[j], green = a[j + 1] - b[j + 1], blue = a[j + 2] - b[j + 2];
      d[i] = Math.sqrt((red * red + green * green + blue * blue) / 3) || 0;
    }
    return d;
  };
  path.apart = (k, what) => path.distance(path.values(VIEWS[what].beside, k), path.values(what, k) || []);
  // At which step more than half of all change was over; null where nothing changes.
  path.settled = () => {
    const all = path.change?.reduce((sum, v) => sum + v, 0);
    let sum = 0;
    return all ? path.change.findIndex((v) => (sum += v) > all / 2) : null;
  };
  path.news = (k) => path.distance(path.values("x0", k), path.values("x0", Math.max(0, k - 1)));
  const scales = {};
  path.scale = (of, what) => {
    const name = of + what;
    if (!scales[name]) {
      scales[name] = 1e-6;
      for (let k = 0; k < path.alpha.length; k++) {
        for (const d of path[of](k, what)) if (d > scales[name]) scales[name] = d;
      }
    }
    return scales[name];
  };
  return path;
}

function sized(canvas, w, h) {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  canvas.classList.toggle("dl-hard", w < 160);
  return canvas.getContext("2d");
}

// Values to pixels, one fixed scale for every panel and step: -1 black, 1 white. Where a value is NaN it is hatched;
// says whether any was.
function paint(canvas, values, [w, h], bias) {
  const context = sized(canvas, w, h);
  const image = context.createImageData(w, h), data = image.data;
  const zero = [0, 1, 2].map((c) => 127.5 * (bias[c] + 1));
  let broken = false;
  for (let p = 0, i = 0, j = 0; p < w * h; p++, i += 3, j += 4) {
    const sum = values[i] + values[i + 1] + values[i + 2];
    if (sum === sum) {
      data[j] = 127.5 * values[i] + zero[0];
      data[j + 1] = 127.5 * values[i + 1] + zero[1];
      data[j + 2] = 127.5 * values[i + 2] + zero[2];
    } else {
      broken = true;
      data.fill((((p % w) + Math.floor(p / w)) >> 1) % 2 ? 235 : 102, j, j + 3);
    }
    data[j + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return broken;
}

function paintPicture(canvas, { image, size: [w, h], columns }, place) {
  const column = place % columns, row = Math.floor(place / columns);
  sized(canvas, w, h).drawImage(image, column * w, row * h, w, h, 0, 0, w, h);
}

// Mark places in one colour, as strongly as they differ; `scale` is one for the whole path.
function mark(canvas, distance, [w, h], scale, role) {
  const colour = getComputedStyle(canvas).getPropertyValue("--" + role).trim().match(/\w\w/g).map((digits) => parseInt(digits, 16));
  const layer = Object.assign(document.createElement("canvas"), { width: w, height: h });
  const context = layer.getContext("2d");
  const image = context.createImageData(w, h);
  for (let p = 0, j = 0; p < w * h; p++, j += 4) {
    image.data[j] = colour[0];
    image.data[j + 1] = colour[1];
    image.data[j + 2] = colour[2];
    image.data[j + 3] = 170 * Math.min(1, distance[p] / scale);
  }
  context.putImageData(image, 0, 0);
  const target = canvas.getContext("2d");
  target.imageSmoothingEnabled = false;
  target.drawImage(layer, 0, 0, canvas.width, canvas.height);
}

// Points: dots on one fixed square; the followed one ringed; on x_t, arrows towards the guess.
function scatter(canvas, path, k, what, colour, ink) {
  const side = path.size(what)[0], context = sized(canvas, side, side), reach = path.reach;
  const place = (v, i) => [(side / 2) * (1 + v[2 * i] / reach), (side / 2) * (1 - v[2 * i + 1] / reach)];
  context.clearRect(0, 0, side, side);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.strokeStyle = "#ddd";
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(side / 2, 0);
  context.lineTo(side / 2, side);
  context.moveTo(0, side / 2);
  context.lineTo(side, side / 2);
  context.stroke();
  const values = path.values(what, k), N = values.length / 2;
  if (what === "x_t" && path.direction === "reverse") arrows(context, values, path.values("x0", k), place);
  dots(context, values, place, colour);
  if (path.follow >= N) return;
  context.strokeStyle = ink;
  context.lineWidth = 4;
  context.beginPath();
  context.arc(...place(values, path.follow), 11, 0, 7);
  context.stroke();
}

function dots(context, values, place, colour) {
  const radius = values.length > 1600 ? 2.5 : values.length > 200 ? 4 : 6;
  context.fillStyle = colour;
  context.beginPath();
  for (let i = 0; i < values.length / 2; i++) {
    const [x, y] = place(values, i);
    if (Number.isNaN(x + y)) continue;
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 7);
  }
  context.fill();
}

function rings(context, values, place, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  for (let i = 0; i < values.length / 2; i++) {
    const [x, y] = place(values, i);
    if (Number.isNaN(x + y)) continue;
    context.moveTo(x + 6, y);
    context.arc(x, y, 6, 0, 7);
  }
  context.stroke();
}

function arrows(context, from, to, place) {
  const every = Math.max(1, Math.ceil(from.length / 2 / 80));
  context.strokeStyle = "#009E73";
  context.lineWidth = 2;
  context.globalAlpha = 0.55;
  context.beginPath();
  for (let i = 0; i < from.length / 2; i += every) {
    context.moveTo(...place(from, i));
    context.lineTo(...place(to, i));
  }
  context.stroke();
  context.globalAlpha = 1;
}
