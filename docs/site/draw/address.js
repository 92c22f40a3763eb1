// What stands behind the # of the page's address: the fields' texts, by their names.

const MOST = 4000; // letters, as far as any address goes

// The part behind the # that holds these texts, put into the page's own address where it may be; "" where it is too long.
export function hold(texts, own) {
  const kept = String(new URLSearchParams(texts));
  if (kept.length > MOST) return "";
  try {
    if (own) history.replaceState(null, "", `#${kept}`);
  } catch (error) { // some browsers allow only so many a minute: the next one holds all
  }
  return kept;
}

// The texts that the address holds of these names, [name, text] each.
export function held(names) {
  const texts = new URLSearchParams(location.hash.slice(1));
  return names.filter((name) => texts.has(name)).map((name) => [name, texts.get(name)]);
}
