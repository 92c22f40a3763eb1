// What the player says: labels, the caption in words and numbers, the same for assistive technology.

const percent = (share) => {
  const value = 100 * share;
  return (value >= 0.05 && value < 1) || (value > 99 && value < 99.95) ? value.toFixed(1) : value.toFixed(0);
};
const brief = (v) => (v < 0.001 ? "below 0.001" : v >= 100 ? Math.round(v).toLocaleString("en-GB") : v >= 0.095 ? v.toPrecision(2) : v.toPrecision(1));
const node = (tag, text, attributes = {}) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.textContent = text;
  return element;
};
const letter = (what) => {
  const [name, index] = VIEWS[what].letter.split("_");
  const element = node("i", name);
  if (index) element.append(node("sub", index));
  return element;
};

function labelOf({ what, path, gap }, { paths, data }) {
  const { direction, points } = paths[0];
  if (gap) return [points ? "A filled, B ringed" : "A − B; grey: no difference"];
  if (data.names) return direction === "reverse" ? [data.names[path]] : [data.names[path] + " ", letter(what)];
  const title = VIEWS[what].title[direction].replace("{thing}", points ? "points" : "picture");
  return VIEWS[what].letter ? [title + "\u00a0", letter(what)] : [title];
}

function place(path, k) {
  if (path.number[k] === 0 || (path.alpha[k] === 1 && path.t[k] === -1)) {
    return path.direction === "reverse" ? `Finished after ${path.number[k] || path.total} steps` : path.points ? "The clean points" : "The clean picture";
  }
  const total = path.total.toLocaleString("en-GB");
  return `Step ${path.number[k].toLocaleString("en-GB")} of ${total}`;
}

function facts(state) {
  const { paths, pairs, i, data } = state;
  const [a, b] = pairs[i], path = paths[0], alpha = path.alpha[a];
  const said = [], thing = path.points ? "data" : "picture";
  if (paths[1]) {
    said.push(paths.map((p, w) => "AB"[w] + " " + place(p, [a, b][w]).toLowerCase().replace("step ", "")).join(", "));
  } else {
    said.push(place(path, a));
    if (path.corrections.includes(a)) said.push("correction: a second call of this step");
    if (path.t[a] !== -1) said.push(`t ${path.t[a]}`);
  }
  if (!paths[1] || path.direction === "reverse") {
    said.push(`${percent(alpha)} % ${thing}, ${percent(1 - alpha)} % noise`);
  } else {
    said.push(paths.map((p, w) => `${"AB"[w]} ${percent(p.alpha[[a, b][w]])} % ${thing}`).join(", "));
  }
  if (!paths[1] && alpha < 1) said.push(`SNR ${brief(alpha / (1 - alpha))}`);
  if (!paths[1] && state.open && path.moved && path.moved[a] > 0) {
    said.push(VIEWS[path.beside].says.replace("{share}", percent(path.moved[a])));
  }
  if (data.gaps) said.push(`largest difference ${state.gaps[i] === 0 ? "0" : state.gaps[i].toPrecision(2)}`);
  if (state.broken) said.push("not a number (NaN)");
  if (state.flag !== null) said.push(`your flag: ${place(path, pairs[state.flag][0]).toLowerCase()}`);
  return said;
}

function inWords(state) {
  const held = { pull: [`shown ${VIEWS[state.paths[0].beside]?.hold}`], news: ["marked: what changed since the step before"],
    flip: ["A and B have changed places"] }[state.hold] || [];
  return [...facts(state), ...held].join(", ").replaceAll(" %", " percent").replaceAll(" · ", ", ");
}
