// The player: panels that are an equation, a band that is the scrubber, a caption, keys, play.

const BODY = `
<div class="dl-title"></div>
<div class="dl-eq"></div>
<div class="dl-band"><svg aria-hidden="true"></svg><input type="range" min="0" step="1"></div>
<p class="dl-caption"></p>
<div class="dl-controls">
<button type="button" data-do="back" aria-label="One step back" aria-keyshortcuts="ArrowLeft">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M12 2L4 8l8 6z"/></svg></button>
<button type="button" data-do="play" aria-keyshortcuts="Space"></button>
<button type="button" data-do="on" aria-label="One step on" aria-keyshortcuts="ArrowRight">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2l8 6-8 6z"/></svg></button>
<button type="button" data-do="speed"></button>
<button type="button" data-do="news" aria-pressed="false" aria-keyshortcuts="D">what changed</button>
<button type="button" data-do="pull" aria-pressed="false" aria-keyshortcuts="U">without the prompt</button>
<button type="button" data-do="flag" aria-keyshortcuts="Space">I know it</button>
<button type="button" data-do="show">Show me</button>
<span class="dl-recipe"></span>
</div>
<p class="dl-formula"></p>
<p class="dl-note"></p>`;
const ICONS = { play: '<path d="M3 1l11 7-11 7z"/>', pause: '<path d="M3 2h4v12H3zM9 2h4v12H9z"/>' };
const SPEEDS = [1, 4, 0.25];
const DOTS = { x_t: "#444444", x0: "#009E73", eps: "#D55E00", x0_uncond: "#9B4677" };
const WIDTHS = { hero: 320, small: 236, side: 170, even: 290 };

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
  const [name, index] = NAMED[what];
  const element = node("i", name);
  if (index) element.append(node("sub", index));
  return element;
};

// ---- what is said -------------------------------------------------------------------------------------------------

function labelOf({ what, path }, { paths, data }) {
  if (data.names) {
    if (what === "difference") return [paths[0].points ? "A filled, B ringed" : "A − B; grey: no difference"];
    return paths[0].direction === "reverse" ? [data.names[path]] : [data.names[path] + " ", letter(what)];
  }
  const reverse = paths[0].direction === "reverse", thing = paths[0].points ? "points" : "picture";
  const words = {
    x_t: reverse ? "what it sees " : `${thing} and noise `,
    x0: reverse ? `its guess of the ${thing} ` : `the ${thing} `,
    eps: reverse ? "its guess of the noise " : "the noise ",
    x0_uncond: "without prompt",
  };
  return what === "x0_uncond" ? [words[what]] : [words[what], letter(what)];
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
  if (!paths[1] && path.moved && path.moved[a] > 0) {
    said.push(`the prompt moved the guess by ${percent(path.moved[a])} %`);
  }
  if (data.gaps) said.push(`largest difference ${state.gaps[i] === 0 ? "0" : state.gaps[i].toPrecision(2)}`);
  if (state.broken) said.push("not a number (NaN)");
  if (state.flag !== null) said.push(`your flag: ${place(path, pairs[state.flag][0]).toLowerCase()}`);
  return said;
}

function inWords(state) {
  return facts(state).join(", ").replaceAll(" %", " percent").replaceAll(" · ", ", ");
}

// ---- what is drawn ------------------------------------------------------------------------------------------------

