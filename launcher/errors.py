"""The launcher's errors, as sentences for the user at the terminal."""


class LauncherError(Exception):
    """The message says what is wrong and what to do about it; it is printed without a traceback."""
