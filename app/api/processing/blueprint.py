"""The blueprint of the Processing API's routes: a field that is not valid is 422, with a code of document 003."""

from __future__ import annotations

from typing import Any

from app.errors import InvalidParameters, InvalidRequest
from app.http import blueprint
from app.http.parser import StrictParser


class ProcessingParser(StrictParser):
    """What is no JSON object is 400, as everywhere."""

    def refusal(self, messages: Any) -> InvalidRequest:
        return InvalidParameters(details={"fields": messages})


class Blueprint(blueprint.Blueprint):
    ARGUMENTS_PARSER = ProcessingParser()
