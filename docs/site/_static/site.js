// What is wider than a phone scrolls in a frame of its own; its classes say so, and on which side there is more of it.
const FRAMES = "article :is(figure, pre, .dl-moves, .table-wrapper, .cell_output, .math-wrapper)";

function look(frame) {
  const beyond = frame.scrollWidth - frame.clientWidth;
  const wide = beyond > 1 && frame.clientWidth > 0 && getComputedStyle(frame).overflowX !== "visible";
  frame.classList.toggle("wide", wide);
  frame.classList.toggle("more-left", wide && frame.scrollLeft > 1);
  frame.classList.toggle("more-right", wide && frame.scrollLeft < beyond - 1);
}

document.addEventListener("scroll", ({ target }) => target.matches?.(FRAMES) && look(target), { capture: true, passive: true });
new ResizeObserver(() => document.querySelectorAll(FRAMES).forEach(look)).observe(document.querySelector("article"));

// The drawers of a narrow window open and close by the keys too; their labels move check boxes that nobody sees.
for (const label of document.querySelectorAll("label:is(.nav-overlay-icon, .toc-overlay-icon)")) {
  const box = document.getElementById(label.htmlFor), name = box.id === "__toc" ? "Sections of this page" : "All pages";
  const tell = () => label.setAttribute("aria-expanded", box.checked);
  for (const [key, value] of Object.entries({ role: "button", tabindex: 0, "aria-label": name })) label.setAttribute(key, value);
  box.addEventListener("change", tell);
  tell();
  label.addEventListener("keydown", (event) => {
    if (![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    box.click();
  });
}

// What is searched is found in the lessons first, and among the names of the reference last.
if (typeof Scorer !== "undefined") {
  Scorer.score = ([name, , , , score, , kind]) => score + (name.startsWith("lessons/") ? 100 : kind === "object" ? -100 : 0);
}

// A newer build of the site, which came on an earlier visit, is shown where no other page of it is open.
async function renew({ serviceWorker }) {
  const waiting = (await serviceWorker?.getRegistration())?.waiting;
  if (!waiting) return;
  serviceWorker.addEventListener("controllerchange", () => location.reload());
  waiting.postMessage("now");
}
renew(navigator).catch(() => {}); // some browsers give no worker here
