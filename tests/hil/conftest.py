from collections.abc import Iterator

import pytest
from bus_places import INTERFACES, Place

from hil.captures import read_capture
from hil.errors import UsageError


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
