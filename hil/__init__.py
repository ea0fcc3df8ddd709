"""What makes it real: time, wires, memory, access. Joins the controller's kernels to CAN networks."""
