"""Identity verification: POST /kyc/submit, POST /kyc/documents, GET /kyc/status."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from app.api.wallet.schemas.kyc import (
    DocumentAnswer,
    DocumentFiles,
    DocumentForm,
    KycRequestFacts,
    KycStatus,
    KycSubmission,
)
from app.api.wallet.views import kyc_document_stored, kyc_overview, kyc_submitted
from app.errors import InvalidRequest
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.kyc import verification as kyc

blueprint = Blueprint("kyc", __name__, description="Identity verification.")


@blueprint.route("/kyc/submit", methods=["POST"])
@operation("kyc_submit")
@blueprint.arguments(KycSubmission)
@blueprint.response(201, KycRequestFacts)
def submit(body: dict[str, Any]) -> Response:
    """Submit your details. One request at a time; after a rejection you may submit again."""
    submitted = kyc.submit(current_principal(), body)
    return respond(kyc_submitted(submitted), 201)


@blueprint.route("/kyc/documents", methods=["POST"])
@operation("kyc_upload_document")
@blueprint.arguments(DocumentForm, location="form")
@blueprint.arguments(DocumentFiles, location="files")
@blueprint.response(201, DocumentAnswer)
def upload_document(form: dict[str, Any], files: dict[str, Any]) -> Response:
    """Send an identity document for your open request. It is stored encrypted and never served back."""
    if len(list(request.files.values())) != 1 or len(request.files.getlist("document")) != 1:
        raise InvalidRequest("Send exactly one file, in the field document.", field="document")
    content = files["document"].read()
    document, status = kyc.add_document(current_principal(), content, document_type=form["document_type"])
    return respond(kyc_document_stored(document, status), 201)


@blueprint.route("/kyc/status")
@operation("kyc_get_status")
@blueprint.response(200, KycStatus)
def status() -> Response:
    """Where your verification stands, and what you may send. `not_started` before the first submission."""
    return respond(kyc_overview(kyc.overview(current_principal().user_id)))
