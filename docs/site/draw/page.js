// The page that draws as you type: fields, and the steps to scrub. worker.js does the work.

import { held, hold } from "./address.js";
import { Artist } from "./artist.js";
import { offer, toolbar } from "./chips.js";
import { arrows, move, request } from "./fields.js";
import { file } from "./files.js";
import { Frame } from "./frame.js";
import { paint, playerData } from "./path.js";

const root = document.getElementById("draw"), $ = (name) => root.querySelector(`[data-is="${name}"]`);
const compact = "compact" in root.dataset; // on the start page, where nothing comes before it is asked for
const FIELDS = ["prompt", "seed", "guidance", "steps", "sampler"];
const PATIENCE = 500; // milliseconds after the last key until a word counts as unknown, and a drawing as long
// What is asked for and its steps so far; `last` is the same of the picture that stands there.
let told = null, id = 0, asked = null, path = [], last = null, follow = true;
let seen = 0, coming = null; // the step whose picture stands there; the picture on its way: of what, of which step
const frame = new Frame($("player"), (k) => {
  if (k === null) return showStep();
  if (path !== last.path || Number($("step").value) === k) return;
  $("step").value = k;
  look();
});

const artist = new Artist(hear, fail, () => coming !== null || ["loading", "drawing"].includes(root.dataset.state));

function say(state, text) {
  root.dataset.state = state;
  $("again").hidden = state !== "failed";
  if ($("say").textContent !== text) $("say").textContent = text;
}

function ask() {
  if (!told || !artist.alive) return; // the model is still coming, or what went wrong stands there, with a button
  const wanted = request(Object.fromEntries(FIELDS.map((name) => [name, $(name).value])));
  id += 1; // what is still on its way is for an older request
  coming = null;
  if (wanted.say) return refuse(wanted);
  asked = { ...wanted, id };
  path = [];
  root.dataset.state = "drawing";
  if (!last) say("drawing", "Drawing …");
  else later(() => root.dataset.state === "drawing" && say("drawing", asked.prompt.trim() ? `Drawing ${quoted(asked.prompt)} …` : "Drawing without a prompt …"));
  artist.ask(asked);
}

function fail(why) {
  $("coming").hidden = true;
  say("failed", `It cannot draw: ${why}.`);
  showStep(); // of what stands there
}

// Do something once nothing else was asked for a while.
function later(act) {
  const mine = id;
  setTimeout(() => mine === id && act(), PATIENCE);
}

// Say why it is not drawn; the picture that stands there keeps its steps.
function refuse({ field, say: why }) {
  say("refused", why);
  blame(field);
  path = last ? last.path : [];
  $("step").max = Math.max(1, path.length - 1);
  if (follow) $("step").value = $("step").max;
  showStep();
}

// Mark the field whose fault it is that nothing is drawn.
const blame = (field) => FIELDS.forEach((name) => $(name).setAttribute("aria-invalid", name === field));

const quoted = (prompt) => (prompt.trim() ? `“${prompt.trim()}”` : "no prompt");

// The address holds all that makes the picture; the start page leaves its own alone, and has a link that takes it along.
function keepAddress() {
  const kept = hold(Object.fromEntries(FIELDS.map((name) => [name, $(name).value])), !compact);
  if (kept) $("all").hash = kept;
}

function readAddress() {
  if (compact) return;
  for (const [name, value] of held(FIELDS)) {
    const field = $(name);
    if (!field.options || [...field.options].some((option) => option.value === value)) field.value = value;
  }
}

const changed = () => { keepAddress(); ask(); };

const at = () => Math.min(Number($("step").value), path.length - 1); // the one that is looked at

function showStep() {
  if (!path.length) return;
  const k = at(), { t, alphaBar, x_t, x0, eps } = path[k];
  paint($("x_t"), told, x_t, Math.sqrt(alphaBar));
  paint($("x0"), told, x0, 1);
  paint($("eps"), told, eps, 0);
  const signal = `${(100 * alphaBar).toFixed(alphaBar < 0.01 ? 2 : 0)} % signal`;
  const all = path.at(-1).alphaBar === 1 ? path.length - 1 : asked.n, stands = path === last?.path;
  const guess = stands && (last.pictures.x0[k] || artist.alive) ? " Above, its guess." : "";
  const words = alphaBar < 1 ? `Step ${k + 1} of ${all}: t = ${t}, ${signal}.${guess}` : stands ? "The end: the picture." : "The end: now the decoder paints it.";
  $("where").textContent = words;
  $("step").setAttribute("aria-valuetext", words);
  const range = path === last?.path && frame.range(last);
  if (range && range.valueAsNumber !== k) {
    range.value = k;
    range.dispatchEvent(new Event("input"));
  }
  showPicture();
}

// The picture of a step.
function paintPicture(k) {
  const canvas = $("picture"), [w, h] = told.size, { prompt, seed } = last.asked;
  seen = k;
  Object.assign(canvas, { width: w, height: h });
  canvas.getContext("2d").putImageData(new ImageData(last.pictures.x0[k], w, h), 0, 0);
  const from = `${prompt.trim() ? `the prompt ${quoted(prompt)}` : "no prompt"}, seed ${seed}`;
  canvas.setAttribute("aria-label", atEnd() ? `Drawn from ${from}` : `The guess at step ${k + 1}, from ${from}`);
  $("save").textContent = atEnd() ? "Save the picture" : "Save this guess";
}

// That of the step that is looked at, once it has come.
function showPicture() {
  if (!last || path !== last.path) return;
  if (last.pictures.x0[at()]) paintPicture(at());
  fetchPicture();
}

const atEnd = () => seen === last.path.length - 1;

