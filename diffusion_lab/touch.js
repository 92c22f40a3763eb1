// Replaces the still picture of a Touch by a plane that answers: drag, tap, or arrow keys. Every copy works by itself.
(() => {
  "use strict";
  const SIZE = 500, STEP = 0.05;
  for (const host of document.querySelectorAll(".dl-touch:not([data-live])")) {
    host.dataset.live = "yes";
    const set = JSON.parse(host.querySelector("script").textContent), points = set.points;
    const still = host.querySelector("figure");
    const make = (name, css, parent) => {
      const made = document.createElement(name);
      made.style.cssText = css;
      return parent.appendChild(made);
    };
    const room = make("div", "display:flex;flex-wrap:wrap;gap:1em 2em;align-items:center;font:18px/1.4 system-ui,sans-serif", host);
    room.className = "dl-moves";
    const frame = make("div", `display:grid;grid-template-columns:auto minmax(0,1fr);gap:2px 4px;width:min(100%,28px + min(${SIZE}px,max(47vh,240px)))`, room);
    const ticks = (css, words) => {
      const axis = make("div", `display:grid;place-items:center;white-space:nowrap;${css}`, frame);
      axis.ariaHidden = "true";
      for (const word of words) make("span", word.length > 2 && css.includes("rows") ? "writing-mode:vertical-rl;transform:rotate(180deg)" : "", axis).textContent = word;
    };
    ticks("height:0;min-height:100%;grid-template-rows:repeat(3,minmax(0,1fr))", ["1", "second pixel", "−1"]);
    const plane = make("canvas", "width:100%;aspect-ratio:1;background:#fff;cursor:crosshair;touch-action:pan-y pinch-zoom", frame);
    ticks("grid-column:2;grid-template-columns:repeat(3,minmax(0,1fr))", ["−1", "first pixel", "1"]);
    const side = make("div", "flex:1 1 min(300px,100%);max-width:32em;min-width:0;overflow-wrap:anywhere", room);
    Object.assign(plane, {tabIndex: 0, ariaLabel: "A place in the plane of two-pixel pictures; arrow keys move it"});
    plane.setAttribute("role", "application");
    const pictures = make("div", "display:flex;flex-wrap:wrap;gap:.5em 1.5em;text-align:center", side);
    const pixels = (words) => {
      const box = make("div", "", pictures), two = make("div", "display:flex;border:1px solid #666;width:142px;height:70px", box);
      box.append(words);
      return [0, 1].map(() => make("div", "width:71px;height:70px;forced-color-adjust:none", two));
    };
    const seen = pixels("it sees"), guessed = pixels("it guesses");
    const line = make("label", "display:block;margin-top:.8em", side);
    line.append("how much picture is left ");
    const range = make("input", "display:block;width:100%;max-width:20em;height:44px;accent-color:#0072B2", line);
    Object.assign(range, {type: "range", min: 1, max: 99, step: 1, value: set.percent});
    const words = make("p", "margin:.4em 0;min-height:4.2em", side);
    words.setAttribute("role", "status");
    const paper = make("style", "", host);
    paper.textContent = `.dl-touch[data-live]>figure{display:none}
      .printing .dl-touch[data-live]>figure{display:block}.printing .dl-touch>.dl-moves{display:none!important}
      @media print{.dl-touch[data-live]>figure{display:block}.dl-touch>.dl-moves{display:none!important}}`;
    const first = still.querySelector("img").alt, meaning = make("p", "margin:.4em 0", side);
    meaning.textContent = set.caption;
    let place = [...set.place];

    // The posterior weights, and what they make of the place: w = softmax(-|x_t - s x_i|^2 / (2 (1 - alpha_bar))).
    const weigh = (alphaBar) => {
      const s = Math.sqrt(alphaBar);
      const logits = points.map(([x, y]) => -((place[0] - s * x) ** 2 + (place[1] - s * y) ** 2) / (2 * (1 - alphaBar)));
      const top = Math.max(...logits), raw = logits.map((l) => Math.exp(l - top)), sum = raw.reduce((a, b) => a + b);
      const weights = raw.map((w) => w / sum);
      const guess = [0, 1].map((d) => weights.reduce((a, w, i) => a + w * points[i][d], 0));
      let many = 0, total = 0;
      for (const w of [...weights].sort((a, b) => b - a)) if (total < 0.9) total += w, many++;
      return {s, weights, guess, many, most: Math.max(...weights)};
    };

    const draw = () => {
      const now = weigh(range.value / 100), scale = Math.min(3, devicePixelRatio || 1);
      plane.width = plane.height = SIZE * scale;
      const pen = plane.getContext("2d");
      const at = ([x, y]) => [(x / set.reach + 1) * SIZE / 2, (1 - y / set.reach) * SIZE / 2];
      const stroke = (a, b, colour, width, strength = 1) => {
        Object.assign(pen, {strokeStyle: colour, lineWidth: width, globalAlpha: strength, lineCap: "round"});
        pen.beginPath(), pen.moveTo(...a), pen.lineTo(...b), pen.stroke();
      };
      pen.scale(scale, scale);
      stroke([0, SIZE / 2], [SIZE, SIZE / 2], "#dddddd", 1), stroke([SIZE / 2, 0], [SIZE / 2, SIZE], "#dddddd", 1);
      const here = at(place), faded = points.map(([x, y]) => at([now.s * x, now.s * y]));
      faded.forEach((to, i) => now.weights[i] > now.most / 100 && stroke(here, to, set.colours.signal, 1.4, 0.8 * now.weights[i] / now.most));
      pen.globalAlpha = 0.7, pen.fillStyle = set.colours.signal;
      for (const [x, y] of faded) pen.beginPath(), pen.arc(x, y, 3, 0, 7), pen.fill();
      const tip = at(now.guess.map((g) => now.s * g)), way = [tip[0] - here[0], tip[1] - here[1]];
      const long = Math.hypot(...way) || 1, unit = way.map((d) => d / long), head = Math.min(20, long);
      stroke(here, tip.map((d, i) => d - unit[i] * head), set.colours.guess, 7);
      pen.fillStyle = set.colours.guess, pen.beginPath(), pen.moveTo(...tip);
      for (const turn of [1, -1]) pen.lineTo(tip[0] - unit[0] * head - turn * unit[1] * head * 0.6, tip[1] - unit[1] * head + turn * unit[0] * head * 0.6);
      pen.fill();
      for (const turn of [1, -1]) stroke([here[0] - 8, here[1] - 8 * turn], [here[0] + 8, here[1] + 8 * turn], set.colours.noise, 4);
      Object.assign(pen, {globalAlpha: 1, strokeStyle: set.colours.guess, lineWidth: 3}); // the guess, not faded
      pen.beginPath(), pen.arc(...at(now.guess), 9, 0, 7), pen.stroke();
      show(now);
    };
    const show = (now) => {
      const told = ([x, y]) => `(${[x, y].map((v) => (v.toFixed(2) === "-0.00" ? "0.00" : v.toFixed(2))).join(", ")})`;
      for (const [boxes, values] of [[seen, place], [guessed, now.guess]]) {
        boxes.forEach((box, i) => {
          const grey = Math.round(255 * Math.min(1, Math.max(0, (values[i] + 1) / 2)));
          box.style.background = `rgb(${grey},${grey},${grey})`;
        });
      }
      words.textContent = `At ${range.value} % picture, ${told(place)} is touched. ${now.many} of ${points.length} pictures `
        + `carry 90 % of the weight. Their mean, the guess: ${told(now.guess)}.`;
      range.setAttribute("aria-valuetext", `${range.value} % picture`);
      plane.setAttribute("aria-description", `${first} ${words.textContent}`);
    };
    const move = (to) => (place = to.map((v) => Math.max(-set.reach, Math.min(set.reach, v))), draw());
    const touched = (event) => {
      const box = plane.getBoundingClientRect();
      move([((event.clientX - box.left) / box.width * 2 - 1) * set.reach, (1 - (event.clientY - box.top) / box.height * 2) * set.reach]);
    };
    plane.addEventListener("pointerdown", (event) => (plane.setPointerCapture(event.pointerId), touched(event)));
    plane.addEventListener("pointermove", (event) => event.buttons && touched(event));
    range.addEventListener("input", draw);
    // The page around (a notebook, a deck) must not take these keys for its own; Esc goes back to it.
    const ways = {ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP]};
    window.addEventListener("keydown", (event) => {
      const mine = event.target === plane || event.target === range;
      if (!mine || !(event.key in ways || ["Home", "End", "PageUp", "PageDown", " ", "Escape"].includes(event.key))) return;
      event.stopPropagation();
      if (event.target === plane && event.key in ways) event.preventDefault(), move(place.map((v, i) => v + ways[event.key][i]));
      if (event.key === " ") event.preventDefault();
      if (event.key !== "Escape") return;
      event.target.blur();
      host.closest(".jp-Notebook")?.focus({preventScroll: true});
    }, true);
    new ResizeObserver(draw).observe(plane);
    draw();
  }
})();
