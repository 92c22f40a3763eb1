// Replaces the still strip by one picture and a native range input; every copy on the page works by itself.
(() => {
  "use strict";
  for (const host of document.querySelectorAll(".dl-slider:not([data-live])")) {
    host.dataset.live = "yes";
    const setting = JSON.parse(host.querySelector("script").textContent);
    const still = host.querySelector("img"), figure = host.querySelector("figure");
    const alt = still.alt;
    const picture = still.cloneNode();
    // As large as there is room for: its handle stays on the screen, and its letters can be read (else the box scrolls).
    const whole = `calc(var(--ratio, 1) * ${setting.height}px)`;
    const least = setting.letters ? `min-width:calc(${Math.min(1, 11 / setting.letters).toFixed(3)} * ${whole});--letters:${setting.letters};` : "";
    picture.style.cssText = `display:block;width:min(100%,${whole},var(--ratio, 1) * var(--tall, max(140px, 100vh - 230px)));${least}aspect-ratio:var(--ratio);image-rendering:pixelated`;
    picture.addEventListener("load", () => host.style.setProperty("--ratio", picture.naturalWidth / picture.naturalHeight));
    const room = document.createElement("div"); // what is wider than the page moves in it, by keys as well
    room.className = "dl-moves";
    room.style.cssText = "overflow-x:auto";
    room.setAttribute("role", "group");
    room.ariaLabel = setting.title;
    const measure = new ResizeObserver(() => (room.scrollWidth > room.clientWidth ? (room.tabIndex = 0) : room.removeAttribute("tabindex")));
    for (const each of [room, picture]) measure.observe(each);
    // On paper there is no slider: there, every stop.
    const stops = document.createElement("div"), paper = document.createElement("style");
    stops.className = "dl-stops";
    stops.ariaHidden = "true";
    for (const [k, source] of setting.frames.entries()) {
      const stop = stops.appendChild(document.createElement("div")), image = stop.appendChild(new Image());
      Object.assign(image, {src: source, alt: ""}).style.cssText = `width:${whole};max-width:100%;margin:auto;display:block;image-rendering:pixelated`;
      stop.append(setting.labels[k]);
    }
    paper.textContent = `.dl-stops{display:none;flex-wrap:wrap;gap:6px 14px;font:16px/1.2 system-ui,sans-serif;text-align:center}
      .printing .dl-stops{display:flex}.printing .dl-moves{display:none!important}
      .jp-OutputArea:has(.jupyter-widgets) label.dl-moves{display:none!important}
      @media print{.dl-stops{display:flex}.dl-moves{display:none!important}}`;
    const line = document.createElement("label");
    line.className = "dl-moves";
    line.style.cssText = "display:flex;gap:.8em;align-items:center;font:16px/1.4 system-ui,sans-serif;margin:.4em 0;flex-wrap:wrap";
    const range = document.createElement("input");
    Object.assign(range, {type: "range", min: 0, max: setting.frames.length - 1, step: 1, value: setting.start});
    range.style.cssText = "flex:1 1 220px;max-width:420px;height:44px;accent-color:#009E73";
    range.style.scrollMargin = `min(${setting.height + 16}px, 100vh - 200px) 0 6em`; // who tabs to it sees the picture and the caption as well
    const title = document.createElement("span"), says = document.createElement("output");
    title.textContent = setting.title;
    says.style.cssText = "font-weight:600;min-width:9em";
    line.append(title, range, says);
    const show = () => {
      const k = Number(range.value), words = setting.labels[k];
      picture.src = setting.frames[k];
      picture.alt = `${setting.title}: ${words}. ${alt}`;
      says.textContent = words;
      range.setAttribute("aria-valuetext", words);
    };
    range.addEventListener("input", show);
    range.setAttribute("aria-label", setting.title);
    // The page around (a notebook, a deck) must not take the slider's keys for its own; Esc goes back to it.
    const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " ", "Escape"];
    window.addEventListener("keydown", (event) => {
      if (![range, room].includes(event.target) || !keys.includes(event.key)) return;
      event.stopPropagation();
      if (event.key === " ") event.preventDefault(); // it would scroll the slider off the screen
      if (event.key !== "Escape") return;
      event.target.blur();
      host.closest(".jp-Notebook")?.focus({preventScroll: true});
    }, true);
    still.replaceWith(room);
    room.append(picture);
    room.after(line, stops, paper);
    show();
  }
})();
