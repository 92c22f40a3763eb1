// Panels that are an equation, and everything that is drawn again at each step.

const BODY = `
<div class="dl-head"><div class="dl-title"></div><p class="dl-opening" role="status"></p></div>
<div class="dl-panels"><div class="dl-column"><div class="dl-eq"></div><p class="dl-means"></p></div></div>
<div class="dl-band"><svg aria-hidden="true"></svg><input type="range" min="0" step="1"></div>
<div class="dl-controls">
<div class="dl-said"><p class="dl-caption"></p></div>
<button type="button" data-do="flag" aria-keyshortcuts="Space">I know it <kbd aria-hidden="true">Space</kbd></button>
<button type="button" data-do="back" aria-label="One step back" aria-keyshortcuts="ArrowLeft">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M12 2L4 8l8 6z"/></svg></button>
<button type="button" data-do="play" aria-keyshortcuts="Space"></button>
<button type="button" data-do="on" aria-label="One step on" aria-keyshortcuts="ArrowRight">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2l8 6-8 6z"/></svg></button>
<button type="button" data-do="speed"></button>
<button type="button" data-do="news" aria-pressed="false" aria-keyshortcuts="D">what changed <kbd aria-hidden="true">D</kbd></button>
<button type="button" data-do="pull" aria-pressed="false" aria-keyshortcuts="U"><span></span> <kbd aria-hidden="true">U</kbd></button>
<button type="button" data-do="flip" aria-pressed="false" aria-keyshortcuts="F">flip A and B <kbd aria-hidden="true">F</kbd></button>
<button type="button" data-do="control" aria-pressed="false" aria-keyshortcuts="C">control: mirror B <kbd aria-hidden="true">C</kbd></button>
<button type="button" data-do="show">Show me</button>
<button type="button" data-do="details" aria-expanded="false">details</button>
</div>
<p class="dl-formula"></p>
<div class="dl-facts" hidden></div>
<p class="dl-note"></p>`;
const DOTS = { shown: "#444444", signal: "#0072B2", guess: "#009E73", noise: "#D55E00", pull: "#9B4677", reference: "#666666" };
const NARROW = { hero: 304, small: 224, side: 162, even: 250, seen: 160 }; // shares of the width, in a notebook
const WIDE = { small: 240, side: 190, even: 236, seen: 160 }; // pixels at most, on a slide; the hero's are --hero

function build(root, state) {
  const { data, paths } = state, single = !data.names;
  const live = node("div", "", { className: "dl-live" });
  live.innerHTML = BODY;
  root.append(live);
  const equation = live.querySelector(".dl-eq"), shown = data.panels.map((panel) => panel.what);
  // Latents are drawn as colours in the equation; the guess decoded to a picture stands large beside it.
  const decoded = single && paths[0].latents && paths[0].pictures.x0 && shown.includes("x0");
  const panels = decoded ? data.panels.filter(({ what }) => !VIEWS[what].beside) : data.panels;
  state.summed = single && shown.join(" ").startsWith("x_t x0 eps");
  state.standsIn = (panel) => single && panel.what === "x0" && !decoded === !panel.decoded; // in whose place others are shown
  state.panels = addPanels(equation, panels, decoded, state);
  if (decoded) {
    const hero = panelOf({ path: 0, what: "x0", decoded: true }, "hero", state);
    live.querySelector(".dl-panels").prepend(hero.element);
    state.panels.unshift(hero);
  }
  live.classList.toggle("dl-latents", !!decoded);
  live.classList.toggle("dl-two", !single);
  live.classList.toggle("dl-holds", single && !!paths[0].change && !paths[0].points);
  live.classList.toggle("dl-points", paths[0].points);
  live.classList.toggle("dl-riddle", shown[0] === "x_t" && single); // while it asks, only what it sees is seen
  if (data.start) equation.append(node("div", data.start, { className: "dl-start" }));
  const whole = !single && shown.every((what) => what === "x0") && paths[0].pictures.x0; // no panel shows latents
  const small = paths[0].pictures.x0 ? `small: ${data.small}; large: decoded` : data.small;
  live.querySelector(".dl-means").textContent = whole ? "" : data.small && small;
  live.querySelector(".dl-note").textContent = data.note;
  for (const name of ["title", "opening", "caption", "formula", "band", "eq", "facts"]) state[name] = live.querySelector(`.dl-${name}`);
  keepRoom(state);
  state.range = live.querySelector("input");
  state.range.max = state.N - 1;
  addButtons(live, state, shown);
  return live;
}

