"""Generated requests to every route of the Processing API: no answer is a fault, and each is documented.

Bodies, queries and paths are made from /openapi.json, valid and not; every answer is held against it, here as in all tests
(tests/support/openapi_check.py). `make fuzz` makes many more, FUZZ_EXAMPLES for each route.
"""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from app.models.tenant import Plan
from app.services.tenants import tenants
from tests.contract.openapi.operations import OPERATIONS

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "5"))
PLACES: Final = sorted(place for place in OPERATIONS.values() if " /v1/" in place)


@pytest.fixture(scope="module")
def schema(demo: Flask) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", demo)


@pytest.fixture(scope="module")
def key(demo: Flask) -> str:
    with demo.app_context():
        return tenants.create_tenant("Fuzz", Plan.ENTERPRISE)[1]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_is_a_fault(schema: Any, key: str, place: str, mode: GenerationMode) -> None:
    method, path = place.split()
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not (operation.body or any(operation.iter_parameters())):
        mode = GenerationMode.POSITIVE  # there is nothing that could be wrong

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        answer = case.call(headers={"X-API-Key": key})
        assert answer.status_code < 500 or path == "/v1/health", answer.text
        assert str(answer.status_code) in operation.definition.raw["responses"], (
            case.as_curl_command(),
            answer.text,
        )

    send()
