"""The one exception that means: the user has to change something. The command line prints it and exits with status 2."""


class UsageError(Exception):
    """Wrong input. The message names the file or argument, the key, and what was expected, in one line."""
