"""What every compiled kernel stands on, the controller's and the plant's alike."""

from firmware_model.kernel.jit import kernel
from firmware_model.kernel.records import Field, Record, choice, flag, integer, new, real, record

__all__ = ["Field", "Record", "choice", "flag", "integer", "kernel", "new", "real", "record"]