// The panels of the equation, with operators between them; returns them in their order.
function addPanels(equation, panels, decoded, state) {
  const { data, paths } = state, columns = { wide: [], narrow: [] };
  const hero = data.names || decoded ? null : paths[0].direction === "reverse" && panels.some(({ what }) => what === "x0") ? "x0" : panels[0].what;
  const add = (element, kind) => {
    equation.append(element);
    element.style.setProperty("--column", equation.children.length);
    columns.wide.push(!kind ? "max-content" : kind === "hero" ? "var(--hero)" : `minmax(0, ${WIDE[kind]}px)`);
    if (kind !== "side") columns.narrow.push(kind ? `minmax(0, ${NARROW[kind]}fr)` : "max-content");
  };
  const made = panels.map((panel, n) => {
    if (state.summed && (panel.what === "x0" || panel.what === "eps")) {
      const operator = node("div", "", { className: "dl-op" });
      const weight = node("b", "", { className: panel.what === "x0" ? "dl-signal" : "dl-noisy" });
      operator.append(node("span", panel.what === "x0" ? "=" : "+"), weight, node("span", "×"));
      add(operator);
    }
    const side = VIEWS[panel.what].beside && n > 0, noisy = panel.what === "x_t" && paths[0].direction === "reverse";
    const kind = data.names ? (noisy ? "seen" : "even") : panel.what === hero ? "hero" : side ? "side" : "small";
    const one = panelOf(panel, kind, state);
    add(one.element, kind);
    return one;
  });
  equation.style.setProperty("--wide", columns.wide.join(" "));
  equation.style.setProperty("--narrow", columns.narrow.join(" "));
  return made;
}

function panelOf(panel, kind, state) {
  const element = node("div", "", { className: `dl-panel dl-${kind}${panel.gap ? " dl-gap" : ""}` });
  if (!panel.decoded) element.dataset.what = panel.what;
  element.toggleAttribute("data-beside", !!VIEWS[panel.what].beside);
  element.style.setProperty("--own", `var(--${roleOf(panel, state)})`);
  const top = node("div", "", { className: "dl-top" }), canvas = node("canvas", ""), label = node("div", "", { className: "dl-label" });
  canvas.setAttribute("role", "img");
  if (kind === "side") top.append(node("div", markOf(panel.what, state), { className: "dl-mark" }));
  top.append(canvas);
  element.append(top, label);
  const made = { ...panel, kind, element, canvas, label };
  setLabel(made, panel.what, state);
  return made;
}

function addButtons(live, state, shown) {
  const { data, paths } = state, single = !data.names, { beside } = paths[0];
  state.buttons = Object.fromEntries([...live.querySelectorAll("button")].map((b) => [b.dataset.do, b]));
  const { news, flip, pull, control } = state.buttons;
  news.hidden = !(single && paths[0].change && !paths[0].points && shown.includes("x0"));
  flip.hidden = single || data.panels.filter((panel) => !panel.gap).length < 2;
  control.hidden = !state.gaps?.every((gap) => gap === 0) || paths[0].points || !data.panels.some((panel) => panel.gap);
  pull.hidden = !(single && beside && shown.includes(VIEWS[beside].beside));
  pull.firstElementChild.textContent = VIEWS[beside]?.hold || "";
}

// Its colour: on a forward path x0 is the picture itself, on a reverse one a guess of it.
const roleOf = ({ what, gap }, { paths }) => (gap ? "" : VIEWS[what].role[paths[0].direction]);

function setLabel(panel, what, state, side = panel.path) {
  const now = { ...panel, what, path: side };
  const mark = panel.kind === "side" ? "" : markOf(what, state, state.hold === "news" && state.standsIn?.(panel));
  panel.label.replaceChildren(...labelOf(now, state));
  panel.canvas.setAttribute("aria-label", [panel.label.textContent.trim(), mark].filter(Boolean).join(", "));
  panel.label.dataset.role = roleOf(now, state);
  if (mark) VIEWS[what].beside ? panel.label.append(" · " + mark) : panel.label.replaceChildren(mark);
}