function build(root, state) {
  const { data, paths } = state;
  const live = node("div", "", { className: "dl-live" });
  live.innerHTML = BODY;
  root.append(live);
  const equation = live.querySelector(".dl-eq"), columns = { wide: [], narrow: [], sum: 0 };
  const shown = data.panels.map((panel) => panel.what).join(" ");
  state.summed = !data.names && shown.startsWith("x_t x0 eps");
  const hero = data.names ? null : paths[0].direction === "reverse" && shown.includes("x0") ? "x0" : data.panels[0].what;
  const add = (element, width, narrow = true) => {
    equation.append(element);
    element.style.setProperty("--column", equation.children.length);
    columns.wide.push(width ? `minmax(0, ${width}fr)` : "max-content");
    if (narrow) columns.narrow.push(width ? `minmax(0, ${width}fr)` : "max-content");
    columns.sum += width || 112;
  };
  state.panels = data.panels.map((panel, n) => {
    if (state.summed && (panel.what === "x0" || panel.what === "eps")) {
      const operator = node("div", "", { className: "dl-op" });
      const weight = node("b", "", { className: panel.what === "x0" ? "dl-signal" : "dl-noisy" });
      operator.append(node("span", panel.what === "x0" ? "=" : "+"), weight, node("span", "×"));
      add(operator, 0);
    }
    const side = panel.what === "x0_uncond" && n > 0;
    const kind = data.names ? "even" : panel.what === hero ? "hero" : side ? "side" : "small";
    const element = node("div", "", { className: `dl-panel dl-${kind}` });
    element.dataset.what = panel.what;
    const canvas = node("canvas", ""), label = node("div", "", { className: "dl-label" });
    label.append(...labelOf(panel, state));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label.textContent);
    element.append(canvas, label);
    add(element, WIDTHS[kind], !side);
    return { ...panel, kind, element, canvas, label };
  });
  if (data.start) {
    const bracket = node("div", data.start, { className: "dl-start" });
    equation.append(bracket);
  }
  equation.style.setProperty("--wide", columns.wide.join(" "));
  equation.style.setProperty("--narrow", columns.narrow.join(" "));
  equation.style.setProperty("--most", columns.sum + 14 * (equation.children.length - 1) + "px");
  equation.classList.toggle("dl-points", paths[0].points);
  live.querySelector(".dl-recipe").textContent = data.names ? "" : paths[0].label;
  live.querySelector(".dl-note").textContent = data.note;
  for (const name of ["title", "caption", "formula", "band"]) state[name] = live.querySelector(`.dl-${name}`);
  state.range = live.querySelector("input");
  state.range.max = state.N - 1;
  state.buttons = Object.fromEntries([...live.querySelectorAll("button")].map((b) => [b.dataset.do, b]));
  const single = !data.names;
  state.buttons.news.hidden = !(single && paths[0].change && !paths[0].points && shown.includes("x0"));
  state.buttons.pull.hidden = !(single && paths[0].moved && shown.includes("x0"));
  return live;
}

function drawPanel(panel, state) {
  const { paths, pairs, i } = state, path = paths[panel.path], k = pairs[i][panel.path];
  if (panel.what === "difference") return drawDifference(panel, state);
  const hero = panel.what === "x0" && !state.data.names, hold = hero ? state.hold : null;
  const what = hold === "pull" ? "x0_uncond" : panel.what;
  const shown = [what, what === "x_t" ? k : Math.min(k, path.frames[what].length - 1), hold].join();
  if (shown === panel.shown) return; // what stays as it was is not drawn again
  panel.shown = shown;
  if (hero) panel.label.replaceChildren(...labelOf({ ...panel, what }, state));
  if (path.points) return scatter(panel.canvas, path, k, what, DOTS[what], "#000");
  const pictures = path.pictures[what], place = pictures ? pictures.at.indexOf(k) : -1;
  panel.broken = false;
  if (place >= 0) paintPicture(panel.canvas, pictures, place);
  else {
    panel.broken = paint(panel.canvas, path.values(what, k), path.size, path.bias);
    if (hero && pictures) panel.label.append(" (rough preview)");
  }
  if (what === "x0_uncond") mark(panel.canvas, path.pull(k), path.size, path.scale("pull"), [204, 121, 167]);
  if (hold === "news") mark(panel.canvas, path.news(k), path.size, path.scale("news"), [0, 158, 115]);
}

