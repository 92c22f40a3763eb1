"""Watching the process that fetches: what it says, how its files grow, and when nothing moves any more."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ...places import Role

Say = Callable[[str], None]
SILENCE = 15.0  # seconds without a byte that end the wait


class Watch:
    """Reads what the fetching process says, and how the files grow, also those that another process is fetching."""

    def __init__(self, process: subprocess.Popen, role: Role, repo: str, say: Say):
        self.process, self.role, self.repo, self.say = process, role, repo, say
        self.lines: queue.Queue[str] = queue.Queue()
        self.bar, self.blobs, self.before = None, None, 0
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def until_the_end(self) -> dict:
        """The last word of the process; {"fault": "stalled"} where nothing moved for too long."""
        moved = time.monotonic()
        while time.monotonic() - moved < SILENCE:
            if self._grew():
                moved = time.monotonic()
            try:
                line = self.lines.get(timeout=0.2)
            except queue.Empty:
                continue
            moved, said = time.monotonic(), _said(line)
            if "plan" in said:
                self._begin(said["plan"])
            elif {"folder", "fault"} & said.keys():
                return said
        return {"fault": "stalled"}

    def _begin(self, plan: dict) -> None:
        from tqdm.auto import tqdm

        self.blobs = Path(plan["blobs"])
        self.before = _bytes_in(self.blobs)
        if plan["bytes"]:
            size, free = plan["bytes"] / 1e9, plan["free"] / 1e9
            self.say(f"{self.role.title} comes from {self.repo}: {size:.2g} GB to download, {free:.0f} GB of disk free"
                     + (f"; licence: {self.role.licence}" if self.role.licence else ""))  # fmt: skip
            self.bar = tqdm(total=plan["bytes"], unit="B", unit_scale=True, desc=self.role.title, leave=False)

    def _grew(self) -> bool:
        if self.blobs is None or (now := _bytes_in(self.blobs)) == self.before:
            return False
        if self.bar is not None:
            self.bar.update(max(0, now - self.before))
        self.before = now
        return True

    def close(self) -> None:
        """End the process, with time to tidy up."""
        if self.bar is not None:
            self.bar.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.reading.join(timeout=5)


def _said(line: str) -> dict:
    """What a line of the process means; its end, an empty line, without a last word is a fault; noise is nothing."""
    if not line:
        return {"fault": "unknown"}
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _bytes_in(folder: Path) -> int:
    """How many bytes lie in a folder's files, whole and half-written."""
    total = 0
    for path in folder.glob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it was moved into its place a moment ago
            continue
    return total
