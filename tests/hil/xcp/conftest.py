import pytest
from small_network import write_small_network
from xcp_rig import Rig

from hil.network.database import load_network


@pytest.fixture
def network(tmp_path):
    return load_network(str(write_small_network(tmp_path)))


@pytest.fixture
def rig(network):
    made = Rig(network)
    made.connect()
    return made
