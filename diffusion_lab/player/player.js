// Where the player lives: it starts on its own element, follows the page's theme and size, and rests at one step.

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

// Where it rests: a question, and who says so, at the first step; else the clean picture, where the guess changed most,
// or where picture and noise are even.
function rest({ data, paths, pairs }) {
  const path = paths[0], forward = path.direction === "forward";
  if (data.ask || data.rest === "start") return 0;
  if (data.rest === "change" && path.change) {
    const changes = pairs.map((pair) => path.change[pair[0]]);
    return changes.indexOf(Math.max(...changes));
  }
  if (data.rest === "even") return evenAt(pairs.map(([k]) => path.alpha[k]));
  return forward ? 0 : pairs.length - 1;
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
  state.buttons.details.hidden = !state.open;
  wire(root, state);
  label(state);
  root.querySelectorAll(".dl-still details").forEach((answer) => (answer.open = true)); // on paper nobody can open it
  root.dataset.live = "yes";
  settle(root, state);
  watchPage(root, state);
}

const here = document.currentScript?.closest(".dl-player");
for (const root of here ? [here] : document.querySelectorAll(".dl-player:not([data-live])")) start(root);
