"""Asks drivers of python-can what is plugged in; run as a process of its own, since a driver may hang, print or crash.

One JSON object a line and interface: what was found, or what went wrong. An interface without a line has not answered in time.
"""

import json
import logging
import os
import queue
import sys
import threading
import time
from typing import Any


def ask(name: str, answers: "queue.Queue[dict[str, Any]]") -> None:
    """What one driver finds."""
    import can

    try:
        found = [dict(configuration) for configuration in can.detect_available_configs(interfaces=[name])]
        answers.put({"interface": name, "found": found})
    except Exception as error:  # whatever a driver raises is the answer
        answers.put({"interface": name, "error": f"{type(error).__name__}: {error}"})


def main(limit: float, names: list[str]) -> None:
    """Ask all at once, for ``limit`` [s] at most; a driver that hangs is left behind."""
    end = time.monotonic() + limit
    with os.fdopen(os.dup(1), "w") as out:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        logging.disable(logging.CRITICAL)
        answers: queue.Queue[dict[str, Any]] = queue.Queue()
        for name in names:
            threading.Thread(target=ask, args=(name, answers), daemon=True).start()
        for _ in names:
            try:
                answer = answers.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            out.write(json.dumps(answer, default=str) + "\n")
            out.flush()
    os._exit(0)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
