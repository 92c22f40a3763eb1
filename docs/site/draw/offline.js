// The site without a network: a service worker that keeps the pages that draw, whole, and what else was looked at.
// It knows each file by its SHA-256, so that no file of another build, and no half of one, comes among those it keeps.

const FILES = {{files}}; // by their way from the site's folder, the light ones first
const HERE = registration.scope, NAME = `${HERE}#{{version}}`, SEEN = `${HERE}#seen`;
const key = (name) => new URL(`${name}?is=${FILES[name]}`, HERE).href;

async function unpacked(bytes) {
  const [a, b] = new Uint8Array(bytes.slice(0, 2));
  if (a !== 0x1f || b !== 0x8b) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function print(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", await unpacked(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// A file of this build: kept by an earlier one, or in the browser's own cache, or from the site.
async function brought(name) {
  const kept = await caches.match(key(name));
  if (kept) return kept;
  for (const cache of ["default", "reload"]) {
    const asked = name.endsWith(".bin") ? key(name) : new URL(name, HERE); // as the page asks for it
    const answer = await fetch(asked, { cache }), bytes = await answer.arrayBuffer();
    if (answer.ok && (await print(bytes)) === FILES[name]) return new Response(bytes, { headers: { "Content-Type": answer.headers.get("Content-Type") } });
  }
  throw new Error(`${name} is not that of this build`);
}

// Only what is whole is put to use: where one file is missing nothing is installed, and the next visit goes on from there.
async function keepAll() {
  const cache = await caches.open(NAME);
  for (const name of Object.keys(FILES)) if (!(await cache.match(key(name)))) await cache.put(key(name), await brought(name));
}

async function forgetOthers() {
  const names = (await caches.keys()).filter((name) => name.startsWith(`${HERE}#`) && name !== NAME && name !== SEEN);
  await Promise.all(names.map((name) => caches.delete(name)));
}

const held = async (name, request) => (await (await caches.open(NAME)).match(key(name))) || fetch(request);

// What is not of the pages that draw comes from the site; without a network as it was seen last.
async function seen(request) {
  const cache = await caches.open(SEEN);
  try {
    const answer = await fetch(request);
    if (answer.status === 200 && !answer.redirected) await cache.put(request, answer.clone()).catch(() => {}); // where the disk is full it is shown all the same
    return answer;
  } catch (error) {
    return (await cache.match(request)) || Response.error();
  }
}

addEventListener("install", (event) => event.waitUntil(keepAll()));
addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
addEventListener("fetch", (event) => {
  const { request } = event, { href, origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || !href.startsWith(HERE)) return;
  const name = (origin + pathname).slice(HERE.length) || "index.html";
  event.respondWith(Object.hasOwn(FILES, name) ? held(name, request) : seen(request));
});
