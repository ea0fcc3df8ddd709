"""Where the TOML files of cars and their components are."""

from pathlib import Path

VEHICLES = Path(__file__).parent
CELLS = VEHICLES / "cells"
COMPONENTS = {"cell": CELLS, "motor": VEHICLES / "motors"}  # a block of that name may come from a file of that folder
CALIBRATIONS = VEHICLES / "calibrations"  # of controllers; what a search has found for a car
