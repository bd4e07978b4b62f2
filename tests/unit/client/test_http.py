from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Iterator

import httpx
import pytest

from sentiment.client.http import STREAM_WINDOW, UndertoneClient
from sentiment.errors import (
    DeadlineExceeded,
    InvalidInput,
    KeyRefused,
    NotFound,
    Overloaded,
    Unavailable,
    UndertoneError,
)
from tests.fake_api import FakeApi


class Waits(list[float]):
    """A sleep that only notes how long it was asked for."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client(api: FakeApi, waits: Waits) -> Iterator[UndertoneClient]:
    with UndertoneClient(sleep=waits, transport=httpx.WSGITransport(api)) as client:
        yield client


def failing(error: Exception, times: int, api: FakeApi) -> httpx.BaseTransport:
    """A transport that breaks `times` times and then leads to `api`."""
    inner, count = httpx.WSGITransport(api), itertools.count(1)

    class LoadFailure(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if next(count) <= times:
                raise error
            return inner.handle_request(request)

    return LoadFailure()


def test_a_text_gets_its_label(client: UndertoneClient) -> None:
    answer = client.predict("I love this!", id="a-1", source="shop")
    assert (answer["label"], answer["id"], answer["verdict"]) == ("positive", "a-1", "Extremely Positive")


@pytest.mark.parametrize("key", ["é", "two words", "a\nb"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidInput, match="copy it again") as refused:
        UndertoneClient(api_key=key)
    assert key not in str(refused.value)


def test_a_batch_keeps_its_order_and_a_bad_text_has_its_error_in_place(client: UndertoneClient) -> None:
    good, bad, plain = client.predict_batch(["I love it", {"text": " ", "id": "b"}, "a table"])
    assert (good["label"], plain["label"]) == ("positive", "neutral")
    assert bad["id"] == "b"
    assert bad["error"]["field"] == "text"


def test_a_text_is_sent_under_an_id_so_that_a_retry_is_no_second_text(client: UndertoneClient, api: FakeApi) -> None:
    api.failures = [(503, {})]
    client.predict("good")
    first, second = (json.loads(body) for _, body in api.requests)
    assert first["id"] == second["id"]


def test_a_busy_platform_is_asked_again_after_the_time_it_names(
    client: UndertoneClient, api: FakeApi, waits: Waits
) -> None:
    api.failures = [(429, {"Retry-After": "4"}), (503, {"Retry-After": "2"})]
    assert client.predict("good")["label"] == "positive"
    assert waits == [4.0, 2.0]


def test_no_wait_is_longer_than_half_a_minute(client: UndertoneClient, api: FakeApi, waits: Waits) -> None:
    api.failures = [(503, {"Retry-After": "86400"})]
    client.predict("good")
    assert waits == [30.0]


def test_a_platform_that_stays_busy_raises_its_own_message(api: FakeApi, waits: Waits) -> None:
    api.failures = [(429, {"Retry-After": "3"})] * 2
    with (
        UndertoneClient(attempts=2, sleep=waits, transport=httpx.WSGITransport(api)) as client,
        pytest.raises(Overloaded, match="busy 429") as caught,
    ):
        client.predict("good")
    assert caught.value.retry_after_s == 3.0
    assert waits == [3.0]


def test_a_broken_connection_is_tried_again(api: FakeApi, waits: Waits) -> None:
    transport = failing(httpx.ConnectError("refused"), 2, api)
    with UndertoneClient(sleep=waits, transport=transport) as client:
        assert client.predict("good")["label"] == "positive"
    assert waits == [0.2, 0.4]


def test_a_platform_that_is_not_there_is_named_with_the_remedy(api: FakeApi, waits: Waits) -> None:
    transport = failing(httpx.ConnectError("refused"), 99, api)
    with (
        UndertoneClient("http://127.0.0.1:1", attempts=3, sleep=waits, transport=transport) as client,
        pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 .*undertone up"),
    ):
        client.predict("good")
    assert len(waits) == 2


def test_a_platform_that_never_answers_is_not_asked_again(api: FakeApi, waits: Waits) -> None:
    transport = failing(httpx.ReadTimeout("slow"), 99, api)
    with (
        UndertoneClient(sleep=waits, transport=transport) as client,
        pytest.raises(DeadlineExceeded, match="time limit"),
    ):
        client.predict("good")
    assert waits == []


def test_wrong_input_names_its_field_and_is_sent_once(client: UndertoneClient, api: FakeApi) -> None:
    with pytest.raises(InvalidInput, match="at least 1 character") as caught:
        client.predict("")
    assert caught.value.field == "text"
    assert len(api.requests) == 1


def test_a_missing_key_is_said_with_the_remedy_and_a_right_one_is_sent() -> None:
    api = FakeApi(api_key="k-123")
    with (
        UndertoneClient(transport=httpx.WSGITransport(api)) as client,
        pytest.raises(UndertoneError, match="UNDERTONE_API_KEY") as caught,
    ):
        client.predict("good")
    remedy = "give --api-key or UNDERTONE_API_KEY; `undertone keys add NAME --scope predict` makes one."
    assert str(caught.value) == f"127.0.0.1 asks for a valid key: {remedy}"
    with UndertoneClient(api_key="k-123", transport=httpx.WSGITransport(api)) as client:
        assert client.predict("good")["label"] == "positive"


def test_a_missing_key_is_said_with_the_scope_that_the_api_asks_for() -> None:
    error = {"code": "unauthorized", "message": "send a valid key; 'undertone keys add NAME --scope admin' makes one"}
    transport = httpx.MockTransport(lambda _: httpx.Response(401, json={"error": error}))
    with (
        UndertoneClient(transport=transport) as client,
        pytest.raises(KeyRefused, match="NAME --scope admin` makes") as caught,
    ):
        client.start_rollout({"version": 8})
    assert (caught.value.scope, caught.value.is_known) == ("admin", False)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_key_without_the_scope_is_told_apart_from_what_is_forbidden_to_any() -> None:
    messages = ["this key lacks the scope 'admin'; 'undertone keys add NAME --scope admin' makes one with it", "no"]
    answers = iter(httpx.Response(403, json={"error": {"code": "forbidden", "message": said}}) for said in messages)
    with UndertoneClient(transport=httpx.MockTransport(lambda _: next(answers))) as client:
        with pytest.raises(KeyRefused, match="lacks the scope 'admin'") as caught:
            client.start_rollout({"version": 8})
        with pytest.raises(UndertoneError, match="no") as other:
            client.start_rollout({"version": 8})
    assert (caught.value.scope, caught.value.is_known) == ("admin", True)
    assert not isinstance(other.value, KeyRefused)


def test_an_answer_of_something_else_than_the_platform_is_told_as_such() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>router login</html>"))
    with UndertoneClient(transport=transport) as client, pytest.raises(UndertoneError, match="not JSON"):
        client.predict("good")


def test_a_path_that_is_not_there_is_not_found() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404, text="nothing"))
    with UndertoneClient(transport=transport) as client, pytest.raises(NotFound, match="404"):
        client.models()


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="localhost:8000"):
        UndertoneClient("localhost:8000")


def test_a_lone_surrogate_reaches_the_server_as_it_is(client: UndertoneClient, api: FakeApi) -> None:
    client.predict("good \ud800", id="s")
    assert api.texts["s"] == "good \ud800"


def test_a_stream_of_any_length_comes_back_in_order(client: UndertoneClient, api: FakeApi) -> None:
    count = 2 * STREAM_WINDOW + 5
    results = client.predict_stream({"text": f"good {number}", "id": f"n{number}"} for number in range(count))
    assert [result["id"] for result in results] == [f"n{number}" for number in range(count)]
    assert len(api.requests) == 3


def test_a_stream_reads_no_further_ahead_than_one_window(client: UndertoneClient) -> None:
    taken = itertools.count()
    results = client.predict_stream(f"good {next(taken)}" for _ in range(10_000))
    next(results)
    assert next(taken) == STREAM_WINDOW


def test_a_stream_that_breaks_goes_on_at_the_first_line_without_an_answer(api: FakeApi, waits: Waits) -> None:
    broken = [True]

    def respond(request: httpx.Request) -> httpx.Response:
        response = httpx.WSGITransport(api).handle_request(request)
        content = response.read()
        if broken.pop() if broken else False:
            content = b"\n".join(content.splitlines()[:2])
        return httpx.Response(200, content=content)

    with UndertoneClient(sleep=waits, transport=httpx.MockTransport(respond)) as client:
        results = list(client.predict_stream({"text": "good", "id": f"n{number}"} for number in range(5)))
    assert [result["id"] for result in results] == ["n0", "n1", "n2", "n3", "n4"]
    assert len(api.requests[1][1].splitlines()) == 3


def test_the_patience_with_a_stream_begins_anew_with_every_answer(api: FakeApi, waits: Waits) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        content = httpx.WSGITransport(api).handle_request(request).read()
        return httpx.Response(200, content=content.splitlines()[0])  # breaks after each answer

    with UndertoneClient(attempts=2, sleep=waits, transport=httpx.MockTransport(respond)) as client:
        results = list(client.predict_stream({"text": "good", "id": f"n{number}"} for number in range(5)))
    assert [result["id"] for result in results] == ["n0", "n1", "n2", "n3", "n4"]
    assert waits == [0.2] * 4


def test_explanations_models_and_readiness_are_read(client: UndertoneClient, api: FakeApi) -> None:
    explained = client.explain("I love tables")
    assert explained["words"][1] == "love"
    assert explained["weights"][1] > 0
    assert client.models()[0]["aliases"] == ["champion"]
    assert client.ready()
    api.is_ready = False
    assert not client.ready()
