"""The web server: NiceGUI on uvicorn, behind the guard, on one socket that is there before anything is printed."""

import socket
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from nicegui import app as pages
from nicegui import ui

from bench.dashboard.access import Access, Guard
from bench.dashboard.page import FOLDER, DashboardPage, Shared
from bench.dashboard.run import Run
from bench.dashboard.signals import signals_of
from bench.dashboard.stream import Stream
from hil.errors import UsageError

ICON = "🚗"
RECONNECT = 20.0  # [s] for which a browser that is not heard keeps its page
TITLE = "e4orce-hil dashboard"


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket on that address; port 0 is any free one. Raises UsageError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen()  # a browser that comes before the server runs waits
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: cannot be served there: {error.strerror or error}") from error
    return bound


class DashboardServer:
    """Serves the page of one run until it is told to stop."""

    def __init__(self, run: Run, access: Access, bound: socket.socket) -> None:
        host, port = bound.getsockname()[:2]
        access.serve_at(host, port)
        self._socket = bound
        shared = Shared(run, access, signals_of(run.nodes))
        site = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

        @site.websocket("/stream")
        async def stream(websocket: WebSocket) -> None:
            await Stream(run, shared.signals).serve(websocket)

        @ui.page("/")
        def index(request: Request) -> None:
            session = access.session(request.headers.get("cookie", ""))
            assert session  # the guard lets nobody else through
            DashboardPage(shared, session).build()

        pages.add_static_files("/dashboard", Path(FOLDER), max_cache_age=0)
        ui.run_with(site, title=TITLE, favicon=ICON, dark=None, show_welcome_message=False, reconnect_timeout=RECONNECT)
        config = uvicorn.Config(
            Guard(site, access), log_level="warning", access_log=False, ws_max_size=1_000_000, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)

    def serve(self) -> None:
        """Serve until a signal, or ``stop``."""
        self._server.run(sockets=[self._socket])

    def stop(self, *_: Any) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._server.should_exit = True