// The difference of two guesses around middle grey, at half strength, so that nothing is cut off.
function drawDifference(panel, state) {
  const [a, b] = state.paths, [j, k] = state.pairs[state.i];
  if (a.points) {
    scatter(panel.canvas, a, j, "x0", "#009E73", "#000");
    const side = a.size[0], values = b.values("x0", k);
    const at = (v, i) => [(side / 2) * (1 + v[2 * i] / a.reach), (side / 2) * (1 - v[2 * i + 1] / a.reach)];
    return rings(panel.canvas.getContext("2d"), values, at, "#333333");
  }
  const [one, two] = state.panels.filter((other) => other.what === "x0").map((other) => {
    const { width, height } = other.canvas;
    return other.canvas.getContext("2d").getImageData(0, 0, width, height);
  });
  const context = sized(panel.canvas, one.width, one.height);
  const image = context.createImageData(one.width, one.height);
  for (let p = 0; p < image.data.length; p++) {
    image.data[p] = p % 4 === 3 ? 255 : 127.5 + (one.data[p] - two.data[p]) / 2;
  }
  context.putImageData(image, 0, 0);
}

function draw(state) {
  const { paths, pairs, i, N } = state, alpha = paths[0].alpha[pairs[i][0]];
  state.panels.forEach((panel) => drawPanel(panel, state));
  state.broken = state.panels.some((panel) => panel.broken);
  const weights = [Math.sqrt(alpha), Math.sqrt(1 - alpha)].map((v) => v.toFixed(2));
  if (state.summed) {
    state.live.querySelectorAll(".dl-op b").forEach((b, n) => (b.textContent = weights[n]));
    state.formula.replaceChildren(letter("x_t"), " = ", node("b", weights[0], { className: "dl-signal" }), " × ", letter("x0"),
      " + ", node("b", weights[1], { className: "dl-noisy" }), " × ", letter("eps"));
  }
  const said = facts(state);
  state.caption.replaceChildren(...said.flatMap((part, n) => [n ? " · " : "", node(n ? "span" : "b", part)]));
  state.range.value = i;
  state.range.setAttribute("aria-valuetext", inWords(state));
  state.title.textContent = state.open ? state.data.title : state.data.ask;
  if (!state.place) return;
  const { x, y, bottom, width } = state.place(i);
  state.line.setAttribute("d", `M${x} 0V${bottom}`);
  state.dot.setAttribute("cx", x);
  state.dot.setAttribute("cy", y);
  state.dot2?.setAttribute("cx", x);
  state.dot2?.setAttribute("cy", state.place(i, 1).y);
  state.now?.forEach((bar) => bar.classList.remove("dl-now"));
  state.now = state.bars[i];
  state.now?.forEach((bar) => bar.classList.add("dl-now"));
  const from = state.open || state.reach === N - 1 ? width : (state.place(state.reach).x + state.place(state.reach + 1).x) / 2;
  state.veil.setAttribute("x", from);
  state.veil.setAttribute("width", Math.max(0, width - from));
  state.flagMark.style.display = state.flag === null ? "none" : "";
  if (state.flag !== null) state.flagMark.setAttribute("transform", `translate(${state.place(state.flag).x} 0)`);
}

// ---- what hands do ------------------------------------------------------------------------------------------------

function go(state, i) {
  const last = state.open ? state.N - 1 : Math.min(state.N - 1, state.reach + 1);
  state.i = Math.max(0, Math.min(last, i));
  state.reach = Math.max(state.reach, state.i);
  if (!state.open && state.i === state.N - 1) open(state);
  draw(state);
}

function open(state) {
  state.open = true;
  state.buttons.flag.hidden = state.buttons.show.hidden = true;
  root_of(state).removeAttribute("data-asking");
}

const root_of = (state) => state.live.closest(".dl-player");

function flag(state) {
  stop(state);
  state.flag = state.i;
  open(state);
  draw(state);
  state.range.focus({ preventScroll: true });
}

