"""`make tour`: runs every document's examples against the running demo; exit status 1 when a result differs."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final, Protocol

from tour import bookings, gateway, processing, tenant, wallet
from tour.client import SANDBOX, GatewayClient, NotRunning
from tour.report import Difference, Report


class DocumentTour(Protocol):
    """A module that runs one document's examples."""

    @property
    def TITLE(self) -> str: ...

    def play(self, client: GatewayClient, report: Report) -> None: ...


DOCUMENTS: Final[tuple[DocumentTour, ...]] = (wallet, gateway, tenant, processing, bookings)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tour", description="Runs the documents' examples against the demo."
    )
    parser.add_argument("--url", default="http://localhost:5000", help="where the gateway answers")
    parser.add_argument(
        "--sandbox",
        default=os.environ.get("SANDBOX_URL", SANDBOX),
        help="where the provider simulators answer",
    )
    given = parser.parse_args()
    client, report = GatewayClient(given.url.rstrip("/"), given.sandbox.rstrip("/")), Report()
    try:
        client.require_running()
    except NotRunning as error:
        print(error, file=sys.stderr)
        return 1
    for document in DOCUMENTS:
        report.document(document.TITLE)
        try:
            document.play(client, report)
        except Difference as difference:
            report.differs(str(difference))
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
