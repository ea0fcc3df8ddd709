"""The rest of the car, and the people around it: plant, CAN nodes, scenarios, reports, the command ``e4hil``."""