function stop(state) {
  clearTimeout(state.timer);
  cancelAnimationFrame(state.request);
  state.playing = false;
  label(state);
}

function label(state) {
  const { play, speed } = state.buttons;
  play.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true">${ICONS[state.playing ? "pause" : "play"]}</svg>`;
  play.append(state.playing ? " Pause" : " Play");
  speed.textContent = { 1: "1×", 4: "4×", 0.25: "¼×" }[state.speed];
  speed.setAttribute("aria-label", `Speed ${state.speed === 0.25 ? "a quarter" : state.speed}, press to change`);
}

// The clock decides which step is shown: 6 s a path, at most 600 ms a step; every frame shown was computed.
function play(state) {
  if (state.playing) return stop(state);
  if (state.i === state.N - 1) go(state, 0);
  state.playing = true;
  label(state);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return playStops(state);
  const each = Math.min(600, 6000 / Math.max(1, state.N - 1)) / state.speed;
  const from = state.i, start = performance.now();
  const frame = (now) => {
    const i = Math.min(state.N - 1, from + Math.floor(Math.max(0, now - start) / each));
    if (i > state.i) state.open ? go(state, i) : go(state, state.i + 1);
    if (state.i === state.N - 1) return stop(state);
    state.request = requestAnimationFrame(frame);
  };
  state.request = requestAnimationFrame(frame);
}

function playStops(state) {
  const next = state.data.stops.find((k) => k > state.i);
  if (next === undefined) return stop(state);
  state.timer = setTimeout(() => {
    if (!state.open) state.reach = next - 1;
    go(state, next);
    playStops(state);
  }, 1200 / state.speed);
}

// Hold to see, let go to go back; a short press stays until the next one.
function hold(state, what, down) {
  const button = state.buttons[what];
  if (button.hidden) return;
  if (down) {
    state.held = { at: performance.now(), was: state.hold === what };
    state.hold = what;
  } else if (state.held) {
    const brief = performance.now() - state.held.at < 400;
    state.hold = brief && !state.held.was ? what : null;
    state.held = null;
  }
  for (const name of ["news", "pull"]) state.buttons[name].setAttribute("aria-pressed", state.hold === name);
  draw(state);
}

function key(event, root, state) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const onButton = event.target.tagName === "BUTTON";
  const tenth = Math.max(1, Math.round(state.N / 10));
  const actions = {
    ArrowLeft: () => step(state, -1), ArrowRight: () => step(state, 1), ArrowDown: () => step(state, -1),
    ArrowUp: () => step(state, 1), PageDown: () => step(state, -tenth), PageUp: () => step(state, tenth),
    Home: () => step(state, -state.N), End: () => step(state, state.N),
    " ": () => (state.open ? play(state) : state.i || state.playing ? flag(state) : play(state)),
    u: () => event.repeat || hold(state, "pull", true), d: () => event.repeat || hold(state, "news", true),
    Escape: () => leave(root),
  };
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (onButton && (name === " " || name === "Enter")) return event.stopImmediatePropagation();
  if (!actions[name] && name !== "Enter") return;
  if (name === "ArrowRight" && state.i === state.N - 1) {
    if (root.closest(".reveal, .jp-Deck, [data-jp-deck-mode]")) document.activeElement.blur();
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  actions[name]?.();
}

function step(state, by) {
  stop(state);
  go(state, state.i + by);
}

function leave(root) {
  document.activeElement.blur();
  root.closest(".jp-Notebook")?.focus({ preventScroll: true });
}

