// Words to press: each takes the place of the word of its kind in the prompt, or comes where one reads it.

import { names } from "./words.js";

const ROWS = { figure: "Who", ride: "Doing what", place: "Where", colour: "Colour" };
const PLACE = String.raw`(?:\b(?:on|in|at|by|near) )?(?:\b(?:the|a) )?(?:\b(?:red|outer) )?`;

// The places in a text of the words of a kind: [first letter, behind the last one, the word], the first one first.
function places(text, kind, before = "") {
  const words = names(kind || {});
  if (!words.length) return [];
  const longest = words.sort((a, b) => b.length - a.length).join("|");
  const found = text.matchAll(new RegExp(String.raw`${before}\b(?:${longest})\b`, "gi"));
  return Array.from(found, ({ 0: word, index }) => [index, index + word.length, word]);
}

const cut = (text, from, to, part) => text.slice(0, from) + part + text.slice(to);

const RULES = {
  figure(text, word, say, kinds) {
    const [found] = places(text, kinds.figure);
    return found ? cut(text, found[0], found[1], /s$/i.test(found[2]) ? `${word}s` : word) : `${say} ${text}`;
  },
  // What a figure does stands behind it: "a cat [riding a red bicycle] on mars".
  ride(text, word, say, kinds) {
    const [found] = places(text, kinds.ride), figures = places(text, kinds.figure);
    const who = figures.filter(([, end]) => !found || end <= found[0]).at(-1);
    if (found && who) return cut(text, who[1], found[1], ` ${say}`);
    if (found) return cut(text, found[0], found[1], word);
    const [place] = places(text, kinds.place, PLACE);
    const at = who ? who[1] : place ? place[0] : text.length;
    return cut(text, at, at, ` ${say} `);
  },
  place(text, word, say, kinds) {
    const [found] = places(text, kinds.place, PLACE);
    return found ? cut(text, found[0], found[1], say) : `${text.replace(/[.!?]\s*$/, "")} ${say}`;
  },
  colour(text, word, say, kinds) {
    const [found] = places(text, kinds.colour);
    if (found) return cut(text, found[0], found[1], say);
    const [noun = [text.length]] = [...places(text, kinds.figure), ...places(text, kinds.ride)];
    return cut(text, noun[0], noun[0], ` ${say} `);
  },
};

// A prompt with a word of a kind put into it; `kinds` are those of model.json: how a word is put, then its other names.
export function put(prompt, kind, word, kinds) {
  const say = kinds[kind][word][0], rule = RULES[kind] || ((text) => `${text} ${say}`);
  const text = rule(prompt, word, say, kinds).replace(/\s+/g, " ").replace(/ (?=[,.!?])/g, "").trim();
  return text.replace(/\b(a)n? (?=([a-z]))/gi, (_, a, first) => `${a}${"aeiou".includes(first.toLowerCase()) ? "n" : ""} `);
}

// A row of words to press for each kind; `prompt()` is the one that they change, and `take` gets the new one.
export function offer(kinds, prompt, take) {
  return Object.entries(kinds).map(([kind, words]) => {
    const row = document.createElement("div");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", ROWS[kind] || "Words");
    for (const [word, [say]] of Object.entries(words)) {
      const chip = Object.assign(document.createElement("button"), { type: "button", textContent: say.replace(/^an? /, "") });
      chip.addEventListener("click", () => take(put(prompt(), kind, word, kinds)));
      row.append(chip);
    }
    return row;
  });
}

// One stop of the Tab key for many buttons: the arrow keys, Home and End go from one to the next.
export function toolbar(element) {
  const buttons = [...element.querySelectorAll("button")];
  const here = (button) => buttons.forEach((one) => (one.tabIndex = one === button ? 0 : -1));
  here(buttons[0]);
  element.addEventListener("focusin", ({ target }) => here(target));
  element.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement), last = buttons.length - 1;
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    buttons.at(to > last ? 0 : to).focus();
  });
}
