"""Measurement and calibration by XCP on CAN: slave, data acquisition, A2L."""
