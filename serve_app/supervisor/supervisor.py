"""Keeps the processes of a local platform up, and ends them all when it is told to.

    python -m serve_app.supervisor [--replace]          (`undertone up` starts it, `undertone down` ends it by SIGTERM)

It holds no Ray, no MLflow and no model: those are its children. What it does about a process is decided in
`restart_policy.py`; what it knows stands in `platform.json`.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Sequence
from typing import Final

import psutil

from sentiment.access.logins import has_login
from sentiment.errors import PlatformError, UndertoneError
from sentiment.identifiers import new_id
from sentiment.settings import Settings, load_settings, public_values
from serve_app.on_cluster.record import read_record
from serve_app.supervisor.api_key import platform_key
from serve_app.supervisor.managed_process import LocalHands, ManagedProcess
from serve_app.supervisor.ports import addresses, api_urls, refuse_unusable_ports
from serve_app.supervisor.probe import Address, ask, status_of
from serve_app.supervisor.process_specs import PlatformStart, answering_api, process_specs
from serve_app.supervisor.processes import describe, end, own_processes
from serve_app.supervisor.restart_policy import Patience
from serve_app.supervisor.state import Phase, PlatformPaths, PlatformState, ProcessState, sole_supervisor

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.3
_READY_TIMEOUT_S: Final = 8.0
_API_EVERY_S: Final = 5.0
#: A gateway knows a new key within 3 s.
_KEY_KNOWN_S: Final = 20.0
_EXAMPLE: Final = "I love this product!"


def main(arguments: Sequence[str]) -> int:
    """Run the platform until SIGTERM; return the exit status."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = load_settings()
    places = PlatformPaths(settings.home)
    start = PlatformStart(new_id(), replace="--replace" in arguments)
    try:
        places.make()
        with sole_supervisor(places):
            return supervise(settings, places, start, stop)
    except PlatformError as exc:
        logger.error("%s", exc)
        return 1


def supervise(settings: Settings, places: PlatformPaths, start: PlatformStart, stop: threading.Event) -> int:
    """Clean up, check the ports, keep the parts up until `stop`, end them."""
    report = Report(places, settings, start.instance)
    try:
        report.write("starting")  # from now on `undertone down` finds this process by what it says
        report.found = end_leftovers(places)
        places.make()
        refuse_other_cluster(settings, places)
        refuse_unusable_ports(settings)
        with platform_key(settings) as key:
            hands = LocalHands(places.home)
            parts = [ManagedProcess(part, hands, Patience()) for part in process_specs(settings, places, key, start)]
            return Supervisor(settings, places, parts, report, key, start.instance).run(stop)
    except UndertoneError as exc:
        logger.error("%s", exc)
        places.forget()
        report.write("failed", error=str(exc))
        return 1


def end_leftovers(places: PlatformPaths) -> list[str]:
    """End what an earlier run of this platform left, and say what that was."""
    left = own_processes(places.home)
    if not left:
        return []
    names = ", ".join(sorted({describe(process).partition(" (")[0] for process in left}))
    logger.warning("ending %d processes that an earlier run left: %s", len(left), names)
    end(left, grace_s=5)
    places.forget_run()
    return [f"an earlier run had left {len(left)} processes ({names}); they were ended"]


def refuse_other_cluster(settings: Settings, places: PlatformPaths) -> None:
    """Raise PlatformError if an earlier run has left its application on another cluster than this one is for."""
    left = read_record(places.cluster)
    if left and left.address != settings.address:
        raise PlatformError(
            f"an earlier run has left its application on the cluster at {left.address}: end it first: undertone down"
        )


