"""HAProxy with the configuration that Serve writes and the platform corrects, before servers that die."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sentiment.access.secret import secret_of
from sentiment.settings import Settings
from serve_app.edge_contract import ARRIVAL_HEADER, STREAM_PATH, stamp_of
from serve_app.supervisor.ingress.haproxy_config import (
    admin_socket,
    haproxy_environment,
    haproxy_folder,
    installed_haproxy,
    write_wrapper,
)
from serve_app.supervisor.ingress.haproxy_drain import drain_haproxy
from tests.free_ports import free_ports

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

DEADLINE_MS = 1500
REQUESTS = 12
FILL = 32
OFTEN = {f"RAY_SERVE_HAPROXY_HEALTH_CHECK_{which}": "200ms" for which in ("INTER", "FASTINTER", "DOWNINTER")}
CHECKS = 3  # one more than HAProxy wants of a server that was down


@dataclass
class Server:
    """Answers what was sent to it, or hangs up as soon as a request begins, as one that is killed does."""

    dies: bool = False
    may_answer: asyncio.Event | None = None
    holds: asyncio.Event = field(default_factory=asyncio.Event)
    names: list[bytes] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[bytes] = field(default_factory=list)
    _checks: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET /-/healthz"):
                    self._checks += 1
                    if self._checks == CHECKS:
                        self.up.set()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    continue
                self.seen.append(b"")
                self.names.append(head.lower().partition(ARRIVAL_HEADER.encode() + b": ")[2].split(b"\r\n")[0])
                if self.dies:
                    break
                body = await self._body(reader, head)
                if self.may_answer:
                    self.holds.set()
                    await self.may_answer.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _body(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(self.seen[-1]) < length:
            read = await reader.read(length)
            if not read:
                raise ConnectionError
            self.seen[-1] += read
        return self.seen[-1]


@dataclass(frozen=True)
class Ingress:
    """A running HAProxy and the ports of the two servers behind it."""

    port: int
    servers: tuple[int, int]
    stamp: bytes
    process: psutil.Process
    folder: Path

    @asynccontextmanager
    async def before(self, *servers: Server) -> AsyncIterator[None]:
        running = [
            await asyncio.start_server(server, "127.0.0.1", port)
            for server, port in zip(servers, self.servers, strict=True)
        ]
        try:
            await asyncio.gather(*(server.up.wait() for server in servers))
            yield
        finally:
            for each in running:
                each.close()


@pytest.fixture(scope="module")
def ingress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingress]:
    with running_ingress(tmp_path_factory.mktemp("run")) as ingress:
        yield ingress


@contextmanager
def running_ingress(run: Path, **more: object) -> Iterator[Ingress]:
    binary = installed_haproxy()
    if binary is None:
        pytest.skip("there is no HAProxy for this machine")
    port, statistics, fallback, *servers = free_ports(5)
    folder = haproxy_folder(run)
    settings = Settings(
        home=run,
        port=port,
        haproxy_stats_port=statistics,
        fallback_port=fallback,
        deadline_ms=DEADLINE_MS,
        gateway_fill=FILL,
        **more,
    )
    own = haproxy_environment(folder, settings, write_wrapper(folder, settings, binary)) | OFTEN
    line = [sys.executable, "-m", "tests.integration.haproxy_server", *map(str, (port, *servers))]
    with psutil.Popen(line, env={**os.environ, **own}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield Ingress(port, (servers[0], servers[1]), stamp_of(secret_of(settings)).encode(), process, run)
        process.communicate(timeout=30)


async def post(
    port: int, body: bytes, path: str = "/v1/predict", pause_s: float = 0.0, header: bytes = b"Accept: */*"
) -> tuple[bytes, bytes]:
    """Send the head, then after a pause the body, as HTTP clients do; return the answer's first line and its body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        line = b"POST %s HTTP/1.1" % path.encode()
        writer.write(b"%s\r\nHost: test\r\n%s\r\nContent-Length: %d\r\n\r\n" % (line, header, len(body)))
        await asyncio.sleep(pause_s)
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        return head.partition(b"\r\n")[0], await reader.readexactly(length)
    finally:
        writer.close()


@pytest.mark.parametrize("size", [20, 16 * 1024])
async def test_a_server_that_dies_between_head_and_body_takes_no_request_with_it(ingress: Ingress, size: int) -> None:
    dying, living = Server(dies=True), Server()
    async with ingress.before(dying, living):
        answers = await asyncio.gather(*(post(ingress.port, b"x" * size, pause_s=0.3) for _ in range(REQUESTS)))
    assert answers == [(b"HTTP/1.1 200 OK", b"x" * size)] * REQUESTS
    assert dying.seen, "none of them went to the server that dies"


async def test_a_request_that_is_sent_twice_has_one_name_whatever_its_client_says(ingress: Ingress) -> None:
    dying, living = Server(dies=True), Server()
    own = b"%s: made-up" % ARRIVAL_HEADER.encode()
    async with ingress.before(dying, living):
        await asyncio.gather(*(post(ingress.port, b"x" * 20, header=own) for _ in range(REQUESTS)))
    assert dying.names, "none of them went to the server that dies"
    assert len(set(living.names)) == REQUESTS
    assert set(dying.names) <= set(living.names)
    assert all(name.startswith(ingress.stamp) for name in living.names)


