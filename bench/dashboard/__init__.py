"""The dashboard: a page in the browser that shows what the car is doing, tunes its controller, and compares calibrations."""
