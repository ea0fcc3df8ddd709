"""CAN networks as data: DBC files, the small TOML beside them, and the compiled codecs generated from both."""
