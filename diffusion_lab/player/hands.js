// What hands do: pointer, keys, play, the flag.

const ICONS = { play: '<path d="M3 1l11 7-11 7z"/>', pause: '<path d="M3 2h4v12H3zM9 2h4v12H9z"/>' };
const SPEEDS = [1, 4, 0.25];
const HELD = { d: "news", u: "pull", f: "flip", c: "control" }; // shown while they are held

function go(state, i) {
  const last = state.open ? state.N - 1 : Math.min(state.N - 1, state.reach + 1);
  state.i = Math.max(0, Math.min(last, i));
  state.reach = Math.max(state.reach, state.i);
  if (!state.open && state.i === state.N - 1) open(state);
  draw(state);
}

function open(state) {
  state.open = true;
  const { flag, show } = state.buttons; // they go, and must not take the focus with them
  if ([flag, show].includes(document.activeElement)) state.range.focus({ preventScroll: true });
  state.buttons.flag.hidden = state.buttons.show.hidden = true;
  state.buttons.details.hidden = false;
  root_of(state).removeAttribute("data-asking");
  settle(root_of(state), state);
  root_of(state).dispatchEvent(new Event("toggle")); // a slide makes room
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
  if (button.hidden || !state.open) return;
  if (down) {
    state.held = { at: performance.now(), was: state.hold === what };
    state.hold = what;
  } else if (state.held) {
    const brief = performance.now() - state.held.at < 400;
    state.hold = brief && !state.held.was ? what : null;
    state.held = null;
  }
  for (const name of Object.values(HELD)) state.buttons[name].setAttribute("aria-pressed", state.hold === name);
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
    Escape: () => leave(root),
  };
  for (const name in HELD) actions[name] = () => event.repeat || hold(state, HELD[name], true);
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const guessing = name === " " && state.playing && !state.open; // Space is the flag, wherever the focus is
  if (onButton && !guessing && (name === " " || name === "Enter")) return event.stopImmediatePropagation();
  if (!actions[name] && name !== "Enter") return;
  if (name === "ArrowRight" && state.i === state.N - 1) {
    if (root.closest('.reveal, [data-jp-deck-mode="presenting"]')) return void document.activeElement.blur();
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
  const take = (event) => {
    state.drag = { taken: true };
    stop(state);
    band.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true });
    scrub(event);
  };
  // A finger may want to scroll the page: it takes the band when it goes sideways, or lets go where it came.
  band.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    if (event.pointerType !== "touch") return take(event);
    state.drag = { x: event.clientX, y: event.clientY };
  });
  band.addEventListener("pointermove", (event) => {
    if (!state.drag) return;
    if (state.drag.taken) return scrub(event);
    const [x, y] = [Math.abs(event.clientX - state.drag.x), Math.abs(event.clientY - state.drag.y)];
    if (Math.max(x, y) > 8) x > y ? take(event) : (state.drag = null);
  });
  band.addEventListener("pointerup", (event) => {
    if (state.drag && !state.drag.taken) take(event);
    state.drag = null;
  });
  band.addEventListener("pointercancel", () => (state.drag = null));
  range.addEventListener("input", () => step(state, range.valueAsNumber - state.i));
  const act = {
    back: () => step(state, -1), on: () => step(state, 1), play: () => play(state), flag: () => flag(state),
    show: () => { open(state); draw(state); },
    details: () => {
      state.facts.hidden = !state.facts.hidden;
      buttons.details.setAttribute("aria-expanded", !state.facts.hidden);
      root.dispatchEvent(new Event("toggle")); // a slide makes room
    },
    speed: () => {
      state.speed = SPEEDS[(SPEEDS.indexOf(state.speed) + 1) % SPEEDS.length];
      if (state.playing) { stop(state); play(state); }
      label(state);
    },
  };
  for (const name in act) buttons[name].addEventListener("click", act[name]);
  for (const name of Object.values(HELD)) {
    buttons[name].addEventListener("pointerdown", () => hold(state, name, true));
    for (const end of ["pointerup", "pointerleave"]) buttons[name].addEventListener(end, () => hold(state, name, false));
    buttons[name].addEventListener("click", (event) => {
      if (event.detail === 0) { hold(state, name, true); hold(state, name, false); } // from the keyboard
    });
  }
  const down = (event) => key(event, root, state);
  const up = (event) => {
    const name = HELD[event.key.toLowerCase()];
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
