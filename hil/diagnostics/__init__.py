"""Diagnostics: servers of UDS (ISO 14229) and KWP over ISO-TP (ISO 15765), beside the real-time loop."""
