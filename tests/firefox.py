#!/usr/bin/env python
"""Firefox as distributions ship it, for Playwright, which speaks WebDriver BiDi with it and expects the newest one.

Started in its place, this starts $FIREFOX and passes all messages on, but for what an older one lacks: it cannot be
told which colours a page shall prefer (left undone), and its downloads have no names of their own (addresses do).
"""

import asyncio
import json
import os
import re
import sys

from tornado import httpserver, netutil, web
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

LARGE = 2**28  # bytes of a message
UNKNOWN = '"unknown command","message":"emulation.setMediaFeaturesOverride"'


class Between(WebSocketHandler):
    def check_origin(self, origin):
        return True

    async def open(self):
        address = f"{self.settings['firefox']}/session"
        self.there = await websocket_connect(address, max_message_size=LARGE, on_message_callback=self.back)

    async def on_message(self, message):
        await self.there.write_message(message)

    def back(self, message):
        if message is None:
            return self.close()
        if UNKNOWN in message:
            message = json.dumps({"type": "success", "id": json.loads(message)["id"], "result": {}})
        elif '"browsingContext.download' in message:
            event = json.loads(message)
            event["params"].setdefault("download", event["params"]["url"])
            message = json.dumps(event)
        try:
            self.write_message(message)
        except WebSocketClosedError:
            pass


async def main():
    pipe = asyncio.subprocess.PIPE
    firefox = await asyncio.create_subprocess_exec(os.environ["FIREFOX"], *sys.argv[1:], stderr=pipe)
    while line := (await firefox.stderr.readline()).decode():
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
            sockets = netutil.bind_sockets(0, "127.0.0.1")
            pages = web.Application([("/session", Between)], firefox=found[1], websocket_max_message_size=LARGE)
            httpserver.HTTPServer(pages).add_sockets(sockets)
            line = line.replace(found[1], "ws://{}:{}".format(*sockets[0].getsockname()))
        print(line, end="", file=sys.stderr, flush=True)
    await firefox.wait()


asyncio.run(main())
