"""The command ``e4hil``: one module for each kind of work, in the order in which ``--help`` lists them.

Everything heavy is imported by the command that needs it, so that ``--help`` answers at once.
"""

from bench.cli import driving, on_buses, tuning, workplace
from bench.cli.app import app, main

__all__ = ["app", "driving", "main", "on_buses", "tuning", "workplace"]
