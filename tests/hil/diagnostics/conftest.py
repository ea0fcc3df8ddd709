import pytest

from hil.diagnostics.protocol import DiagnosticServer, Session, Tester


@pytest.fixture
def tester():
    """A tester in the extended session."""
    return Tester("0x797", Session.EXTENDED)


@pytest.fixture
def speed():
    """The car's speed [m/s], which a test may change."""
    return [0.0]


@pytest.fixture
def server_of(speed):
    """A server of the given services."""
    return lambda *services: DiagnosticServer(services, lambda: speed[0])
