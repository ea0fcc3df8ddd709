import asyncio
import socket

import pytest

from bench.dashboard.access import ATTEMPTS, DELAY, Access, Guard


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def access(lines, clock):
    access = Access(lines.append, clock)
    access.serve_at("127.0.0.1", 8400)
    access.invite()
    return access


def token_of(lines):
    return lines[0].split("token=")[1]


def code_of(lines):
    return next(line for line in reversed(lines) if "code" in line).split()[-1]


async def passed_through(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


def ask(access, path="/", query="", kind="http", **headers):
    """What the guard answers to one request: its messages."""
    told = []

    async def send(message):
        told.append(message)

    async def receive():
        return {"type": f"{kind}.connect"}

    given = {"host": "127.0.0.1:8400", **headers}
    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Guard(passed_through, access)(scope, receive, send))
    return told


def cookie_from(answer):
    return dict(answer[0]["headers"])[b"set-cookie"].decode().split(";")[0]


def test_without_a_token_nothing_is_answered_but_403(access):
    for path in ("/", "/dashboard/page.js", "/_nicegui_ws/socket.io"):
        assert ask(access, path)[0]["status"] == 403


def test_a_wrong_token_is_refused(access, lines):
    for query in ("token=", "token=x", f"token={token_of(lines)}x", f"token={token_of(lines)[:-1]}"):
        assert ask(access, query=query)[0]["status"] == 403


def test_a_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get(access, lines):
    answer = ask(access, query=f"token={token_of(lines)}")
    assert answer[0]["status"] == 303
    told = dict(answer[0]["headers"])[b"set-cookie"]
    assert b"HttpOnly" in told
    assert b"SameSite=Strict" in told
    assert ask(access, cookie=cookie_from(answer))[0]["status"] == 200


def test_a_token_is_good_once_and_the_next_one_is_told(access, lines):
    token = token_of(lines)
    assert ask(access, query=f"token={token}")[0]["status"] == 303
    assert ask(access, query=f"token={token}")[0]["status"] == 403
    assert ask(access, query=f"token={lines[-1].split('token=')[1]}")[0]["status"] == 303


def test_a_websocket_without_the_cookie_is_closed_before_it_is_accepted(access, lines):
    assert ask(access, "/stream", kind="websocket") == [{"type": "websocket.close", "code": 1008}]
    cookie = cookie_from(ask(access, query=f"token={token_of(lines)}"))
    assert ask(access, "/stream", kind="websocket", cookie=cookie) == [{"type": "websocket.accept"}]


def test_a_name_that_somebody_resolves_to_this_machine_is_refused(access, lines):
    cookie = cookie_from(ask(access, query=f"token={token_of(lines)}"))
    for host in ("evil.example", "evil.example:8400", "127.0.0.1.evil.example", "", "[", "[::1", "x[y]"):
        assert ask(access, cookie=cookie, host=host)[0]["status"] == 403
    for host in ("localhost:8400", "127.0.0.1:8400", "[::1]:8400"):
        assert ask(access, cookie=cookie, host=host)[0]["status"] == 200


def test_a_page_of_another_origin_is_refused(access, lines):
    cookie = cookie_from(ask(access, query=f"token={token_of(lines)}"))
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8400"):
        assert ask(access, "/stream", kind="websocket", cookie=cookie, origin=origin)[0]["type"] == "websocket.close"
    assert (
        ask(access, "/stream", kind="websocket", cookie=cookie, origin="http://127.0.0.1:8400")[0]["type"] == "websocket.accept"
    )


def test_cookies_that_are_none_are_no_way_in(access):
    for cookie in ("e4hil_8400=", "e4hil_8400=x", "x", ";;=", "e4hil_8400=\x00", "é=ü"):
        assert ask(access, cookie=cookie)[0]["status"] == 403


def test_cookies_of_other_programs_on_this_machine_are_not_in_the_way(access, lines):
    cookie = cookie_from(ask(access, query=f"token={token_of(lines)}"))
    for others in ('settings={"a": 1}; {}', "{};  =; x; e4hil_8401=x", 'a="; {}; b=é'):
        assert ask(access, cookie=others.replace("{}", cookie))[0]["status"] == 200


def test_the_address_told_is_one_that_another_machine_can_open(access):
    told = []
    for host in ("0.0.0.0", "::", "192.0.2.1", "::1"):
        access.serve_at(host, 8400)
        told.append(access.url)
    name = socket.gethostname().lower()
    assert told == [f"http://{name}:8400/", f"http://{name}:8400/", "http://192.0.2.1:8400/", "http://[::1]:8400/"]


def test_the_code_unlocks_its_own_session_alone(access, lines):
    one, other = access.exchange(token_of(lines)), access.exchange(lines[-1].split("token=")[1])
    assert access.unlock(one, code_of(lines)) == ""
    assert (one.unlocked, other.unlocked) == (True, False)


def test_after_a_wrong_code_none_is_taken_for_a_while(access, lines, clock):
    session = access.exchange(token_of(lines))
    right = code_of(lines)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    assert "not the code" in access.unlock(session, wrong)
    assert "wait" in access.unlock(session, right)
    assert not session.unlocked
    clock.now += DELAY + 0.1
    assert access.unlock(session, right) == ""


def test_after_some_wrong_codes_there_is_a_new_one(access, lines, clock):
    session = access.exchange(token_of(lines))
    right = code_of(lines)
    for _ in range(ATTEMPTS):
        access.unlock(session, "no code")
        clock.now += DELAY + 0.1
    assert code_of(lines) != right or lines[-1].startswith(f"dashboard: {ATTEMPTS} wrong codes")
    assert access.unlock(session, code_of(lines)) == ""
