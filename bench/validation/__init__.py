"""The virtual cars beside what instruments, regulators and road testers measured on real ones."""
