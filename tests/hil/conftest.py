from collections.abc import Iterator
from typing import Any

import pytest
from bus_places import INTERFACES, Place
from small_network import write_small_network

from hil.bus import open_bus, parse_bus_address
from hil.captures import read_capture
from hil.errors import UsageError
from hil.network.database import load_network


@pytest.fixture
def capture_of(tmp_path):
    """Reads a capture from text or bytes, in a file whose name tells nothing."""

    def read(content):
        path = tmp_path / "capture"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_capture(path)

    return read


@pytest.fixture
def error_of(capture_of):
    """The message of the UsageError that a file leads to."""

    def message(content):
        with pytest.raises(UsageError) as caught:
            capture_of(content)
        return str(caught.value)

    return message


@pytest.fixture(params=INTERFACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A bus of every kind in turn."""
    with INTERFACES[request.param]() as addresses:
        yield addresses


@pytest.fixture
def peer(place: Place) -> Iterator[Any]:
    """Somebody else on the bus."""
    bus = open_bus(parse_bus_address(place[1]))
    yield bus
    bus.shutdown()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The small network."""
    return load_network(str(write_small_network(tmp_path_factory.mktemp("network"))))