async def test_a_body_that_does_not_come_is_told_of_in_the_apis_form(ingress: Ingress) -> None:
    async with ingress.before(Server(), Server()):
        status, body = await post(ingress.port, b"x" * 20, pause_s=DEADLINE_MS / 1000 + 1)
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert json.loads(body)["error"] == {
        "code": "deadline_exceeded",
        "message": "the body took longer than the deadline; send less at once",
        "field": "body",
    }


async def test_a_stream_reaches_its_server_as_it_comes(ingress: Ingress) -> None:
    first, second = Server(), Server()
    async with ingress.before(first, second):
        sent = asyncio.create_task(post(ingress.port, b"x" * 20, STREAM_PATH, pause_s=DEADLINE_MS / 1000 + 1))
        await asyncio.sleep(0.5)
        assert first.seen + second.seen == [b""], "the head alone is not there yet"
        assert (await sent)[0] == b"HTTP/1.1 200 OK"


async def test_a_door_that_closes_answers_what_it_has_and_waits_for_nobody_who_asks_nothing(tmp_path: Path) -> None:
    first, second = Server(), Server()
    with running_ingress(tmp_path) as ingress:
        async with ingress.before(first, second):
            reader, idle = await asyncio.open_connection("127.0.0.1", ingress.port)
            idle.write(b"POST /v1/predict HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx")
            await reader.readuntil(b"\r\n\r\nx")
            first.may_answer, second.holds = asyncio.Event(), first.holds
            second.may_answer = first.may_answer
            under_way = asyncio.create_task(post(ingress.port, b"x" * 20))
            await first.holds.wait()
            family = [ingress.process, *ingress.process.children(recursive=True)]
            closing = asyncio.create_task(asyncio.to_thread(drain_haproxy, family, admin_socket(ingress.folder), 60.0))
            await asyncio.sleep(1.0)
            assert not closing.done()
            with pytest.raises((TimeoutError, ConnectionError)):
                await asyncio.wait_for(post(ingress.port, b"late"), 0.5)
            first.may_answer.set()
            assert await under_way == (b"HTTP/1.1 200 OK", b"x" * 20)
            async with asyncio.timeout(20):
                await closing
            assert b"late" not in first.seen + second.seen
            idle.close()


async def at_once(ingress: Ingress, requests: int, path: str, *servers: Server) -> list[int]:
    """Send requests that nobody answers until all have arrived; return how many each server got."""
    may_answer = asyncio.Event()
    for server in servers:
        server.may_answer = may_answer
    async with ingress.before(*servers):
        sent = [asyncio.create_task(post(ingress.port, b"x" * 20, path)) for _ in range(requests)]
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if sum(len(server.seen) for server in servers) == requests:
                break
        may_answer.set()
        assert {status for status, _ in await asyncio.gather(*sent)} == {b"HTTP/1.1 200 OK"}
    return [len(server.seen) for server in servers]


async def test_single_texts_go_to_the_first_server_until_it_has_many(ingress: Ingress) -> None:
    first, second = await at_once(ingress, FILL + 16, "/v1/predict?model=8", Server(), Server())
    assert FILL <= first <= FILL + 4  # its threads count at the same time
    assert first + second == FILL + 16


@pytest.mark.parametrize("path", ["/v1/predict/batch", "/v1/explain"])
async def test_other_requests_are_spread(ingress: Ingress, path: str) -> None:
    first, second = await at_once(ingress, 12, path, Server(), Server())
    assert abs(first - second) <= 2


async def head_of(port: int, origin: str) -> dict[bytes, bytes]:
    """Return the headers of the answer to a page of `origin`, its status as `status`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = b"POST /v1/predict HTTP/1.1\r\nHost: test\r\nOrigin: %s\r\nContent-Length: 1\r\n\r\nx" % origin.encode()
    writer.write(line)
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).strip().split(b"\r\n")
    writer.close()
    return {b"status": status.split()[1]} | {
        name.lower(): value for name, _, value in (row.partition(b": ") for row in lines)
    }


@pytest.mark.parametrize(
    ("origins", "page", "allowed", "varies"),
    [
        ("https://app.example,http://[::1]:3000", "https://app.example", b"https://app.example", b"Origin"),
        ("https://app.example,http://[::1]:3000", "http://[::1]:3000", b"http://[::1]:3000", b"Origin"),
        ("https://app.example", "https://evil.example", None, b"Origin"),
        ("*", "https://evil.example", b"*", None),
    ],
)
async def test_a_page_can_read_what_haproxy_says_by_itself(
    tmp_path: Path, origins: str, page: str, allowed: bytes | None, varies: bytes | None
) -> None:
    with running_ingress(tmp_path, cors_origins=origins) as ingress:
        head = await head_of(ingress.port, page)
        assert head[b"status"] == b"503", "no gateway is there"
        assert (head.get(b"access-control-allow-origin"), head.get(b"vary")) == (allowed, varies)
        assert (b"access-control-expose-headers" in head) is bool(allowed)
        async with ingress.before(Server(), Server()):
            served = await head_of(ingress.port, page)
        assert (served[b"status"], served.get(b"access-control-allow-origin")) == (b"200", allowed)
