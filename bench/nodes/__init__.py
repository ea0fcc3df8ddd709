"""The virtual car as a node on CAN: inverters, battery controller, sensors and brakes around the plant."""
