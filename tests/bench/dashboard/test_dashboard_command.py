import importlib.util
import socket

import pytest

from bench.commands.dashboard import require_extra
from hil.errors import UsageError


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"e4orce-hil\[dashboard\]"):
        require_extra()


def test_a_port_that_is_taken_and_an_address_that_is_not_here_are_told():
    pytest.importorskip("nicegui", reason="the extra dashboard is not installed")
    from bench.dashboard.server import listening_socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port {port}: cannot be served"):
            listening_socket("127.0.0.1", port)
    with pytest.raises(UsageError, match="cannot be served"):
        listening_socket("192.0.2.1", 0)
    with listening_socket("127.0.0.1", 0) as free:
        assert free.getsockname()[1] > 0
