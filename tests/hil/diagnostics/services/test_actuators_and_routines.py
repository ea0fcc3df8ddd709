"""Actuator tests and routines with the real controller and its car in lockstep: the tester's time is the car's time."""

import struct
from functools import cache

import pytest
from data_rig import Rig, network, refused

from bench.drive import Drive
from bench.scenarios import load_scenario
from bench.vehicles import load_vehicle
from hil.diagnostics import protocol
from hil.diagnostics.actuator_tests import ActuatorTests
from hil.diagnostics.protocol import Access, Code, Session
from hil.diagnostics.routines import Bleeding, BrakeBleed, CapacityEstimate, SelfTest, SelfTestFailure
from hil.diagnostics.services import input_output_control_by_identifier, routine_control

PIECE = 0.05  # [s] between two polls
