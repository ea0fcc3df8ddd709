"""Captures: CAN logs as people have them, read into frames whatever the logger, and written for other tools.

``read_capture`` tells the format from the content. One file a family: ``gvret``, ``candump``, ``table`` (text of USB-CAN
loggers), ``python_can`` (all that python-can reads). ``recording`` puts order and times right and says what it did.
"""

from hil.captures.capture import Capture, Jump
from hil.captures.mf4 import write_mf4
from hil.captures.reading import read_capture
from hil.captures.writing import write_blf, write_candump

__all__ = ["Capture", "Jump", "read_capture", "write_blf", "write_candump", "write_mf4"]
