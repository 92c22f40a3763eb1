"""How long from a key press to the new picture on the screen, in a real Chromium: p50, p95 and the longest.

    python benchmarks/slider_to_paint.py

Two players: 50 reverse frames of 64 px in colour with guidance, and 1,000 forward steps of a photograph of 256 px.
The clock starts at the event's own time stamp and stops when the frame after it has been handed over for painting.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import browser  # noqa: E402
import player_paths as made  # noqa: E402

from diffusion_lab.player import Player  # noqa: E402

LISTEN = """() => {
  window.waits = [];
  addEventListener("keydown", (event) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => waits.push(performance.now() - event.timeStamp);
    channel.port2.postMessage(0);
  }), true);
}"""

PAINTED = """(n) => new Promise((done) => {
  const look = () => (waits.length >= n ? done() : setTimeout(look, 5));
  look();
})"""


def measure(engine, player: Player, presses: int) -> np.ndarray:
    """Milliseconds from key press to paint, one for each press."""
    with tempfile.TemporaryDirectory() as folder, browser.page(engine) as tab:
        tab.goto(browser.address(player.save(Path(folder) / "player.html")))
        browser.live(tab)
        tab.evaluate(LISTEN)
        tab.evaluate("document.querySelector('.dl-player input').focus()")
        tab.keyboard.press("Home")
        tab.evaluate(PAINTED, 1)
        tab.evaluate("waits.length = 0")
        for k in range(presses):
            tab.keyboard.press("ArrowRight" if k % 80 < 40 else "ArrowLeft")
            tab.evaluate(PAINTED, k + 1)
        return np.array(tab.evaluate("waits"))


def main() -> None:
    players = {"50 frames of 64 px, guidance": Player(made.guided(50, "ddim", 64)),
               "1,000 forward steps of 256 px": Player(made.forward_photo())}  # fmt: skip
    with browser.browser() as engine:
        for name, player in players.items():
            waits = measure(engine, player, 400)
            p50, p95 = np.percentile(waits, [50, 95])
            print(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, max {waits.max():.0f} ms ({len(waits)} presses)")


if __name__ == "__main__":
    main()
