// Where a file of the page lies: beside its scripts, or, where the page is one file, in HELD, which has it as an address.

export const file = (name) => self.HELD?.[name] ?? new URL(name, import.meta.url);

// A file as it comes; with "reload" past what the browser keeps of it. Throws a sentence where it does not come.
export async function brought(name, cache = "default") {
  const answer = await fetch(file(name), { cache }).catch(() => null);
  if (!answer?.ok) throw new Error(`${name} did not come${answer ? ` (${answer.status})` : ""}`);
  return answer;
}
