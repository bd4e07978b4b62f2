"""Generated requests, right and wrong, against the OpenAPI document: nothing answers 500, nothing breaks its word."""

from __future__ import annotations

import atexit
from pathlib import Path
from tempfile import TemporaryDirectory

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from sentiment.settings import Settings
from serve_app.gateway.http.app import build_http_app
from tests.hypothesis_profile import examples
from tests.sample_operations import NOW_MS, labelled
from tests.unit.gateway.fake_parts import LABELS, ROUTE, TRIAL, FakeParts, NoKeys, backend_of
from tests.unit.insight.local_index import LocalIndex
from tests.unit.rollout.rollouts import list_models, serve_version

PARTS = FakeParts()
serve_version(PARTS.store, ROUTE.version)
PARTS.store.apply([labelled(f"t{n}") for n in range(5)])
list_models(PARTS.store, {ROUTE.version: LABELS, TRIAL.version: LABELS})
INDEX = LocalIndex(PARTS.store, lambda: NOW_MS)
HOME = TemporaryDirectory()  # requests that start ingests write there
SETTINGS = Settings(home=Path(HOME.name))
atexit.register(HOME.cleanup)
APP = build_http_app(backend_of(PARTS), NoKeys(), SETTINGS, lambda *_: None, needs_key=False, index=INDEX)
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP, headers={"Host": "127.0.0.1"})
#: What a schema cannot say: a text of control characters only, a cursor that no page gave, a plan that does not grow,
#: a search, a time or a zone that cannot be read, a file that is not there.
BEYOND_SCHEMAS = (
    "that may be ingested",
    "nothing of it is visible",
    "pass the `next` of the page before",
    "is not from this list",
    "holds no word",
    "plan: ",
    "q cannot be read",
    "is not a time",
    "is not a span",
    "points between from and to",
    "is not a time zone",
    "from is not before to",
    "is not after from_time",
    "the other kinds take none",
    "reads no file: leave it out",
    "ends before it has begun",
    "lies in the future",
    "more than 2,000; use a shorter span",
)
#: What depends on the state: a rollout is under way already, or none is.
BEYOND_REQUESTS = (404, 409)


@SCHEMA.exclude(path="/v1/predict/stream").parametrize()  # lines are not generated: it has tests of its own
@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
def test_no_generated_request_breaks_the_documented_contract(case):
    case.headers = {**(case.headers or {}), "Host": "127.0.0.1"}
    response = case.call()
    refused = response.status_code == 422 and any(reason in response.text for reason in BEYOND_SCHEMAS)
    excluded = [positive_data_acceptance] if refused or response.status_code in BEYOND_REQUESTS else []
    # A bad item of a batch is answered in its place.
    excluded += [negative_data_rejection] if case.path.endswith("/batch") else []
    case.validate_response(response, excluded_checks=excluded)
