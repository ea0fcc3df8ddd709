"""What a test needs of the system that it runs on. Linux has all of it, so that CI leaves nothing of this out."""

import os
import sys
from pathlib import Path

import pytest

from hil import clock

LINUX = sys.platform == "linux"
needs_absolute_sleep = pytest.mark.skipif(
    not clock.AVAILABLE, reason="sleeping until an absolute time is Linux's; elsewhere the product refuses a real-time loop, too"
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="who holds a file is read from /proc, which this system has not got"
)
needs_netlink = pytest.mark.skipif(not LINUX, reason="CAN links are Linux's, and are listed through its netlink sockets")
needs_socketcan = pytest.mark.skipif(not LINUX, reason="messages of sockets have Linux's layout")
needs_group_filter = pytest.mark.skipif(not LINUX, reason="only Linux gives a socket groups that it has not joined")
VCAN = os.environ.get("E4HIL_VCAN", "vcan0")
# make test-vcan brings one, and says so: there its absence is a failure.
VCAN_ABSENT = not Path("/sys/class/net", VCAN).exists() and "VCAN_EXPECTED" not in os.environ
NO_VCAN = f"there is no {VCAN} here: make test-vcan brings one"
needs_vcan = pytest.mark.skipif(VCAN_ABSENT, reason=NO_VCAN)
needs_root = pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0,
    reason="only root can become somebody who has no right to a port, or take an interface away",
)
