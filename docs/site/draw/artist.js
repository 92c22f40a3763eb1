// The worker as the page knows it: begun, asked and given up; where nobody is there any more the page is told why.

import { brought, file } from "./files.js";

const SILENCE = 30_000; // milliseconds without a word of the worker's after which it counts as lost

export class Artist {
  // `hear(message)` is told what it says, `fail(why)` that it is gone; `waits()` says whether anybody waits for a word.
  constructor(hear, fail, waits) {
    Object.assign(this, { hear, waits, worker: null, begun: false, alarm: 0 });
    this.fail = (why) => { this.stop(); fail(why); };
  }

  get alive() { return this.worker !== null; }

  stop() {
    clearTimeout(this.alarm);
    this.worker?.terminate();
    this.worker = null;
  }

  // Begin, or begin anew.
  start() {
    this.stop();
    try {
      this.worker = new Worker(file("worker.js"), { type: self.HELD ? "classic" : "module" });
    } catch (error) {
      return this.fail("this browser starts no worker here; try another one");
    }
    const mine = this.worker, now = (act) => (...given) => mine === this.worker && act(...given); // not what was given up
    this.begun = false;
    mine.onmessage = now(({ data }) => {
      this.begun ||= data.kind === "ready";
      this.listen();
      try {
        if (data.kind === "failed") throw new Error(data.say);
        this.hear(data);
      } catch (error) {
        this.fail(error.message);
      }
    });
    mine.onerror = now(() => this.fail(this.begun ? "the worker broke down" : "the worker did not start; if it does not when you try again, take a newer browser"));
    const empty = now((text) => text.trim() || this.fail("worker.js came empty")); // which is no error and says nothing
    brought("worker.js").then((answer) => answer.text()).then(empty).catch(() => {});
    this.listen();
  }

  ask(message) {
    this.worker.postMessage(message);
    this.listen();
  }

  listen() {
    clearTimeout(this.alarm);
    const silent = `nothing was heard of the worker for half a minute${this.begun ? "" : " (is there a network?)"}`;
    this.alarm = setTimeout(() => this.waits() && this.fail(silent), SILENCE);
  }
}
