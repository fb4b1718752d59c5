"""`flask kyc …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.cli.common import principal
from app.errors import GatewayError
from app.models.kyc import KycStatus
from app.services.kyc import verification as kyc_verification
from app.services.kyc.verification import Verdict

kyc = AppGroup("kyc", help="Identity verification.")


@kyc.command("approve")
@click.argument("request_id")
def kyc_approve(request_id: str) -> None:
    """Verify a request (kyc_req_…)."""
    _decide(request_id, KycStatus.VERIFIED, None)


@kyc.command("reject")
@click.argument("request_id")
@click.argument("reason")
def kyc_reject(request_id: str, reason: str) -> None:
    """Reject a request (kyc_req_…) with a reason its sender will read."""
    _decide(request_id, KycStatus.REJECTED, reason)


@kyc.command("sweep")
def kyc_sweep() -> None:
    """Remove files of documents whose request was never committed (older than a day)."""
    click.echo(f"{kyc_verification.sweep_documents()} files removed.")


def _decide(request_id: str, verdict: Verdict, reason: str | None) -> None:
    try:
        kyc_verification.decide(request_id, verdict, reason=reason, operator=principal())
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{request_id} is {verdict}.")
