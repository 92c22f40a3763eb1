// Panels that are an equation, and everything that is drawn again at each step.

const BODY = `
<div class="dl-title"></div>
<div class="dl-eq"></div>
<div class="dl-band"><svg aria-hidden="true"></svg><input type="range" min="0" step="1"></div>
<p class="dl-caption"></p>
<div class="dl-controls">
<button type="button" data-do="flag" aria-keyshortcuts="Space">I know it</button>
<button type="button" data-do="back" aria-label="One step back" aria-keyshortcuts="ArrowLeft">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M12 2L4 8l8 6z"/></svg></button>
<button type="button" data-do="play" aria-keyshortcuts="Space"></button>
<button type="button" data-do="on" aria-label="One step on" aria-keyshortcuts="ArrowRight">
<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2l8 6-8 6z"/></svg></button>
<button type="button" data-do="speed"></button>
<button type="button" data-do="news" aria-pressed="false" aria-keyshortcuts="D">what changed</button>
<button type="button" data-do="pull" aria-pressed="false" aria-keyshortcuts="U"></button>
<button type="button" data-do="flip" aria-pressed="false" aria-keyshortcuts="F">flip A and B</button>
<button type="button" data-do="show">Show me</button>
<span class="dl-recipe"></span>
</div>
<p class="dl-formula"></p>
<p class="dl-note"></p>`;
const DOTS = { shown: "#444444", signal: "#0072B2", guess: "#009E73", noise: "#D55E00", pull: "#9B4677", reference: "#666666" };
const WIDTHS = { hero: 304, small: 224, side: 162, even: 270 };

function build(root, state) {
  const { data, paths } = state;
  const live = node("div", "", { className: "dl-live" });
  live.innerHTML = BODY;
  root.append(live);
  const equation = live.querySelector(".dl-eq"), columns = { wide: [], narrow: [], sum: 0 };
  const shown = data.panels.map((panel) => panel.what);
  state.summed = !data.names && shown.join(" ").startsWith("x_t x0 eps");
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
    const { beside } = VIEWS[panel.what], side = beside && n > 0;
    const kind = data.names ? "even" : panel.what === hero ? "hero" : side ? "side" : "small";
    const element = node("div", "", { className: `dl-panel dl-${kind}` });
    element.dataset.what = panel.what;
    element.toggleAttribute("data-beside", !!beside);
    element.style.setProperty("--own", `var(--${roleOf(panel, state)})`);
    const canvas = node("canvas", ""), label = node("div", "", { className: "dl-label" });
    canvas.setAttribute("role", "img");
    element.append(canvas, label);
    add(element, WIDTHS[kind], !side);
    const made = { ...panel, kind, element, canvas, label };
    setLabel(made, panel.what, state);
    return made;
  });
  if (data.start) {
    const bracket = node("div", data.start, { className: "dl-start" });
    equation.append(bracket);
  }
  equation.style.setProperty("--wide", columns.wide.join(" "));
  equation.style.setProperty("--narrow", columns.narrow.join(" "));
  equation.style.setProperty("--most", columns.sum + 14 * (equation.children.length - 1) + "px");
  equation.classList.toggle("dl-points", paths[0].points);
  equation.classList.toggle("dl-riddle", shown[0] === "x_t" && !data.names); // while it asks, only x_t is seen
  live.querySelector(".dl-recipe").textContent = data.recipe || "";
  live.querySelector(".dl-note").textContent = data.note;
  for (const name of ["title", "caption", "formula", "band"]) state[name] = live.querySelector(`.dl-${name}`);
  state.range = live.querySelector("input");
  state.range.max = state.N - 1;
  state.buttons = Object.fromEntries([...live.querySelectorAll("button")].map((b) => [b.dataset.do, b]));
  const single = !data.names;
  state.buttons.news.hidden = !(single && paths[0].change && !paths[0].points && shown.includes("x0"));
  state.buttons.flip.hidden = single || data.panels.filter((panel) => !panel.gap).length < 2;
  const { beside } = paths[0];
  state.buttons.pull.hidden = !(single && beside && shown.includes(VIEWS[beside].beside));
  state.buttons.pull.textContent = VIEWS[beside]?.hold;
  return live;
}

// Its colour: on a forward path x0 is the picture itself, on a reverse one a guess of it.
const roleOf = ({ what, gap }, { paths }) => (gap ? "" : VIEWS[what].role[paths[0].direction]);

function setLabel(panel, what, state, side = panel.path) {
  const now = { ...panel, what, path: side };
  panel.label.replaceChildren(...labelOf(now, state));
  panel.label.dataset.role = roleOf(now, state);
  panel.canvas.setAttribute("aria-label", panel.label.textContent.trim());
}

function drawPanel(panel, state) {
  if (panel.gap) return drawDifference(panel, state);
  const { paths, pairs, i } = state, side = state.hold === "flip" ? 1 - panel.path : panel.path; // A and B change places
  const path = paths[side], k = pairs[i][side];
  const held = !state.data.names && panel.what === "x0"; // the guess, in whose place others are shown while a button is held
  const hold = held ? state.hold : null, what = hold === "pull" ? path.beside : panel.what;
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
  const pictures = what === "x_t" && state.open ? null : path.pictures[what]; // in the equation x_t is a sum
  const place = pictures ? placeOf(pictures, k) : -1;
  if (place >= 0) paintPicture(panel.canvas, pictures, place);
  else {
    panel.broken = paint(panel.canvas, path.values(what, k), path.size(what), path.bias(what));
    if (held && pictures) panel.label.append(" (rough preview)");
  }
  const told = (of, role) => mark(panel.canvas, path[of](k, what), path.size(what), path.scale(of, what), role);
  if (VIEWS[what].beside) told("apart", roleOf({ what }, state));
  if (hold === "news") told("news", "guess");
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
