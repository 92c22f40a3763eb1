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

const HUES = { signal: "blue", noise: "orange", guess: "green", pull: "purple", reference: "grey" };

function labelOf({ what, path, gap, decoded }, { paths, data, hold }) {
  const { direction, points } = paths[0];
  if (gap) return [points ? "A filled, B ringed" : "A − B; grey: no difference"];
  const title = VIEWS[what].title[direction].replace("{thing}", points ? "points" : "picture");
  if (data.names) {
    const told = data.names[path].length > 1 && (what === "x0" || direction === "forward");
    const name = told ? data.names[path] : `${"AB"[path]} · ${title}`;
    return [name + (hold === "control" && path ? ", mirrored" : "") + "\u00a0", letter(what)];
  }
  if (decoded) return [title + ", decoded"];
  return VIEWS[what].letter ? [title + "\u00a0", letter(what)] : [title];
}

// What the marked places mean.
const markOf = (what, { paths }, news) =>
  VIEWS[what].beside ? `${HUES[VIEWS[what].role[paths[0].direction]]}: where it differs` : news ? "green: what changed since the step before" : "";

function place(path, k) {
  if (path.number[k] === 0 || (path.alpha[k] === 1 && path.t[k] === -1)) {
    return path.direction === "reverse" ? "Finished" : path.points ? "The clean points" : "The clean picture";
  }
  const total = path.total.toLocaleString("en-GB");
  return `Step ${path.number[k].toLocaleString("en-GB")} of ${total}`;
}

const saying = (said) => said.flatMap((part, n) => [n ? " · " : "", node(n ? "span" : "b", part)]);

function facts(state, i = state.i) {
  const { paths, pairs, data } = state;
  const [a, b] = pairs[i], path = paths[0], alpha = path.alpha[a];
  const said = [], thing = path.points ? "data" : "picture";
  if (paths[1]) {
    said.push(paths.map((p, w) => "AB"[w] + " " + place(p, [a, b][w]).toLowerCase().replace("step ", "")).join(", "));
  } else {
    said.push(place(path, a));
    if (path.corrections.includes(a)) said.push("correction: a second call of this step");
  }
  if (!paths[1] || path.direction === "reverse") {
    said.push(`${percent(alpha)} % ${thing}, ${percent(1 - alpha)} % noise`);
  } else {
    said.push(paths.map((p, w) => `${"AB"[w]} ${percent(p.alpha[[a, b][w]])} % ${thing}`).join(", "));
  }
  if (state.hold === "control") said.push("B is mirrored: this is what a difference looks like");
  else if (data.gaps) said.push(state.gaps[i] === 0 ? "no difference at all" : `largest difference ${state.gaps[i].toPrecision(2)}`);
  if (state.broken) said.push("not a number (NaN)");
  return said;
}

// The longest caption stands unseen under the one that is read: the buttons beside it never move while it plays.
function keepRoom(state) {
  const every = state.pairs.map((_, i) => facts(state, i)), long = (said) => said.join().length;
  const most = every.reduce((a, b) => (long(b) > long(a) ? b : a)).map((part) => part.replace(/[\d.]/g, "0"));
  const room = node("p", "", { className: "dl-room", ariaHidden: "true" });
  room.append(...saying(most));
  state.caption.before(room);
}

// What stands behind "details": numbers of the step, what the path was made from, the keys.
function details(state) {
  const { paths, pairs, i, data } = state, [a] = pairs[i], path = paths[0], alpha = path.alpha[a], said = [];
  if (!paths[1] && path.t[a] !== -1) said.push(`t ${path.t[a]}: the model’s own clock`);
  if (!paths[1] && alpha < 1) said.push(`SNR ${brief(alpha / (1 - alpha))}: picture ÷ noise`);
  if (!paths[1] && path.moved && path.moved[a] > 0) said.push(VIEWS[path.beside].says.replace("{share}", percent(path.moved[a])));
  const made = data.recipe.filter(Boolean).map((line, n) => (paths[1] ? `${"AB"[n]}: ${line}` : line));
  return [said.join(" · "), ...made, "Keys: ← → one step · Page Up, Page Down a tenth of the way · Home, End · Space plays · Esc leaves"].filter(Boolean);
}

// How the learner's flag compares with the machine.
function verdict({ paths, pairs, flag }) {
  const step = (k) => place(paths[0], k).toLowerCase().replace(/ of .*/, ""), settled = paths[0].settled();
  return `You: ${step(pairs[flag][0])}` + (settled === null ? "." : `; most of the change was over by ${step(settled)}.`);
}

function inWords(state) {
  const held = { pull: [`shown ${VIEWS[state.paths[0].beside]?.hold}`], news: ["marked: what changed since the step before"],
    flip: ["A and B have changed places"], control: ["B is mirrored"] }[state.hold] || [];
  const flag = state.flag === null ? [] : [verdict(state)];
  return [...facts(state), ...held, ...flag].join(", ").replaceAll(" %", " percent").replaceAll(" · ", ", ");
}