function wire(root, state) {
  const { band, range, buttons } = state;
  const scrub = (event) => {
    const box = band.getBoundingClientRect();
    const i = state.nearest(((event.clientX - box.left) / box.width) * band.clientWidth);
    if (i !== state.i) go(state, i);
  };
  band.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    stop(state);
    band.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true });
    scrub(event);
  });
  band.addEventListener("pointermove", (event) => band.hasPointerCapture(event.pointerId) && scrub(event));
  range.addEventListener("input", () => step(state, range.valueAsNumber - state.i));
  const act = {
    back: () => step(state, -1), on: () => step(state, 1), play: () => play(state), flag: () => flag(state),
    show: () => { open(state); draw(state); },
    speed: () => {
      state.speed = SPEEDS[(SPEEDS.indexOf(state.speed) + 1) % SPEEDS.length];
      if (state.playing) { stop(state); play(state); }
      label(state);
    },
  };
  for (const name in act) buttons[name].addEventListener("click", act[name]);
  for (const name of ["news", "pull"]) {
    buttons[name].addEventListener("pointerdown", () => hold(state, name, true));
    for (const end of ["pointerup", "pointerleave"]) buttons[name].addEventListener(end, () => hold(state, name, false));
    buttons[name].addEventListener("click", (event) => {
      if (event.detail === 0) { hold(state, name, true); hold(state, name, false); } // from the keyboard
    });
  }
  const down = (event) => key(event, root, state);
  const up = (event) => {
    const name = { u: "pull", d: "news" }[event.key.toLowerCase()];
    if (name) hold(state, name, false);
  };
  // Before Jupyter and reveal see them, and only while the player has the focus.
  root.addEventListener("focusin", () => {
    addEventListener("keydown", down, true);
    addEventListener("keyup", up, true);
  });
  root.addEventListener("focusout", (event) => {
    if (root.contains(event.relatedTarget)) return;
    removeEventListener("keydown", down, true);
    removeEventListener("keyup", up, true);
  });
}

// ---- where it lives -----------------------------------------------------------------------------------------------

function isDark(root) {
  const said = document.body.dataset.jpThemeLight;
  if (said) return said === "false";
  for (let element = root; element; element = element.parentElement) {
    const [r, g, b, a = 1] = (getComputedStyle(element).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    if (a > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 110;
  }
  return false;
}

function settle(root, state) {
  root.toggleAttribute("data-dark", isDark(root.parentElement));
  const small = state.panels.find((panel) => panel.kind === "small");
  if (small) state.live.style.setProperty("--small", small.canvas.clientHeight + "px");
  drawBand(root, state);
  draw(state);
}

function watchPage(root, state) {
  const again = () => root.isConnected && settle(root, state);
  new ResizeObserver(again).observe(state.band);
  new IntersectionObserver(([entry]) => entry.isIntersecting || stop(state)).observe(root);
  const theme = new MutationObserver(again);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

// Where it rests: the step where the guess changed most; on a forward path, where picture and noise are even.
function rest({ data, paths, pairs }) {
  if (data.ask) return 0;
  const path = paths[0], of = pairs.map((pair) => (path.change ? path.change[pair[0]] : -Math.abs(path.alpha[pair[0]] - 0.5)));
  return of.indexOf(Math.max(...of));
}

async function start(root) {
  root.dataset.live = "";
  const data = JSON.parse(root.querySelector(".dl-data").textContent);
  const paths = [];
  for (const packed of data.paths) paths.push(await openPath(packed, paths[0]));
  const state = { data, paths, pairs: data.pairs, N: data.pairs.length, hold: null, flag: null, speed: 1, open: !data.ask };
  state.i = state.reach = rest(state);
  state.gaps = floatsOf(data.gaps);
  state.live = build(root, state);
  const name = data.ask || data.title;
  root.setAttribute("aria-label", `Player: ${name}`);
  state.range.setAttribute("aria-label", `Step on the path, ${name}`);
  root.toggleAttribute("data-asking", !state.open);
  state.buttons.flag.hidden = state.buttons.show.hidden = state.open;
  wire(root, state);
  label(state);
  root.dataset.live = "yes";
  settle(root, state);
  watchPage(root, state);
}

const here = document.currentScript?.closest(".dl-player");
for (const root of here ? [here] : document.querySelectorAll(".dl-player:not([data-live])")) start(root);
