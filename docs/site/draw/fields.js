// What the fields say: numbers as people write them, or one sentence about what came instead.

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

// The number that a text is, with a point or, where parts are allowed, a decimal comma; NaN where it is none.
export function number(text, parts = false) {
  const written = parts ? text.trim().replace(",", ".") : text.trim();
  return NUMBER.test(written) ? Number(written) : NaN;
}

function came(text) {
  const letters = [...text.trim()];
  return `; ${letters.slice(0, 24).join("") || "nothing"}${letters.length > 24 ? "…" : ""} came.`;
}

// What is asked for, from the fields' texts; where it cannot be drawn { field, say }: whose fault that is, and the sentence.
export function request({ prompt, seed, steps, guidance, sampler }) {
  const asked = { prompt, seed: number(seed), n: number(steps), guidance: number(guidance, true), sampler };
  const most = Number.MAX_SAFE_INTEGER;
  if (!(Number.isSafeInteger(asked.seed) && asked.seed >= 0)) return { field: "seed", say: `The seed is a whole number from 0 to ${most}${came(seed)}` };
  if (!(Number.isInteger(asked.n) && asked.n >= 1 && asked.n <= 100)) return { field: "steps", say: `The steps are a whole number from 1 to 100${came(steps)}` };
  if (!(asked.guidance >= 0 && asked.guidance <= 20)) return { field: "guidance", say: `Guidance is a number from 0 to 20${came(guidance)}` };
  return asked;
}

// The number in a field so much more, within its data-least and data-most; its least where it holds none.
export function move(field, by) {
  const { least, most } = field.dataset, moved = number(field.value, true) + by;
  const kept = Number.isNaN(moved) ? Number(least) : Math.min(Math.max(moved, Number(least)), Number(most));
  field.value = Number.isInteger(kept) ? kept : Number(kept.toFixed(6));
}

// A text field for a number answers to the arrow keys, by its data-by.
export function arrows(field) {
  field.addEventListener("keydown", (event) => {
    const sign = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!sign) return;
    event.preventDefault();
    move(field, sign * Number(field.dataset.by));
    field.dispatchEvent(new Event("input"));
  });
}
