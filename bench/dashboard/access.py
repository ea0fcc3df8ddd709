"""Who may look at the page, and who may change something through it.

The address that the terminal prints holds a token that is good once: it is exchanged for a cookie, and the terminal prints the
next one. Everything but that exchange, the websockets too, wants the cookie. Looking is all that it allows: to change something
a session is unlocked with the code that stands in the terminal.

A page of somebody else that resolves its own name to this machine (DNS rebinding) sends its name as Host: only addresses in
digits, which no name server gives away, this machine's own name and localhost are answered; and an Origin must be that Host.
"""

import hmac
import ipaddress
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN_BYTES = 32
CODE_DIGITS = 6
ATTEMPTS = 5  # wrong codes, after which there is a new code
DELAY = 5.0  # [s] after a wrong code in which none is taken: 10 000 codes would take half a day
MOST_SESSIONS = 100  # the oldest is forgotten
HEADERS = (
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
REFUSED = (
    b"403: open the address that e4hil dashboard has printed last; each opens the page once, and the browser keeps the way in."
)


@dataclass(eq=False)
class Session:
    """One browser that came with a token."""

    secret: str
    unlocked: bool = False


class Access:
    """Tokens, sessions, and the code."""

    def __init__(self, report: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        """``report`` prints a line in the terminal."""
        self.url = ""  # of the page, without a token
        self.cookie = "e4hil"
        self.own_name = socket.gethostname().lower()
        self._report = report
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._code = _new_code()
        self._wrong = 0
        self._closed_until = -1.0  # [s]

    def serve_at(self, host: str, port: int) -> None:
        """Where the page is; its cookie is of this port alone, for browsers share cookies between ports."""
        shown = self.own_name if ipaddress.ip_address(host).is_unspecified else f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{port}/"
        self.cookie = f"e4hil_{port}"

    def invite(self) -> None:
        """Print the address that opens the page once, and the code."""
        self._report(f"dashboard: {self.url}?token={self._token}")
        self._report(f"dashboard: to change something, unlock the page with the code {self._code}")

    def exchange(self, token: str) -> Session | None:
        """The new session of who brings the token; None for any other."""
        if not _same(token, self._token):
            return None
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        session = Session(secrets.token_urlsafe(TOKEN_BYTES))
        self._sessions[session.secret] = session
        if len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._report(f"dashboard: for another browser: {self.url}?token={self._token}")
        return session

    def session(self, cookies: str) -> Session | None:
        """The session of a Cookie header; None if it has none."""
        # By hand: http.cookies gives up at the first cookie of another program that is not as it should be.
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        secret = next((value for name, _, value in pairs if name == self.cookie), "")
        return next((session for known, session in self._sessions.items() if _same(secret, known)), None)

    def unlock(self, session: Session, code: str) -> str:
        """Unlock a session with the code; what is wrong in words, or nothing."""
        now = self._now()
        if now < self._closed_until:
            return f"wait {self._closed_until - now:.0f} s after a wrong code"
        if _same(code.strip(), self._code):
            self._wrong = 0
            session.unlocked = True
            return ""
        self._closed_until = now + DELAY
        self._wrong += 1
        if self._wrong % ATTEMPTS == 0:
            self._code = _new_code()
            self._report(f"dashboard: {ATTEMPTS} wrong codes; the code is now {self._code}")
        return "that is not the code in the terminal"

    def knows_host(self, host: str) -> bool:
        """Whether a Host header names this machine: an address in digits, or one of its names."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in ("localhost", self.own_name) or _is_address(name)


class Guard:
    """Lets nothing through to ``app`` (ASGI) that Access does not allow."""

    def __init__(self, app: Any, access: Access) -> None:
        self.app = app
        self._access = access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_from_here(headers):
            await _refuse(scope, receive, send)
        elif self._access.session(headers.get("cookie", "")):
            await self.app(scope, receive, _adding_headers(send))
        elif scope["type"] == "http" and (session := self._exchanged(scope)):
            await _respond(send, 303, b"", [(b"location", b"/"), (b"set-cookie", self._cookie(session))])
        else:
            await _refuse(scope, receive, send)

    def _is_from_here(self, headers: dict[str, str]) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        return self._access.knows_host(host) and (origin is None or origin.lower() == f"http://{host}".lower())

    def _exchanged(self, scope: Any) -> Session | None:
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return self._access.exchange(tokens[0]) if scope["path"] == "/" and scope["method"] == "GET" and tokens else None

    def _cookie(self, session: Session) -> bytes:
        return f"{self._access.cookie}={session.secret}; Path=/; HttpOnly; SameSite=Strict".encode()


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: answered with 403
    else:
        await _respond(send, 403, REFUSED, [(b"content-type", b"text/plain; charset=utf-8")])


async def _respond(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    fresh = (b"cache-control", b"no-store")
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length, fresh, *HEADERS]})
    await send({"type": "http.response.body", "body": body})


def _adding_headers(send: Any) -> Any:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return sending


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(given: str, expected: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _new_code() -> str:
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