// Ask for a picture that is missing: that of the step that is looked at, and where the player is open those of all steps,
// with the prompt and without.
function fetchPicture() {
  if (!artist.alive || coming !== null) return;
  const of = (name, steps) => steps.filter((k) => last.path[k][name] && !last.pictures[name][k]).map((k) => [name, k]);
  const all = isOpen() ? [...last.path.keys()] : [];
  [coming = null] = [...of("x0", [at(), ...all]), ...of("x0_uncond", all)];
  if (!coming) return isOpen() && frame.of !== last && fillPlayer();
  const [name, k] = coming;
  artist.ask({ id, latent: last.path[k][name] });
}

function shown({ picture }) {
  const [name, k] = coming;
  last.pictures[name][k] = picture;
  coming = null;
  showPicture();
}

function took({ step }) {
  path.push(step);
  // A setting keeps the step that is looked at; a new sentence ends in its picture.
  if (path.length === 1 && last?.asked.prompt !== asked.prompt) follow = true;
  const range = $("step");
  range.max = Math.max(path.length - 1, asked.n);
  if (follow) range.value = path.length - 1;
  if (follow || Number(range.value) === path.length - 1) showStep();
}

function drawn({ picture, ms }) {
  const { prompt, seed, n, guidance, sampler } = asked;
  last = { asked, path, pictures: { x0: [], x0_uncond: [] } };
  last.pictures.x0[path.length - 1] = picture;
  paintPicture(path.length - 1); // until that of the step that is looked at comes
  $("step").max = path.length - 1;
  follow = at() === path.length - 1;
  $("step").disabled = $("save").disabled = $("open").disabled = false;
  $("saveplayer").disabled = true;
  const what = prompt.trim() ? quoted(prompt) : "No prompt at all";
  const how = `seed ${seed}, ${n} step${n === 1 ? "" : "s"} of ${told.samplers[sampler]}, guidance ${guidance}`;
  blame(null);
  say("drawn", `${what}: ${how}, drawn here in ${(ms / 1000).toFixed(2)}\u00a0s.`);
  showStep();
}

const isOpen = () => $("open").getAttribute("aria-expanded") === "true";

function toggle() {
  const open = !isOpen();
  $("open").setAttribute("aria-expanded", open);
  $("open").textContent = open ? "Close the player" : "All of it in the player";
  $("player").hidden = $("saveplayer").hidden = !open;
  showPicture();
}

async function fillPlayer() {
  const of = last;
  try {
    await frame.fill(of, playerData(told, of.asked, of.path, of.pictures));
    if (of === last) $("saveplayer").disabled = false;
  } catch (error) {
    $("where").textContent = `The player is not to be had: ${error.message}.`;
  }
}

function look() {
  follow = Number($("step").value) === path.length - 1;
  showStep();
}

function fillPrompt(text) {
  $("prompt").value = text;
  changed();
}

function ready(data) {
  const first = !told;
  told = data.told;
  $("coming").hidden = true;
  if (first) { // else it is ready again, after a failure
    $("words").append(...offer(told.kinds, () => $("prompt").value, fillPrompt));
    toolbar($("words"));
  }
  ask();
  if (!self.HELD) keepSite().catch(() => {}); // without a network it is not there then: as before
}

const keepSite = async () => navigator.serviceWorker.register(file("../offline.js"), { scope: file("../") });

const HEARD = {
  coming: ({ share, total }) => {
    $("coming").value = share;
    say("loading", share < 1 ? `The model is coming: ${Math.round(100 * share)} % of ${(total / 1e6).toFixed(1)} MB.` : "The model is being set up …");
  },
  ready, step: took, drawn, shown,
  refused: (data) => later(() => refuse({ field: "prompt", say: data.say })), // half a word is no mistake yet
};

function hear(data) {
  if (data.id === undefined || data.id === id) HEARD[data.kind](data);
}

function save(blob, ending) {
  const { prompt, seed } = last.asked, name = (prompt.toLowerCase().match(/[a-z0-9]+/g) || ["picture"]).join("_").slice(0, 60);
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${name}_${seed}${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function start() {
  Object.assign($("coming"), { hidden: false, value: 0 });
  say("loading", "The model is coming.");
  artist.start();
}

function begin() {
  readAddress(); // before anybody types
  keepAddress();
  start();
  $("begin").hidden = true;
  for (const name of FIELDS) $(name).addEventListener("input", changed);
  for (const field of root.querySelectorAll("[data-by]")) arrows(field);
  for (const button of root.querySelectorAll("[data-try]")) button.addEventListener("click", () => fillPrompt(button.textContent));
  $("again").addEventListener("click", () => { $("say").focus(); start(); });
  $("clear").addEventListener("click", () => { fillPrompt(""); $("prompt").focus(); });
  $("another").addEventListener("click", () => { move($("seed"), 1); changed(); });
  $("step").addEventListener("input", look);
  $("save").addEventListener("click", () => $("picture").toBlob((blob) => save(blob, `${atEnd() ? "" : `_step_${seen + 1}`}.png`)));
  $("open").addEventListener("click", toggle);
  $("saveplayer").addEventListener("click", () => save(new Blob([frame.text], { type: "text/html" }), ".html"));
  if (!compact) addEventListener("hashchange", () => { readAddress(); changed(); });
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (root.dataset.state !== "waiting") return;
  const pressed = document.activeElement === $("begin");
  begin();
  if (pressed) $("say").focus({ preventScroll: true }); // the button is gone, and no keyboard comes up on a phone
  root.scrollIntoView(); // or the picture would come below what is seen
});
if (compact) {
  root.dataset.state = "waiting";
  $("begin").hidden = false;
} else begin();