function drawPanel(panel, state) {
  if (panel.gap) return drawDifference(panel, state);
  const { paths, pairs, i } = state, side = state.hold === "flip" ? 1 - panel.path : panel.path; // A and B change places
  const path = paths[side], k = pairs[i][side];
  const held = state.standsIn(panel), hold = held || state.data.names ? state.hold : null;
  const what = hold === "pull" ? path.beside : panel.decoded && !state.open ? "x_t" : panel.what;
  const kept = path.frames[what];
  const shown = [what, kept ? placeOf(kept, k) : k, hold, state.open, side].join();
  if (shown === panel.shown) return; // what stays as it was is not drawn again
  panel.shown = shown;
  if (held || kept?.at || state.data.names) setLabel(panel, what, state, side);
  panel.broken = false;
  const none = kept ? placeOf(kept, k) < 0 : false;
  panel.element.toggleAttribute("data-none", none);
  if (none) return blank(panel, path.size(what));
  if (path.points) return scatter(panel.canvas, path, k, what, DOTS[roleOf({ what }, state)], "#000");
  const large = panel.decoded || (what !== "x_t" && (state.data.names || !path.pictures.x0 || !state.panels[0].decoded));
  const pictures = large ? path.pictures[what] : null, place = pictures ? placeOf(pictures, k) : -1;
  if (place >= 0) paintPicture(panel.canvas, pictures, place);
  else {
    panel.broken = paint(panel.canvas, path.values(what, k), path.size(what), path.bias(what, k));
    if (panel.decoded) panel.label.append(": not at this step, its latents stand here");
  }
  const told = (of, role) => mark(panel.canvas, path[of](k, what), path.size(what), path.scale(of, what), role);
  if (VIEWS[what].beside) told("apart", roleOf({ what }, state));
  if (hold === "news") told("news", "guess");
  if (hold === "control" && side) mirror(panel.canvas);
}

function mirror(canvas) {
  const { width, height } = canvas, copy = Object.assign(document.createElement("canvas"), { width, height });
  copy.getContext("2d").drawImage(canvas, 0, 0);
  const context = canvas.getContext("2d");
  context.setTransform(-1, 0, 0, 1, width, 0);
  context.drawImage(copy, 0, 0);
  context.resetTransform();
}

// A step without this view: an empty panel that says so.
function blank({ canvas, label }, [w, h]) {
  sized(canvas, w, h).clearRect(0, 0, w, h);
  canvas.setAttribute("aria-label", `${label.textContent.trim()}, not at this step`);
  label.replaceChildren("not at this step");
}

// The difference of two guesses around middle grey, at half strength, so that nothing is cut off.
function drawDifference(panel, state) {
  const [a, b] = state.paths, [j, k] = state.pairs[state.i];
  if (a.points) {
    scatter(panel.canvas, a, j, "x0", "#009E73", "#000");
    const side = a.size("x0")[0], values = b.values("x0", k);
    const at = (v, i) => [(side / 2) * (1 + v[2 * i] / a.reach), (side / 2) * (1 - v[2 * i + 1] / a.reach)];
    return rings(panel.canvas.getContext("2d"), values, at, "#333333");
  }
  let [one, two] = state.panels.filter((other) => other.what === "x0" && !other.gap).map((other) => {
    const { width, height } = other.canvas;
    return other.canvas.getContext("2d").getImageData(0, 0, width, height);
  });
  if (state.hold === "flip") [one, two] = [two, one];
  const context = sized(panel.canvas, one.width, one.height);
  const image = context.createImageData(one.width, one.height);
  for (let p = 0; p < image.data.length; p++) {
    image.data[p] = p % 4 === 3 ? 255 : 127.5 + (one.data[p] - two.data[p]) / 2;
  }
  context.putImageData(image, 0, 0);
}

function draw(state) {
  const { paths, pairs, i, N } = state, alpha = paths[0].alpha[pairs[i][0]];
  const last = (panel) => Number(!!panel.gap); // a difference reads what the others show
  [...state.panels].sort((a, b) => last(a) - last(b)).forEach((panel) => drawPanel(panel, state));
  state.broken = state.panels.some((panel) => panel.broken);
  const weights = [Math.sqrt(alpha), Math.sqrt(1 - alpha)].map((v) => v.toFixed(2));
  state.eq.toggleAttribute("data-held", state.panels.some((panel) => !panel.decoded && state.standsIn(panel)) && !!state.hold);
  if (state.summed) {
    state.live.querySelectorAll(".dl-op b").forEach((b, n) => (b.textContent = weights[n]));
    state.formula.replaceChildren(letter("x_t"), " = ", node("b", weights[0], { className: "dl-signal" }), " × ", letter("x0"),
      " + ", node("b", weights[1], { className: "dl-noisy" }), " × ", letter("eps"));
  }
  const said = facts(state);
  state.caption.replaceChildren(...saying(said));
  state.range.value = i;
  state.range.setAttribute("aria-valuetext", inWords(state));
  state.title.textContent = state.open ? state.data.title : state.data.ask;
  const opening = state.flag === null ? state.data.opening : verdict(state);
  if (state.opening.textContent !== opening) state.opening.textContent = opening;
  state.opening.toggleAttribute("data-verdict", state.flag !== null);
  state.facts.replaceChildren(...(state.open ? details(state) : []).map((line) => node("p", line)));
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
