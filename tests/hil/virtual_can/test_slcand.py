"""Linux's own slcan driver on a port of the hub, with can-utils; needs a kernel that has it, and root to make a link."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from port_rig import Terminal, eventually, port

from hil.virtual_can import BusPlan, Hub, HubClient, serving

LINK = "hubcan0"
TOOLS = ("slcand", "candump", "cansend", "ip")


def has_slcan() -> bool:
    return "slcan" in Path("/proc/tty/ldiscs").read_text() and os.geteuid() == 0 and all(map(shutil.which, TOOLS))


@pytest.mark.skipif(not has_slcan(), reason="no slcan driver in this kernel, no root, or no can-utils")
def test_candump_and_cansend_work_through_slcand(tmp_path: Path) -> None:
    with serving(Hub([BusPlan("front")], folder=tmp_path)) as hub, HubClient(tmp_path) as client:
        terminal = hub.ports["front0"].path.resolve()
        slcand = subprocess.Popen(["slcand", "-F", "-o", "-c", "-f", "-s6", str(terminal), LINK], stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: subprocess.run(["ip", "link", "set", LINK, "up"], stderr=subprocess.DEVNULL).returncode == 0)
            assert port(client, "front0")["condition"] == "open"
            dump = subprocess.Popen(["candump", "-n", "2", "-L", LINK], stdout=subprocess.PIPE, text=True)
            other = Terminal(hub.ports["front1"].path).open_channel()
            # candump tells nobody when it begins to listen: send until it has seen two.
            eventually(lambda: other.write(b"t1D42BEEF\rT18DA10F11AA\r") or dump.poll() is not None)
            lines, _ = dump.communicate()
            assert {line.split()[-1] for line in lines.splitlines()} <= {"1D4#BEEF", "18DA10F1#AA"}
            for text, expected in (("1DB#0102", b"t1DB20102\r"), ("12345678#R2", b"R123456782\r")):
                subprocess.run(["cansend", LINK, text], check=True)
                other.expect(expected)
            other.close()
        finally:
            slcand.terminate()
            slcand.wait()
        eventually(lambda: not port(client, "front0")["attended"])
