// The page's side of a Sketch: lines by mouse, finger, or keys (arrows move the pen, Space puts it down and up).
const SIZE = 380, STEP = 0.05;

function render({model, el}) {
  const reach = model.get("reach"), colours = model.get("colours");
  const make = (name, css, parent) => {
    const made = document.createElement(name);
    made.style.cssText = css;
    return parent.appendChild(made);
  };
  el.style.font = "18px/1.4 system-ui,sans-serif";
  const pad = make("canvas", `width:${SIZE}px;max-width:100%;aspect-ratio:1;background:#fff;border:2px solid #666;border-radius:6px;cursor:crosshair;touch-action:none;display:block`, el);
  Object.assign(pad, {width: 2 * SIZE, height: 2 * SIZE, tabIndex: 0});
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", "A pad to draw a cloud on: arrow keys move the pen, Space puts it down or lifts it");
  const row = make("div", "display:flex;gap:.8em;align-items:center;margin:.4em 0;flex-wrap:wrap", el);
  const button = (words, does) => {
    const made = make("button", "font:inherit;min-height:44px;padding:0 .9em", row);
    made.textContent = words;
    made.addEventListener("click", does);
  };
  const told = make("span", "", row);
  told.setAttribute("role", "status");
  make("p", "margin:.2em 0", el).textContent = "By keyboard: Tab to the pad, arrows move the pen, Space puts it down or lifts it.";
  let lines = structuredClone(model.get("strokes")), open = null, pen = [0, 0], keys = false;

  const draw = () => {
    const ink = pad.getContext("2d");
    const at = (x, y) => [(x / reach + 1) * SIZE, (1 - y / reach) * SIZE];
    ink.clearRect(0, 0, 2 * SIZE, 2 * SIZE);
    Object.assign(ink, {strokeStyle: colours.signal, lineWidth: 14, lineCap: "round", lineJoin: "round", globalAlpha: 0.8});
    for (const line of lines) {
      ink.beginPath(), ink.moveTo(...at(line[0], line[1])), ink.lineTo(...at(line[0], line[1]));
      for (let i = 2; i < line.length; i += 2) ink.lineTo(...at(line[i], line[i + 1]));
      ink.stroke();
    }
    ink.globalAlpha = 1;
    if (keys) ink.strokeStyle = colours.noise, ink.lineWidth = 4, ink.beginPath(), ink.arc(...at(...pen), 14, 0, 7), ink.stroke();
    if (!lines.length && !keys) Object.assign(ink, {fillStyle: "#666666", font: "40px system-ui,sans-serif", textAlign: "center"}), ink.fillText("draw here", SIZE, SIZE);
    told.textContent = lines.length ? `${lines.length} ${lines.length === 1 ? "line" : "lines"}. Now run the next cell.` : "Nothing drawn yet: the course's cloud is taken.";
  };
  const keep = () => (model.set("strokes", structuredClone(lines)), model.save_changes());
  const add = (x, y) => {
    pen = [x, y].map((v) => Math.max(-reach, Math.min(reach, Math.round(1000 * v) / 1000)));
    if (open) open.push(...pen);
    draw();
  };
  const start = () => (open = [], lines.push(open));
  const stop = () => open && (open = null, keep());
  const where = (event) => {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width * 2 - 1) * reach, (1 - (event.clientY - box.top) / box.height * 2) * reach];
  };
  pad.addEventListener("pointerdown", (event) => (pad.setPointerCapture(event.pointerId), stop(), keys = false, start(), add(...where(event))));
  pad.addEventListener("pointermove", (event) => open && !keys && add(...where(event)));
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => keys || stop());
  pad.addEventListener("blur", () => (stop(), keys = false, draw()));
  const ways = {ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP]};
  const typed = (event) => {
    if (event.target !== pad || !(event.key in ways || event.key === " ")) return;
    event.preventDefault(), event.stopPropagation(); // neither the notebook's keys nor the page's
    keys = true;
    if (event.key !== " ") return add(pen[0] + ways[event.key][0], pen[1] + ways[event.key][1]);
    open ? stop() : (start(), add(...pen));
  };
  window.addEventListener("keydown", typed, true);
  button("Undo", () => (stop(), lines.pop(), keep(), draw()));
  button("Begin anew", () => (open = null, lines = [], keep(), draw()));
  draw();
  return () => window.removeEventListener("keydown", typed, true);
}

export default {render};
