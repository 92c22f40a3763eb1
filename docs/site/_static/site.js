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

// What is searched is found in the lessons first, and among the names of the reference last.
if (typeof Scorer !== "undefined") {
  Scorer.score = ([name, , , , score, , kind]) => score + (name.startsWith("lessons/") ? 100 : kind === "object" ? -100 : 0);
}
