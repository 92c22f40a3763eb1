// Where a file of the page lies: beside its scripts, or, where the page is one file, in HELD, which has it as an address.
// With its SHA-256 the address is its own, so that no cache mixes two builds.

export const file = (name, print) => self.HELD?.[name] ?? new URL(print ? `${name}?is=${print}` : name, import.meta.url);

// A file as it comes; with the option cache: "reload" past what the browser keeps of it. Throws a sentence where it does
// not come.
export async function brought(name, options = {}, print = "") {
  const answer = await fetch(file(name, print), options).catch(() => null);
  if (!answer?.ok) throw new Error(`${name} did not come${answer ? ` (${answer.status})` : " (is there a network?)"}`);
  return answer;
}

export const PARTS = ["wasm", "text", "unet", "decoder"];
const text = (value) => typeof value === "string";
const count = (value) => Number.isInteger(value) && value > 0 && value < 10_000;
const list = (is, length) => (value) => Array.isArray(value) && value.length === (length ?? value.length) && value.every(is);
const each = (is) => (value) => value !== null && typeof value === "object" && Object.values(value).every(is);
const parts = (is) => (value) => PARTS.every((name) => is(value?.[name]));
const NEEDED = {
  name: text, guidance_scale: Number.isFinite, prediction: text, scaling_factor: Number.isFinite, tokens: count,
  samplers: (value) => each(text)(value) && Object.keys(value).length > 0, shape: list(count, 3), size: list(count, 2),
  to_rgb: list(list(Number.isFinite, 3)), alpha_bars: list(Number.isFinite), final: Number.isFinite, merges: list(text),
  words: (value) => value === null || list(text)(value), kinds: each(each(list(text))),
  whole: parts(Number.isInteger), packed: parts(Number.isInteger), prints: parts(text),
};

// Which keys of a model.json are missing, or are not what the page needs.
export const damaged = (told) => Object.keys(NEEDED).filter((key) => !NEEDED[key](told?.[key]));
