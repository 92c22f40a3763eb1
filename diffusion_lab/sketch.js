// The page's side of a pad: lines by mouse, finger, or keys (arrows move the pen, Space puts it down and up). Over a
// picture the pen is a brush with a width, or an eraser, and what is painted turns to static.
const SIZE = 380, SHARE = 1 / 60, HALO = 14;
// What is drawn of a live pad stands beside it, where there is room.
const BESIDE = `.jp-OutputArea:has(.dl-pad) .dl-pad-still { display: none; }
.jp-OutputArea:has(.dl-controls .dl-pad) { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 16px; }
.jp-OutputArea:has(.dl-controls .dl-pad) > * { flex: 1 1 400px; min-width: 0; }
.dl-controls:has(.dl-pad) > * { width: calc(100% - 4px) !important; }`;

// The static, one grey a pixel, always the same.
const grain = () => {
  const sheet = document.createElement("canvas"), side = 128;
  sheet.width = sheet.height = side;
  const ink = sheet.getContext("2d"), data = ink.createImageData(side, side);
  for (let i = 0, r = 1; i < side * side; i++) {
    r = (r * 16807) % 2147483647;
    data.data.set([0, 0, 0].fill(60 + (r % 196)).concat(255), 4 * i);
  }
  ink.putImageData(data, 0, 0);
  return sheet;
};

