"""One module a command of ``e4hil``: what it does, apart from how its options are read."""
