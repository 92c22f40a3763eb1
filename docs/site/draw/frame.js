// The course's player of a picture's steps: a page of its own with two holes, in a frame, so that all of it can be kept.

import { brought } from "./files.js";

export class Frame {
  // `moved(k)` hears of the step that is looked at in the player.
  constructor(frame, moved) {
    Object.assign(this, { frame, moved, of: null, text: "", empty: null });
    frame.addEventListener("load", () => { this.dress(); this.join(); });
    new MutationObserver(() => this.dress()).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  }

  // Show a picture's steps: `of` is that picture, `data` what the player reads.
  async fill(of, data) {
    this.of = of;
    try {
      this.empty ||= await brought("player.txt").then((answer) => answer.text());
    } catch (error) {
      if (this.of === of) this.of = null; // it is not there: whoever opens it again asks again
      throw error;
    }
    if (this.of !== of) return; // there is a newer one
    const title = data.title.replaceAll("&", "&amp;").replaceAll("<", "&lt;"), json = JSON.stringify(data).replaceAll("<", "\\u003c");
    this.text = this.empty.replace("{{title}}", () => title).replace("{{data}}", () => json);
    this.frame.title = `Player: ${data.title}`;
    this.frame.srcdoc = this.text;
  }

  // The player's range of steps, where it is alive and shows that picture.
  range(of) {
    if (this.frame.hidden || this.of !== of) return null;
    return this.frame.contentDocument?.querySelector('.dl-player[data-live="yes"] input[type="range"]') || null;
  }

  // It opens on the step that the page looks at, and from then on each of the two ranges follows the other.
  join() {
    const player = this.frame.contentDocument.querySelector(".dl-player"), of = this.of;
    if (!player) return;
    if (player.dataset.live !== "yes") return new MutationObserver((_, observer) => (observer.disconnect(), this.join())).observe(player, { attributes: true, attributeFilter: ["data-live"] });
    this.moved(null);
    const range = this.range(of);
    if (!range) return;
    new MutationObserver(() => range === this.range(of) && this.moved(range.valueAsNumber))
      .observe(range, { attributes: true, attributeFilter: ["aria-valuetext"] });
  }

  // It is as high as its page and as dark as this one; the player looks again when the class changes.
  dress() {
    const { contentDocument: { body, documentElement }, contentWindow } = this.frame;
    if (!body.querySelector(".dl-player")) return;
    const { backgroundColor } = getComputedStyle(document.body);
    Object.assign(body.style, { margin: 0, padding: "4px 0", backgroundColor });
    body.className = backgroundColor;
    if (!contentWindow.ResizeObserver) return; // an old browser, where it scrolls
    documentElement.style.overflow = "hidden";
    new contentWindow.ResizeObserver(() => (this.frame.style.height = `${body.offsetHeight}px`)).observe(body);
  }
}
