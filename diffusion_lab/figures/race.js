// Replaces the still picture of a Race by a chart and a plane: touch a dot, drag the budget. Every copy works by itself.
(() => {
  "use strict";
  const W = 470, H = 384, LEFT = 76, RIGHT = 454, TOP = 10, FOOT = 322, NS = "http://www.w3.org/2000/svg";
  const start = (host) => {
    const set = JSON.parse(host.querySelector("script").textContent), still = host.querySelector("figure");
    const make = (name, css, parent, words = "") => {
      const made = document.createElement(name);
      made.style.cssText = css;
      made.textContent = words;
      return parent.appendChild(made);
    };
    const draw = (name, facts, parent, words = "") => {
      const made = document.createElementNS(NS, name);
      for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
      made.textContent = words;
      return parent.appendChild(made);
    };
    const room = make("div", "font:18px/1.4 system-ui,sans-serif", host);
    room.className = "dl-moves";
    const both = make("div", "display:flex;flex-wrap:wrap;gap:8px 12px;align-items:flex-start", room);
    const button = (words, parent, does) => {
      const made = make("button", "font:inherit;min-height:44px;padding:0 .4em;border:2px solid #666;border-radius:8px;background:#fff;color:#222", parent, words);
      made.type = "button";
      made.addEventListener("click", does);
      return made;
    };
    const sheet = (words, wide, high) => {
      const made = draw("svg", {viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": words}, both);
      made.style.cssText = `flex:1 1 ${Math.round(wide * 0.84)}px;min-width:0;max-width:${wide}px;background:#fff;font:20px system-ui,sans-serif;touch-action:pan-y`;
      return made;
    };
    const chart = sheet("Dots of network calls against a distance, one line for each sampler. The buttons and the budget below move what is shown.", W, H);
    const plane = sheet("The plane: the data, the exact paths, and the paths of the dot that is shown.", H, H);
    const side = make("div", "flex:1 1 330px;min-width:0", both);
    const row = () => make("div", "display:flex;flex-wrap:wrap;gap:6px;margin-bottom:6px", side);
    const modes = row(), names = row();
    const pick = set.distances.map((words, k) => button(words, modes, () => (axis = k, place(), show())));
    const line = make("label", "display:flex;flex-wrap:wrap;gap:0 .6em;align-items:center", side, "budget");
    const words = make("p", "margin:.2em 0;min-height:7em", side);
    words.setAttribute("role", "status");
    make("p", "margin:.3em 0;max-width:48em;font-size:16px", room, set.caption).className = "dl-says";
    const calls = set.budgets.map((one) => one.calls);
    const range = make("input", "flex:1 1 120px;min-width:0;max-width:300px;height:44px;accent-color:#0072B2", line);
    Object.assign(range, {type: "range", min: 0, max: calls.length - 1, step: 1, value: Math.max(0, calls.findLastIndex((c) => c <= set.budget))});
    const says = make("output", "font-weight:600;min-width:4em", line);
    let axis = 0, touched = set.shown; // a dot that was touched, [racer, dot]; without one: the best

    const x = (c) => LEFT + (RIGHT - LEFT) * (Math.log(c) + 0.12) / (Math.log(calls.at(-1)) + 0.24);
    const all = set.racers.flatMap((racer) => racer.dots.flatMap((dot) => dot.values.flat()));
    const low = Math.log(Math.min(...all) * 0.85), high = Math.log(Math.max(...all) * 1.15);
    const y = (v) => FOOT - (FOOT - TOP) * (Math.log(v) - low) / (high - low);
    for (const v of set.ticks[1]) {
      if (Math.log(v) < low || Math.log(v) > high) continue;
      draw("line", {x1: LEFT, x2: RIGHT, y1: y(v), y2: y(v), stroke: "#dddddd"}, chart);
      draw("text", {x: LEFT - 8, y: y(v) + 6, "text-anchor": "end", fill: "#444"}, chart, v);
    }
    for (const c of set.ticks[0]) if (c <= calls.at(-1)) draw("text", {x: x(c), y: FOOT + 24, "text-anchor": "middle", fill: "#444"}, chart, c);
    draw("text", {x: (LEFT + RIGHT) / 2, y: FOOT + 50, "text-anchor": "middle", fill: "#444"}, chart, "network calls");
    const upwards = draw("text", {transform: `translate(16,${(TOP + FOOT) / 2}) rotate(-90)`, "text-anchor": "middle", fill: "#444"}, chart);
    const past = draw("rect", {y: TOP, height: FOOT - TOP, fill: "#eeeeee"}, chart);
    const limit = draw("line", {y1: TOP, y2: FOOT, stroke: "#222", "stroke-width": 3, "stroke-dasharray": "7 5"}, chart);
    const marks = ["M-7,0a7,7 0 1,0 14,0a7,7 0 1,0 -14,0", "M-7,-7L7,7M7,-7L-7,7", "M0,-8L8,7L-8,7Z", "M0,-9L9,0L0,9L-9,0Z", "M-6,-6H6V6H-6Z", "M0,8L8,-7L-8,-7Z"];
    const drawn = set.racers.map((racer, r) => {
      const group = draw("g", {stroke: racer.colour, fill: racer.colour}, chart);
      const curve = draw("polyline", {fill: "none", "stroke-width": 2}, group);
      const dots = racer.dots.map((dot, d) => {
        const whisker = draw("line", {"stroke-width": 2}, group);
        const mark = draw("path", {d: marks[r], "stroke-width": r === 1 ? 4 : 2, "data-dot": `${r} ${d}`}, group);
        mark.style.transition = "transform .5s";
        draw("title", {}, mark, `${racer.name}, ${dot.calls}`);
        return {whisker, mark};
      });
      return {group, curve, dots};
    });
    const keys = set.racers.map((racer, r) => button(racer.name, names, () => {
      const d = racer.dots.findLastIndex((dot) => dot.calls <= calls[range.value]);
      touched = touched?.[0] === r || d < 0 ? null : [r, d];
      show();
    }));
    set.racers.forEach((racer, r) => {
      const key = document.createElementNS(NS, "svg");
      keys[r].prepend(key);
      key.setAttribute("viewBox", "-10 -10 20 20");
      key.style.cssText = "width:18px;height:18px;margin-right:6px;vertical-align:-3px";
      draw("path", {d: marks[r], fill: racer.colour, stroke: racer.colour, "stroke-width": r === 1 ? 4 : 2}, key);
    });
    const at = ([a, b]) => [(a / set.reach + 1) * H / 2, (1 - b / set.reach) * H / 2].map((v) => v.toFixed(1)).join(",");
    for (const point of set.cloud) draw("circle", {cx: at(point).split(",")[0], cy: at(point).split(",")[1], r: 2, fill: "#bbbbbb"}, plane);
    const layer = draw("g", {}, plane); // below the fine paths, which are to be seen
    for (const path of set.exact) draw("polyline", {points: path.map(at).join(" "), fill: "none", stroke: set.colours.reference, "stroke-width": 2.5}, plane);
    for (const path of set.exact) { // a ring where each exact path arrives
      const [cx, cy] = at(path.at(-1)).split(",");
      draw("circle", {cx, cy, r: 10, fill: "none", stroke: "#222", "stroke-width": 2.5}, plane);
    }

    const place = () => (upwards.textContent = `distance ${set.distances[axis]}`, set.racers.forEach((racer, r) => {
      drawn[r].curve.setAttribute("points", racer.dots.map((dot) => `${x(dot.calls)},${y(dot.values[axis][0])}`).join(" "));
      racer.dots.forEach((dot, d) => {
        const [mean, least, most] = dot.values[axis], {whisker, mark} = drawn[r].dots[d];
        mark.style.transform = `translate(${x(dot.calls)}px, ${y(mean)}px)`;
        for (const [key, value] of [["x1", x(dot.calls)], ["x2", x(dot.calls)], ["y1", y(least)], ["y2", y(most)]]) whisker.setAttribute(key, value);
      });
    }));
    const of = ([r, d]) => [set.racers[r], set.racers[r].dots[d]];
    const show = () => {
      const {calls: budget, best: winners, said} = set.budgets[range.value], chosen = touched ?? winners[axis];
      const [racer, dot] = of(chosen), edge = x(budget) + 12;
      for (const [key, value] of [["x", edge], ["width", RIGHT + 14 - edge]]) past.setAttribute(key, Math.max(0, value));
      for (const end of ["x1", "x2"]) limit.setAttribute(end, edge);
      drawn.forEach(({group, dots}, r) => {
        group.setAttribute("opacity", r === chosen[0] || r === winners[axis][0] ? 1 : 0.35);
        dots.forEach(({mark}, d) => mark.setAttribute("stroke", r === chosen[0] && d === chosen[1] ? "#000" : set.racers[r].colour));
        dots.forEach(({mark}, d) => mark.setAttribute("stroke-width", r === chosen[0] && d === chosen[1] ? 6 : r === 1 ? 4 : 2));
        keys[r].style.background = r === winners[axis][0] ? "#ffe9a8" : "#fff";
        keys[r].style.textShadow = r === winners[axis][0] ? "0.6px 0 currentColor" : "none"; // bold, and no wider
        keys[r].setAttribute("aria-pressed", String(r === touched?.[0]));
        keys[r].style.borderColor = r === chosen[0] ? "#000" : "#bbb";
      });
      pick.forEach((each, k) => (each.setAttribute("aria-pressed", String(k === axis)), each.style.background = k === axis ? "#d7ebf7" : "#fff"));
      layer.replaceChildren();
      for (const path of dot.path) {
        draw("polyline", {points: path.map(at).join(" "), fill: "none", stroke: racer.colour, "stroke-width": 2, opacity: 0.4}, layer);
        path.forEach((point, k) => {
          const [cx, cy] = at(point).split(","), arrived = k === path.length - 1;
          draw("circle", {cx, cy, r: arrived ? 6 : 2.5, opacity: arrived ? 1 : 0.4, fill: racer.colour}, layer);
        });
      }
      says.textContent = budget === 1 ? "1 call" : `${budget} calls`;
      range.setAttribute("aria-valuetext", says.textContent);
      words.textContent = `${said} Shown: ${racer.name}, calls: ${dot.calls}, ${set.distances.map((distance, k) => `${distance} ${dot.values[k][0].toFixed(2)} (${dot.values[k][1].toFixed(2)} to ${dot.values[k][2].toFixed(2)})`).join(", ")}. Grey: the fine paths; rings: where they arrive.`;
    };
    const where = (event) => {
      const box = chart.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width * W, (event.clientY - box.top) / box.height * H];
    };
    const nearest = ([px, py]) => {
      let found = null, least = 26; // what a finger meets
      set.racers.forEach((racer, r) => racer.dots.forEach((dot, d) => {
        const far = Math.hypot(x(dot.calls) - px, y(dot.values[axis][0]) - py);
        if (far < least) [found, least] = [[r, d], far];
      }));
      return found;
    };
    const drag = (px) => {
      const near = calls.reduce((a, b) => (Math.abs(x(b) + 12 - px) < Math.abs(x(a) + 12 - px) ? b : a));
      range.value = calls.indexOf(near), touched = null;
    };
    let holds = false;
    chart.addEventListener("pointerdown", (event) => {
      const place = where(event), dot = nearest(place);
      chart.setPointerCapture(event.pointerId);
      if (dot) touched = dot; else holds = true, drag(place[0]);
      show();
    });
    chart.addEventListener("pointermove", (event) => {
      if (holds) return drag(where(event)[0]), show();
      const dot = event.pointerType === "mouse" && nearest(where(event));
      chart.style.cursor = dot ? "pointer" : "ew-resize";
      if (dot && String(dot) !== String(touched)) touched = dot, show();
    });
    for (const end of ["pointerup", "pointercancel"]) chart.addEventListener(end, () => (holds = false));
    range.addEventListener("input", () => (touched = null, show()));
    // The page around (a notebook, a deck) must not take these keys for its own; Esc goes back to it.
    window.addEventListener("keydown", (event) => {
      const keysOf = event.target === range ? ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " ", "Escape"] : [" ", "Enter", "Escape"];
      if (![range, ...keys, ...pick].includes(event.target) || !keysOf.includes(event.key)) return;
      event.stopPropagation();
      if (event.target === range && event.key === " ") event.preventDefault();
      if (event.key !== "Escape") return;
      event.target.blur();
      host.closest(".jp-Notebook")?.focus({preventScroll: true});
    }, true);
    make("style", "", host).textContent = `.dl-race[data-live]>figure,.reveal .dl-race .dl-says{display:none}
      .dl-race button:focus-visible,.dl-race input:focus-visible{outline:3px solid #005f95;outline-offset:2px}
      @media (prefers-reduced-motion: reduce){.dl-race path{transition:none!important}}
      .printing .dl-race[data-live]>figure{display:block}.printing .dl-race>.dl-moves{display:none!important}
      @media print{.dl-race[data-live]>figure{display:block}.dl-race>.dl-moves{display:none!important}}`;
    chart.setAttribute("aria-description", still.querySelector("img").alt);
    place(), show();
  };
  for (const host of document.querySelectorAll(".dl-race:not([data-live])")) {
    host.dataset.live = "yes";
    try {
      start(host);
    } catch (error) { // its picture stays, and the next one starts
      delete host.dataset.live;
      host.querySelector(".dl-moves")?.remove();
      console.warn(error);
    }
  }
})();
