// The band: the schedule as the scrubber. Drawn in CSS pixels, again whenever its width changes.

const SVG = "http://www.w3.org/2000/svg";
const PAD = 14, BARS = 26;

function svg(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text) node.textContent = text;
  parent.append(node);
  return node;
}

// One line along the shares of picture of `path`, at the places `index` picks for it.
function outline(pairs, path, which, at) {
  return pairs.map((pair, k) => at(k, path.alpha[pair[which]]).map((v) => v.toFixed(1)).join(" "));
}

function drawBand(root, state) {
  const { data, paths, N, pairs } = state;
  const box = root.querySelector(".dl-band"), drawing = box.querySelector("svg");
  const width = box.clientWidth, height = box.clientHeight;
  if (!width) return;
  const barred = paths.some((path) => path.change), bars = barred ? BARS : 0, ticks = 6;
  drawing.replaceChildren();
  const words = barred ? drawWords(drawing, paths, width, height) : 0;
  const area = height - words - bars - ticks;
  const at = (k, share) => [PAD + (N > 1 ? k / (N - 1) : 0.5) * (width - 2 * PAD), (1 - share) * area];
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg(drawing, "rect", { class: "dl-noise", x: PAD, y: 0, width: width - 2 * PAD, height: area });
  for (let y = 7, row = 0; y < area; y += 9, row++) {
    const x = PAD + 4 + (row % 2) * 5.5;
    svg(drawing, "path", { class: "dl-dots", d: `M${x} ${y}H${width - PAD}` });
  }
  // Of two reverse paths, aligned by noise level, the one with more steps draws the border.
  const forward = paths[0].direction === "forward";
  const finest = !forward && paths[1] && paths[1].alpha.length === N ? 1 : 0;
  const border = outline(pairs, paths[finest], finest, at);
  svg(drawing, "path", { class: "dl-picture", d: `M${at(0, 0).join(" ")}L${border.join("L")}L${at(N - 1, 0).join(" ")}Z` });
  if (paths[1] && forward) svg(drawing, "path", { class: "dl-other", d: "M" + outline(pairs, paths[1], 1, at).join("L") });
  const spacing = (width - 2 * PAD) / Math.max(1, N - 1);
  const marks = [];
  if (spacing >= 3) for (let k = 0; k < N; k++) marks.push(`M${at(k, 0)[0].toFixed(1)} ${area}v${ticks - 1}`);
  svg(drawing, "path", { class: "dl-ticks", d: `M${PAD} ${area}H${width - PAD}` + marks.join("") });
  state.bars = drawBars(drawing, state, at, spacing, height - words);
  if (forward && paths[1]) drawHalf(drawing, state, at, width);
  state.veil = svg(drawing, "rect", { class: "dl-veil", y: -2, height: height - words + 2, width: 0 });
  const places = { noise: [forward ? width - PAD - 8 : PAD + 8, 20], picture: [forward ? PAD + 8 : width - PAD - 8, area - 8] };
  for (const word in places) {
    const anchor = (word === "noise") === forward ? "end" : "start";
    svg(drawing, "text", { class: `dl-word-${word}`, x: places[word][0], y: places[word][1], "text-anchor": anchor }, paths[0].points && word === "picture" ? "data" : word);
  }
  state.flagMark = svg(drawing, "g", { class: "dl-flag", hidden: "" });
  svg(state.flagMark, "path", { d: `M0 ${area}V2l16 7l-16 7` });
  state.line = svg(drawing, "path", { class: "dl-line" });
  state.dot2 = paths[1] && forward ? svg(drawing, "circle", { class: "dl-dot dl-second", r: 7 }) : null;
  state.dot = svg(drawing, "circle", { class: "dl-dot", r: 9 });
  state.place = (k, which = finest) => ({ x: at(k, 0)[0], y: at(k, paths[which].alpha[pairs[k][which]])[1], bottom: height - words, width });
  state.nearest = (x) => Math.round(((x - PAD) / (width - 2 * PAD)) * (N - 1));
}

// What the bars mean, below them; returns the height of this line: letters grow where a slide is shrunk.
function drawWords(drawing, paths, width, height) {
  const which = paths[1] ? ": A filled, B hollow" : "";
  const words = svg(drawing, "text", { class: "dl-word-bars", x: PAD });
  for (const means of ["bars: how much the guess changed", "bars: guess changed", "guess changed", "bars"]) {
    words.textContent = means + which;
    if (words.getComputedTextLength() <= width - 2 * PAD) break;
  }
  const letters = parseFloat(getComputedStyle(words).fontSize);
  words.setAttribute("y", height - 0.25 * letters);
  return Math.ceil(1.2 * letters);
}

// Small green bars: how much the guess changed, kept by their place on the band, both paths on one scale. The second
// path's are outlined.
function drawBars(drawing, { paths, pairs, N }, at, spacing, height) {
  const bars = {};
  const most = Math.max(1e-12, ...paths.flatMap((path) => [...(path.change || [])]));
  paths.forEach((path, which) => {
    if (!path.change) return;
    const width = Math.max(1, Math.min(12, spacing * 0.6)) / paths.length;
    for (let k = 0; k < N; k++) {
      const step = pairs[k][which];
      if (k && step === pairs[k - 1][which]) continue;
      const tall = Math.max(path.change[step] ? 2 : 0, (path.change[step] / most) * (BARS - 2)); // the least is seen, too
      const x = at(k, 0)[0] - (width * paths.length) / 2 + which * width;
      const look = which ? "dl-bar dl-hollow" : "dl-bar";
      (bars[k] ||= []).push(svg(drawing, "rect", { class: look, x, width, y: height - tall, height: tall }));
    }
  });
  return bars;
}

// Which share of picture is nearest to one half: the first, of several.
function evenAt(shares) {
  const apart = shares.map((share) => Math.abs(share - 0.5));
  return apart.indexOf(Math.min(...apart));
}

// On two forward paths: where picture and noise are even.
function drawHalf(drawing, { paths, pairs, N }, at, width) {
  svg(drawing, "path", { class: "dl-half", d: `M${PAD} ${at(0, 0.5)[1]}H${width - PAD}` });
  paths.forEach((path, which) => {
    const k = evenAt(pairs.map((pair) => path.alpha[pair[which]]));
    const [x, y] = at(k, 0.5);
    svg(drawing, "circle", { class: "dl-even", cx: x, cy: y, r: 4 });
    svg(drawing, "text", { class: "dl-word-even", x: x + 9, y: y - 7 }, "AB"[which]);
  });
}