function render({model, el}) {
  const [left, top, right, bottom] = model.get("box"), colours = model.get("colours"), picture = model.get("picture");
  const across = picture ? 320 : SIZE, high = Math.round(across * Math.abs((bottom - top) / (right - left))); // a picture leaves room for what is made of it
  const make = (name, css, parent) => {
    const made = document.createElement(name);
    made.style.cssText = css;
    return parent.appendChild(made);
  };
  el.classList.add("dl-pad");
  el.style.font = "18px/1.4 system-ui,sans-serif";
  make("style", "", el).textContent = BESIDE;
  const pad = make("canvas", `width:${across}px;max-width:100%;aspect-ratio:${across}/${high};background:#fff;border:2px solid #666;border-radius:6px;cursor:crosshair;touch-action:none;display:block`, el);
  Object.assign(pad, {width: 2 * across, height: 2 * high, tabIndex: 0});
  const what = picture ? `A picture to paint a mask on: ${model.get("alt")} Arrow keys move the brush, Space puts it down or lifts it` : "A pad to draw a cloud on: arrow keys move the pen, Space puts it down or lifts it";
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", what);
  const row = make("div", "display:flex;gap:3px;margin:.4em 0;flex-wrap:wrap", el);
  const button = (words, does) => {
    const made = make("button", "font:inherit;min-height:44px;padding:0 5px", row);
    made.textContent = words;
    made.addEventListener("click", does);
    return made;
  };
  let lines = structuredClone(model.get("value")), open = null, pen = [(left + right) / 2, (top + bottom) / 2];
  let keys = false, wide = model.get("brush"), erase = false;
  const image = new Image(), layer = document.createElement("canvas"), noise = picture && grain();
  Object.assign(layer, {width: pad.width, height: pad.height});
  const scale = pad.width / Math.abs(right - left);
  const at = (x, y) => [(x - left) / (right - left) * pad.width, (y - top) / (bottom - top) * pad.height];

  const stroke = (ink, {line, width}) => {
    if (!line.length) return;
    Object.assign(ink, {lineWidth: width ? width * scale : 14, lineCap: "round", lineJoin: "round"});
    ink.beginPath(), ink.moveTo(...at(line[0], line[1])), ink.lineTo(...at(line[0], line[1]));
    for (let i = 2; i < line.length; i += 2) ink.lineTo(...at(line[i], line[i + 1]));
    ink.stroke();
  };
  const mask = (ink) => {
    const paint = layer.getContext("2d");
    paint.globalCompositeOperation = "source-over";
    paint.clearRect(0, 0, layer.width, layer.height);
    for (const each of lines) {
      paint.globalCompositeOperation = each.erase ? "destination-out" : "source-over";
      stroke(paint, each);
    }
    paint.globalCompositeOperation = "source-in";
    paint.imageSmoothingEnabled = ink.imageSmoothingEnabled = false;
    paint.drawImage(noise, 0, 0, layer.width, layer.height);
    if (image.complete) ink.drawImage(image, 0, 0, pad.width, pad.height);
    ink.drawImage(layer, 0, 0);
  };
  const draw = () => {
    const ink = pad.getContext("2d");
    ink.clearRect(0, 0, pad.width, pad.height);
    if (picture) mask(ink);
    else {
      Object.assign(ink, {strokeStyle: colours.signal, globalAlpha: 0.8});
      for (const each of lines) stroke(ink, each);
      ink.globalAlpha = 1;
      if (!lines.length && !keys) Object.assign(ink, {fillStyle: "#666666", font: "40px system-ui,sans-serif", textAlign: "center"}), ink.fillText("draw here", SIZE, SIZE);
    }
    if (keys) Object.assign(ink, {strokeStyle: colours.noise, lineWidth: 4}), ink.beginPath(), ink.arc(...at(...pen), picture ? wide * scale / 2 : HALO, 0, 7), ink.stroke();
    tell();
  };
  const keep = () => (model.set("value", structuredClone(lines)), model.save_changes());
  const add = (x, y) => {
    const within = (v, a, b) => Math.max(Math.min(a, b), Math.min(Math.max(a, b), Math.round(1000 * v) / 1000));
    pen = [within(x, left, right), within(y, top, bottom)];
    if (open) open.push(...pen);
    draw();
  };
  const start = () => (lines.push(picture ? {line: open = [], width: wide, erase} : {line: open = []}));
  const stop = () => open && (open = null, keep());
  const where = (event) => {
    const box = pad.getBoundingClientRect();
    return [left + (event.clientX - box.left) / box.width * (right - left), top + (event.clientY - box.top) / box.height * (bottom - top)];
  };
  pad.addEventListener("pointerdown", (event) => (pad.setPointerCapture(event.pointerId), stop(), keys = false, start(), add(...where(event))));
  pad.addEventListener("pointermove", (event) => open && !keys && add(...where(event)));
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => keys || stop());
  pad.addEventListener("blur", () => (stop(), keys = false, draw()));
  const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  const typed = (event) => {
    if (event.target !== pad || !(event.key in ways || event.key === " ")) return;
    event.preventDefault(), event.stopPropagation(); // neither the notebook's keys nor the page's
    keys = true;
    const step = SHARE * Math.abs(right - left), [across, down] = ways[event.key] ?? [];
    if (event.key !== " ") return add(pen[0] + across * step, pen[1] + down * step * Math.sign(bottom - top));
    open ? stop() : (start(), add(...pen));
  };
  window.addEventListener("keydown", typed, true);
  if (picture) {
    const tools = ["Brush", "Eraser"].map((words, i) => button(words, () => {
      stop(), erase = i === 1;
      tools.forEach((tool, k) => tool.setAttribute("aria-pressed", String(k === i)));
      tools.forEach((tool, k) => tool.style.fontWeight = k === i ? "700" : "400");
    }));
    tools[0].click();
    const width = (factor) => () => (stop(), wide = Math.max(2, Math.min(Math.abs(right - left), Math.round(wide * factor))), draw());
    button("Thinner", width(0.7)), button("Thicker", width(1.4));
  }
  button("Undo", () => (stop(), lines.pop(), keep(), draw()));
  button(picture ? "Clear" : "Begin anew", () => (open = null, lines = [], keep(), draw()));
  const foot = make("p", "margin:.2em 0", el), told = make("span", "", foot);
  told.setAttribute("role", "status");
  const tell = () => {
    const n = lines.length;
    told.textContent = picture ? `${n} ${n === 1 ? "stroke" : "strokes"}, brush ${wide} wide.`
      : n ? `${n} ${n === 1 ? "line" : "lines"}. Now run the next cell.` : "Nothing drawn yet: the course's cloud is taken.";
  };
  foot.append(` By keyboard: Tab to the ${picture ? "picture, arrows move the brush" : "pad, arrows move the pen"}, Space puts it down or lifts it.`);
  image.addEventListener("load", draw);
  image.src = picture;
  draw();
  return () => window.removeEventListener("keydown", typed, true);
}

export default {render};
