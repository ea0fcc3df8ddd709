"""The diagnostic servers of the virtual battery and of the virtual inverters, as a LEAF's answer a tester."""
