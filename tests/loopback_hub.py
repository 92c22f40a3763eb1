"""A model hub on the loopback interface, as much of one as the download path asks for, with faults in its bytes.

It speaks the hub's protocol from the standard library alone; faults are what broken networks do to sockets and bytes.
"""

import hashlib
import json
import threading
import time
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """`models` are addresses and folders; `fault` the name of what is wrong at present, or "" for nothing.

    `last_byte` is when it last sent one, `gets` how many large files were asked for, `firsts` from which byte on each;
    large files go out in pieces of `piece` bytes, with a rest of `slow` seconds after each.
    """

    daemon_threads = True

    def __init__(self, models: dict[str, Path], fault: str = "", slow: float = 0.0, piece: int = 1 << 18):
        super().__init__(("127.0.0.1", 0), Handler)
        self.models, self.fault, self.slow, self.piece, self.firsts = models, fault, slow, piece, []
        self.last_byte, self.gets, self.ends, self.cut = time.monotonic(), 0, threading.Event(), set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that hangs up is what many of these tests are about."""


@contextmanager
def serving(hub: Hub):
    """Serve in the background within the block."""
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.ends.set()
        hub.shutdown()
        hub.server_close()


@cache
def etag_of(path: Path, size: int) -> str:
    """The SHA-256 of weights, and the SHA-1 that git gives any other file."""
    content = path.read_bytes()
    large = path.suffix == ".safetensors"
    return (hashlib.sha256(content) if large else hashlib.sha1(b"blob %d\0" % size + content)).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body: bool = True):
        fault, path = self.server.fault, self.path.split("?")[0].strip("/")
        if path == "cure":
            self.server.fault = ""
            return self._send(b"{}")
        if fault == "silent":
            return self.server.ends.wait(60)
        if fault == "hangs up":
            self.close_connection = True
            return self.connection.close()
        if fault == "portal":
            return self._send(b"<html>Welcome to our airport. Please sign in.</html>", kind="text/html")
        if fault == "in circles":
            return self._send(b"", 302, headers={"Location": self.path})
        if fault.isdigit() or fault.endswith(" for a file") and "/resolve/" in path:
            return self._refuse(int(fault[:3]), "")
        if path.startswith("api/models/"):
            return self._about(path.removeprefix("api/models/"))
        repo, resolve, rest = path.partition("/resolve/")
        if resolve:
            return self._file(repo, *rest.split("/", 1), body)
        return self._send(b"{}")

    def _about(self, path: str):
        path, tree, revision = path.partition("/tree/")
        repo, _, revision = path.partition("/revision/") if not tree else (path, tree, revision)
        if not self._known(repo, revision or "main"):
            return
        folder = self.server.models[repo]
        if tree:
            sizes = self._sizes(folder).items()
            files = [{"type": "file", "path": name, "size": size, "oid": SHA} for name, size in sizes]
            return self._send(json.dumps(files).encode())
        if self.server.fault == "odd":
            return self._send(b'{"hello": 1}')
        files = [{"rfilename": name, "size": size} for name, size in self._sizes(folder).items()]
        return self._send(json.dumps({"id": repo, "modelId": repo, "sha": SHA, "siblings": files}).encode())

    def _sizes(self, folder: Path) -> dict[str, int]:
        scale = 10**12 if self.server.fault == "a disk too small" else 1
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        lost = "unet/" if self.server.fault == "no unet" else "?"
        names = {path.relative_to(folder).as_posix(): path.stat().st_size * scale for path in files}
        return {name: size for name, size in names.items() if not name.startswith(lost)}

    def _known(self, repo: str, revision: str) -> bool:
        if repo not in self.server.models or self.server.fault == "gone":
            self._refuse(401, "RepoNotFound")
        elif self.server.fault == "gated":
            self._refuse(403, "GatedRepo")
        elif revision not in ("main", SHA):
            self._refuse(404, "RevisionNotFound")
        else:
            return True
        return False

    def _file(self, repo: str, revision: str, name: str, body: bool):
        if not self._known(repo, revision):
            return
        path = self.server.models[repo] / name
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        content, etag = path.read_bytes(), etag_of(path, path.stat().st_size)
        large = name.endswith(".safetensors")
        headers = {"X-Repo-Commit": SHA, "Accept-Ranges": "bytes", "ETag": f'"{etag}"'}
        if large:
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{etag}"'}
            if self.server.fault == "damaged":
                content = content[:-8] + bytes(255 - byte for byte in content[-8:])
            if self.server.fault == "short":
                content = content[:-8]
        elif self.server.fault == "altered" and name.startswith("scheduler/"):
            content = content.replace(b"0.012", b"0.021")
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        status = 206 if "Range" in self.headers else 200
        if status == 206:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        if body and large:
            self.server.firsts.append(first)
        self._send(content[first:], status, headers=headers, body=body, large=large)

    def _send(self, content: bytes, status: int = 200, kind: str = "application/json", headers=None, body: bool = True,
              large: bool = False):  # fmt: skip
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.server.last_byte = time.monotonic()
        if not body or self.command == "HEAD":
            return
        self.server.gets += large
        again = self.path in self.server.cut
        self.server.cut.add(self.path)
        if large and (self.server.fault in ("stalls", "cut") or self.server.fault == "cut once" and not again):
            self.wfile.write(content[: 0 if again else len(content) // 2])
            self.wfile.flush()
            self.server.last_byte = time.monotonic()
            if self.server.fault == "stalls":
                self.server.ends.wait(60)
            self.close_connection = True
            return
        piece = self.server.piece
        for i in range(0, len(content), piece):
            self.wfile.write(content[i : i + piece])
            self.server.last_byte = time.monotonic()
            time.sleep(self.server.slow if large else 0)

    def _refuse(self, status: int, code: str):
        self._send(b'{"error": "no"}', status, headers={"X-Error-Code": code} if code else {})
