"""`python -m launcher run | servers | reset`."""

from __future__ import annotations

import argparse
import sys

from launcher.commands import reset, run, run_servers
from launcher.errors import LauncherError

COMMANDS = {"run": run, "servers": run_servers, "reset": reset}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m launcher", description="Runs Malipo on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="servers, migrations, demo data and every process, until Ctrl-C")
    commands.add_parser("servers", help="only PostgreSQL and Redis, until Ctrl-C")
    commands.add_parser("reset", help="the initial demo data")
    try:
        COMMANDS[parser.parse_args().command]()
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
