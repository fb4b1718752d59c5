"""What the launcher refuses or fails at, as sentences for the person at the terminal."""


class LauncherError(Exception):
    """The message says what is wrong and what to do about it; it is printed without a traceback."""
