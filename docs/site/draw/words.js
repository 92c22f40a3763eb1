// What a model reads of a prompt: its tokens, or a sentence about the words that it cannot read.

const START = "<|startoftext|>", END = "<|endoftext|>";
const PIECES = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
const SIGNS = "\\@#%&*/_"; // punctuation for Unicode, but they part no sentence

// A letter for each byte, so that any text is spelt with 256 letters: those that can be seen stand for themselves.
function letters() {
  const seen = [[33, 126], [161, 172], [174, 255]].flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, i) => a + i));
  const table = new Map(seen.map((byte) => [byte, String.fromCharCode(byte)]));
  for (let byte = 0, n = 256; byte < 256; byte++) if (!table.has(byte)) table.set(byte, String.fromCharCode(n++));
  return table;
}

// CLIP's tokenizer (Radford et al., 2021): byte pair encoding; the vocabulary follows from the merges. Returns
// encode(text) -> ids with start and end, not padded, and `end`, the id that pads.
export function tokenizer(merges) {
  const alphabet = letters(), bytes = [...alphabet.values()], utf8 = new TextEncoder();
  const vocabulary = [...bytes, ...bytes.map((one) => one + "</w>"), ...merges.map((pair) => pair.replace(" ", "")), START, END];
  const ids = new Map(vocabulary.map((token, id) => [token, id])), rank = new Map(merges.map((pair, i) => [pair, i]));

  function join(piece) {
    let parts = Array.from(utf8.encode(piece), (byte) => alphabet.get(byte));
    parts[parts.length - 1] += "</w>";
    for (;;) {
      let best = Infinity, pair;
      for (let i = 0; i + 1 < parts.length; i++) {
        const at = rank.get(`${parts[i]} ${parts[i + 1]}`);
        if (at < best) [best, pair] = [at, [parts[i], parts[i + 1]]];
      }
      if (!pair) return parts.map((part) => ids.get(part));
      const joined = [];
      for (let i = 0; i < parts.length; i++) {
        const both = parts[i] === pair[0] && parts[i + 1] === pair[1];
        joined.push(both ? pair[0] + pair[1] : parts[i]);
        if (both) i++;
      }
      parts = joined;
    }
  }

  function plain(text) {
    const small = Array.from(text.normalize("NFC").replace(/\p{White_Space}+/gu, " "), (c) => c.toLowerCase()).join("");
    const pieces = (small.match(PIECES) || []).flatMap((piece) => (piece === START || piece === END ? piece.match(/\p{L}+|[^\p{L}]+/gu) : [piece]));
    return pieces.flatMap(join);
  }

  const encode = (text) => {
    const inner = text.split(/(<\|startoftext\|>|<\|endoftext\|>)/);
    return [ids.get(START), ...inner.flatMap((part, i) => (i % 2 ? [ids.get(part)] : plain(part))), ids.get(END)];
  };
  return { encode, end: ids.get(END) };
}

// The tokens of a prompt, padded to `longest`.
export function padded({ encode, end }, text, longest) {
  const ids = encode(text);
  return [...ids, ...Array(Math.max(0, longest - ids.length)).fill(end)].slice(0, longest);
}

// The words of a prompt in small letters: what stands between spaces and punctuation.
export const wordsOf = (text) =>
  Array.from(text.toLowerCase(), (c) => (/[\p{P}\p{Z}]/u.test(c) && !SIGNS.includes(c) ? " " : c)).join("").split(/\s+/).filter(Boolean);

// How many letters have to be put in, taken out, changed or swapped with the next one to make one word of another
// (Damerau, 1964; each place is touched once).
export function distance(a, b) {
  let before = [], above = [], row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    [before, above, row] = [above, row, [i + 1]];
    for (let j = 0; j < b.length; j++) {
      row.push(Math.min(above[j + 1] + 1, row[j] + 1, above[j] + (a[i] !== b[j])));
      if (i && j && a[i] === b[j - 1] && a[i - 1] === b[j]) row[j + 1] = Math.min(row[j + 1], before[j - 1] + 1);
    }
  }
  return row[b.length];
}

// The known word that is most like one, or "" where none is; one or two letters are like everything.
export function nearest(word, known) {
  const letters = [...word].slice(0, 40);
  if (letters.length < 3) return "";
  const few = known.map((other) => [distance(letters, other), other]).sort((a, b) => a[0] - b[0]);
  return few.length && few[0][0] <= Math.max(1, (letters.length - 1) / 3) ? few[0][1] : "";
}

// The words of a kind, as model.json has them, with their other names.
export const names = (words) => Object.entries(words).flatMap(([word, [, ...others]]) => [word, ...others]);

const short = (word) => (word.length > 24 ? word.slice(0, 24) + "…" : word);

// One sentence about a prompt that a model cannot read; "" for one that it can.
export function complaint(text, told, clip) {
  if (text.length > 1000) return `A prompt has at most 1,000 letters; ${text.length.toLocaleString("en")} came.`;
  const unknown = told.words ? [...new Set(wordsOf(text))].filter((word) => !told.words.includes(word)) : [];
  if (unknown.length) {
    const drawn = Object.values(told.kinds).flatMap(names);
    const like = unknown.slice(0, 4).map((word) => [short(word), nearest(word, drawn)]);
    const named = like.map(([word, near]) => `“${word}”${near ? ` (${near}?)` : ""}`).join(", ");
    const more = unknown.length > 4 ? ` and ${unknown.length - 4} more` : "";
    return `${told.name} does not know ${named}${more}.${like.some(([, near]) => near) ? "" : " Take one of the words to press."}`;
  }
  const tokens = clip.encode(text).length;
  return tokens > told.tokens ? `${told.name} reads at most ${told.tokens - 2} words and signs; ${tokens - 2} came.` : "";
}
