// The page's side of Beads: a band from static to picture with a few beads on it. Drag one, or Tab to it and use arrows.
const WIDE = 960, LEFT = 130, RIGHT = 920, TOP = 44, BAND = 34, NS = "http://www.w3.org/2000/svg";

function render({model, el}) {
  const last = model.get("last"), others = model.get("others"), colours = model.get("colours");
  const high = TOP + BAND + 50 + 30 * Object.keys(others).length;
  const draw = (name, facts, parent, words = "") => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
    made.textContent = words;
    return parent.appendChild(made);
  };
  el.classList.add("dl-beads");
  const look = el.appendChild(document.createElement("style"));
  look.textContent = `.dl-beads g[role=slider]{cursor:ew-resize;outline:none;touch-action:none}
    .dl-beads g[role=slider]:focus-visible circle{stroke:#005f95;stroke-width:7}`;
  const room = el.appendChild(document.createElement("div"));
  room.style.cssText = "overflow-x:auto";
  const sheet = draw("svg", {viewBox: `0 0 ${WIDE} ${high}`, role: "group", "aria-label": "The noise band: each bead is one call of the network; arrow keys move it"}, room);
  sheet.style.cssText = `width:100%;min-width:560px;max-width:${WIDE}px;background:#fff;font:20px system-ui,sans-serif;display:block`;
  const x = (t) => LEFT + (RIGHT - LEFT) * (last - t) / last;
  let seed = 1;
  for (let a = LEFT; a < RIGHT; a += 8) { // less and less static from left to right
    for (let b = TOP; b < TOP + BAND; b += 8.5) {
      seed = (seed * 16807) % 2147483647;
      const grey = Math.round(235 - (RIGHT - a) / (RIGHT - LEFT) * 180 * (seed / 2147483647));
      draw("rect", {x: a, y: b, width: 8, height: 8.5, fill: `rgb(${grey},${grey},${grey})`}, sheet);
    }
  }
  draw("text", {x: LEFT, y: TOP + BAND + 26, fill: "#a84300"}, sheet, `static, t = ${last}`);
  draw("text", {x: RIGHT, y: TOP + BAND + 26, fill: colours.signal, "text-anchor": "end"}, sheet, "picture, t = 0");
  Object.entries(others).forEach(([name, times], row) => {
    const y = TOP + BAND + 62 + 30 * row;
    draw("line", {x1: LEFT, x2: RIGHT, y1: y, y2: y, stroke: "#ddd"}, sheet);
    for (const t of times) draw("circle", {cx: x(t), cy: y, r: 7, fill: "#666"}, sheet);
    draw("text", {x: LEFT - 14, y: y + 6, fill: "#444", "text-anchor": "end"}, sheet, name);
  });
  let times = [...model.get("value")];
  const beads = times.map((_, k) => {
    const bead = draw("g", {role: "slider", tabindex: 0, "aria-label": `bead ${k + 1} of ${times.length}, a timestep`, "aria-valuemin": 0, "aria-valuemax": last}, sheet);
    draw("rect", {x: -24, y: TOP - 40, width: 48, height: BAND + 50, fill: "transparent"}, bead); // what a finger meets
    draw("circle", {cx: 0, cy: TOP + BAND / 2, r: 17, fill: colours.guess, stroke: "#fff", "stroke-width": 4}, bead);
    draw("text", {x: 0, y: TOP - 12, "text-anchor": "middle", fill: "#222", "font-weight": 600}, bead);
    return bead;
  });
  const show = () => beads.forEach((bead, k) => {
    bead.setAttribute("transform", `translate(${x(times[k])},0)`);
    bead.setAttribute("aria-valuenow", times[k]);
    bead.setAttribute("aria-valuetext", `t = ${times[k]}`);
    bead.lastChild.textContent = times[k];
  });
  const move = (k, t) => {
    const most = k ? times[k - 1] - 1 : last, least = k + 1 < times.length ? times[k + 1] + 1 : 0;
    times[k] = Math.max(least, Math.min(most, Math.round(t)));
    show();
    model.set("value", [...times]);
    model.save_changes();
  };
  beads.forEach((bead, k) => {
    let holds = false;
    const to = (event) => {
      const box = sheet.getBoundingClientRect();
      move(k, last - ((event.clientX - box.left) / box.width * WIDE - LEFT) / (RIGHT - LEFT) * last);
    };
    bead.addEventListener("pointerdown", (event) => (bead.setPointerCapture(event.pointerId), holds = true, bead.focus()));
    bead.addEventListener("pointermove", (event) => holds && to(event));
    for (const end of ["pointerup", "pointercancel"]) bead.addEventListener(end, () => (holds = false));
  });
  const ways = {ArrowLeft: 10, ArrowUp: 10, ArrowRight: -10, ArrowDown: -10, PageUp: 100, PageDown: -100, Home: last, End: -last};
  const typed = (event) => {
    const k = beads.indexOf(event.target);
    if (k < 0 || !(event.key in ways)) return;
    event.preventDefault(), event.stopPropagation(); // neither the notebook's keys nor the page's
    move(k, times[k] + ways[event.key]); // to the left is towards static: a larger t
  };
  window.addEventListener("keydown", typed, true);
  model.on?.("change:value", () => (times = [...model.get("value")], show()));
  show();
  return () => window.removeEventListener("keydown", typed, true);
}

export default {render};