class Report:
    """Writes `platform.json`, when something changed."""

    def __init__(self, places: PlatformPaths, settings: Settings, instance: str = "") -> None:
        me = psutil.Process()
        self._path = places.state
        self._state = PlatformState(pid=me.pid, created=me.create_time(), started_at_s=time.time(), instance=instance)
        known = {"addresses": addresses(settings), "settings": public_values(settings)}
        login = has_login(settings.registry_uri)
        self._state = self._state.model_copy(update={**known, "registry_login": login})
        self.found: list[str] = []

    @property
    def phase(self) -> Phase:
        """How the platform is as a whole."""
        return self._state.phase

    def name_api(self, api: Address) -> None:
        """Say where the API answers."""
        self.write(self._state.phase, addresses={**self._state.addresses, **api_urls(api)})

    def write(self, phase: Phase, parts: dict[str, ProcessState] | None = None, **changes: object) -> None:
        """Say what changed."""
        update = {"phase": phase, "found": self.found, **changes}
        if parts is not None:
            update["parts"] = parts
        changed = self._state.model_copy(update=update)
        if changed != self._state or not self._path.exists():
            self._state = changed
            changed.write(self._path)


class Supervisor:
    """Steps all parts a few times a second. Each part decides for itself (`ManagedProcess.step`)."""

    def __init__(
        self,
        settings: Settings,
        places: PlatformPaths,
        parts: list[ManagedProcess],
        report: Report,
        api_key: str | None,
        instance: str = "",
    ) -> None:
        self._settings, self._places, self._parts, self._report = settings, places, parts, report
        self._api_key, self._instance = api_key, instance
        self._started = self._asked = time.monotonic()
        self._refused_since: float | None = None

    def run(self, stop: threading.Event) -> int:
        """Keep the parts up until `stop`, then end them in order.

        Raises:
            PlatformError: a part does not come up at all.
        """
        try:
            while not stop.wait(_TICK_S):
                self._step()
        finally:
            self._end()
        self._places.forget()
        return 0

    def _step(self) -> None:
        done = {part.part.name for part in self._parts if part.is_ready}
        for part in self._parts:
            if part.part.after is None or part.part.after in done:
                part.step()
        self._report.write(self._report.phase, self._states())
        if self._report.phase == "starting" and all(part.is_ready for part in self._parts):
            self._open()
        elif self._settings.address and time.monotonic() - self._asked > _API_EVERY_S:
            self._asked = time.monotonic()
            self._find_api()

    def _find_api(self) -> Address | None:
        """Return where the API of this start answers, and say so: on a cluster that changes."""
        api = answering_api(self._settings, self._places, self._instance)
        if api and self._settings.address:
            self._report.name_api(api)
        return api

    def _open(self) -> None:
        api = self._find_api()
        status = status_of(api, "/readyz", self._api_key, _READY_TIMEOUT_S) if api else 0
        self._refuse_other_keys(status)
        if api is None or status not in range(200, 400):
            return
        example = ask(api, "/v1/predict", {"text": _EXAMPLE}, self._api_key)
        ready_s = round(time.monotonic() - self._started, 1)
        logger.info("ready after %.1f s", ready_s)
        self._report.write("running", self._states(), example=example, ready_s=ready_s)

    def _refuse_other_keys(self, status: int) -> None:
        """Raise PlatformError if the API goes on refusing the key that was made for it: it looks keys up elsewhere."""
        if status not in (401, 403):
            self._refused_since = None
            return
        self._refused_since = self._refused_since or time.monotonic()
        if time.monotonic() - self._refused_since > _KEY_KNOWN_S:
            raise PlatformError(
                "the API on the cluster does not know this platform's key: its nodes keep their texts and keys "
                "elsewhere, or have another secret. Give all nodes and this command the same UNDERTONE_SECRET and the "
                "same UNDERTONE_MONGO_URI (or, on one machine, UNDERTONE_HOME)"
            )

    def _states(self) -> dict[str, ProcessState]:
        return {part.part.name: part.state for part in self._parts}

    def _end(self) -> None:
        logger.info("ending the platform")
        self._report.write("stopping", self._states())
        for part in self._parts:
            part.end()
        end(own_processes(self._places.home), grace_s=5)
        self._report.write("stopping", self._states())
