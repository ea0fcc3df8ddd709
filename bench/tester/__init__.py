"""A small diagnostic tester on udsoncan, for people who have none: ``e4hil tester``."""
