"""Calibration of a running controller: checks, files, pages, journal."""
