// The site without a network: a service worker that keeps the pages that draw, whole, and what else was looked at.
// It knows each file by its SHA-256, so that no file of another build, and no half of one, comes among those it keeps.

const FILES = {{files}}; // by their way from the site's folder, the light ones first
const HERE = registration.scope, NAME = `${HERE}#{{version}}`, SEEN = `${HERE}#seen`;
const SOON = 2000; // milliseconds that a network has which may hang
let gone = false; // is the site that it belongs to?
const key = (name) => new URL(`${name}?is=${FILES[name]}`, HERE).href;

async function unpacked(bytes) {
  const [a, b] = new Uint8Array(bytes.slice(0, 2));
  if (a !== 0x1f || b !== 0x8b) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", await unpacked(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// An answer as it is kept; null where it is not the file of this build, or not all of it.
async function whole(name, answer) {
  if (!answer?.ok) return null;
  const bytes = await answer.arrayBuffer();
  if ((await sha256(bytes).catch(() => "")) !== FILES[name]) return null;
  return new Response(bytes, { headers: { "Content-Type": answer.headers.get("Content-Type") } });
}

// A file of this build as the site has it, or the browser's own cache.
async function brought(name, ways = ["default", "reload"]) {
  for (const cache of ways) {
    const asked = name.endsWith(".bin") ? key(name) : new URL(name, HERE); // as the page asks for it
    const file = await whole(name, await fetch(asked, { cache }));
    if (file) return file;
  }
  throw new Error(`${name} is not that of this build`);
}

// Only what is whole is put to use: where one file is missing nothing is installed, and the next visit goes on from there.
async function keepAll() {
  const cache = await caches.open(NAME);
  for (const name of Object.keys(FILES)) {
    const kept = await whole(name, await caches.match(key(name))); // that of an earlier build is as good
    await cache.put(key(name), kept || (await brought(name)));
  }
}

async function forget(but = []) {
  const names = (await caches.keys()).filter((name) => name.startsWith(`${HERE}#`) && !but.includes(name));
  await Promise.all(names.map((name) => caches.delete(name)));
}

// As it is kept; who asks past all caches, since it is broken, gets it from the site, if it still is that of this build.
async function held(name, request) {
  const cache = await caches.open(NAME);
  if (["reload", "no-cache"].includes(request.cache)) {
    const answer = await brought(name, ["reload"]).catch(() => null);
    if (answer) await cache.put(key(name), answer).catch(() => {});
  }
  return (await cache.match(key(name))) || fetch(request);
}

// What is not of the pages that draw comes from the site; where none comes soon, as it was seen last, whatever was asked
// of it. Where the disk is full it is shown all the same.
async function seen(request, place) {
  const cache = await caches.open(SEEN), kept = await cache.match(place);
  const fresh = fetch(request).then(async (answer) => {
    const copy = answer.clone();
    if (answer.status === 200 && !answer.redirected && !gone) await cache.put(place, copy).catch(() => {});
    return answer;
  }).catch(() => null);
  const soon = kept ? Promise.race([fresh, new Promise((done) => setTimeout(done, SOON, null))]) : fresh;
  return (await soon) || kept || (request.mode === "navigate" ? nowhere() : Response.error());
}

// A page in the place of one that nobody has here.
const nowhere = () => new Response(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Not kept here</title><p>This page was not looked at before, and
there is no network. What is kept here: <a href="${HERE}">the start page</a>, which draws, and each lesson that was read.</p>`,
{ headers: { "Content-Type": "text/html; charset=utf-8" } });

// Where the site has no such worker any more, or is another one at the same address, this one goes with all it keeps.
async function leave() {
  const soon = AbortSignal.timeout?.(SOON); // a network that hangs is none
  const answer = await fetch(new URL("offline.js", HERE), { cache: "no-store", signal: soon }).catch(() => null);
  gone = answer?.status === 404;
  if (gone) await Promise.all([forget(), registration.unregister()]);
}

// The way of an address from the site's folder, or null where it is none of the site's.
function nameOf(address) {
  const { origin, pathname } = new URL(address || "about:blank");
  return (origin + pathname).startsWith(HERE) ? (origin + pathname).slice(HERE.length) || "index.html" : null;
}

// Before a page is shown it is asked whether the site is still that one.
async function answered(request, name, ours) {
  if (request.mode === "navigate") await leave();
  if (gone) return fetch(request);
  return ours ? held(name, request) : seen(request, new URL(name, HERE).href);
}

// A newer build takes over at once where the page that asks for it is the only one that is open.
async function takeOver() {
  const open = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (open.length === 1) await skipWaiting();
}

addEventListener("message", (event) => event.data === "now" && event.waitUntil(takeOver()));
addEventListener("install", (event) => event.waitUntil(keepAll()));
addEventListener("activate", (event) => event.waitUntil(forget([NAME, SEEN])));
addEventListener("fetch", (event) => {
  const { request } = event, name = nameOf(request.url), by = nameOf(request.referrer);
  if (request.method !== "GET" || name === null) return;
  const foreign = name.startsWith("_static/") && by !== null && !Object.hasOwn(FILES, by); // for a page of the newest build
  event.respondWith(answered(request, name, Object.hasOwn(FILES, name) && !foreign));
});
