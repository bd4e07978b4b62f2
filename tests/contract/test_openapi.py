"""Generated requests, right and wrong, against the OpenAPI document: nothing answers 500, nothing breaks its word."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from sentiment.settings import Settings
from serve_app.http.app import build_http_app
from tests.unit.fake_parts import FakeParts, NoKeys, backend_of

APP = build_http_app(backend_of(FakeParts()), NoKeys(), Settings(), lambda *_: None, needs_key=False)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP, headers={"Host": "127.0.0.1"})
#: What a schema cannot say: a text of control characters only, a cursor that no page gave.
BEYOND_SCHEMAS = ("no words once it is normalised", "is no place in the list", "holds no word")


@SCHEMA.exclude(path="/v1/predict/stream").parametrize()  # lines are not generated: it has tests of its own
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_generated_request_breaks_the_documented_contract(case):
    case.headers = {**(case.headers or {}), "Host": "127.0.0.1"}
    response = case.call()
    refused = response.status_code == 422 and any(reason in response.text for reason in BEYOND_SCHEMAS)
    excluded = [positive_data_acceptance] if refused else []
    # A bad item of a batch is answered in its place.
    excluded += [negative_data_rejection] if case.path == "/v1/predict/batch" else []
    case.validate_response(response, excluded_checks=excluded)
