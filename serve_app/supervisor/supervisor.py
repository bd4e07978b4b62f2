"""Keeps the processes of a local platform running until SIGTERM, then ends them all.

    python -m serve_app.supervisor [--replace]          (`undertone up` starts it, `undertone down` ends it by SIGTERM)

It loads no Ray, no MLflow and no model: those are its children. `restart_policy.py` decides what happens to a process;
`platform.json` has the state of all.
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
from serve_app.supervisor.managed_process import LocalProcesses, ManagedProcess
from serve_app.supervisor.ports import addresses, api_urls, refuse_unusable_ports
from serve_app.supervisor.probe import Address, post, status_of
from serve_app.supervisor.process_specs import PlatformStart, answering_api, process_specs
from serve_app.supervisor.processes import describe, end, own_processes
from serve_app.supervisor.restart_policy import RestartPolicy
from serve_app.supervisor.state import Phase, PlatformPaths, PlatformState, ProcessState, sole_supervisor

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.3
_READY_TIMEOUT_S: Final = 8.0
_API_EVERY_S: Final = 5.0
#: Seconds until every gateway should accept a new key; normally it takes 3.
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
    """Clean up after an earlier run, check the ports, keep the parts running until `stop`, and end them."""
    report = StateReport(places, settings, start.instance)
    try:
        report.write("starting")  # `undertone down` finds this process by this file
        report.found = end_leftovers(places)
        places.make()
        refuse_other_cluster(settings, places)
        refuse_unusable_ports(settings)
        with platform_key(settings) as key:
            control, policy = LocalProcesses(places.home), RestartPolicy()
            parts = [ManagedProcess(part, control, policy) for part in process_specs(settings, places, key, start)]
            return Supervisor(settings, places, parts, report, key, start.instance).run(stop)
    except UndertoneError as exc:
        logger.error("%s", exc)
        places.forget()
        report.write("failed", error=str(exc))
        return 1


def end_leftovers(places: PlatformPaths) -> list[str]:
    """End the processes that an earlier run of this platform left; return what was done, as sentences."""
    leftovers = own_processes(places.home)
    if not leftovers:
        return []
    names = ", ".join(sorted({describe(process).partition(" (")[0] for process in leftovers}))
    logger.warning("ending %d processes that an earlier run left: %s", len(leftovers), names)
    end(leftovers, grace_s=5)
    places.forget_run()
    return [f"an earlier run had left {len(leftovers)} processes ({names}); they were ended"]


def refuse_other_cluster(settings: Settings, places: PlatformPaths) -> None:
    """Raise PlatformError if an earlier run has left its application on another cluster."""
    record = read_record(places.cluster)
    if record and record.address != settings.address:
        raise PlatformError(
            f"an earlier run has left its application on the cluster at {record.address}; remove it first: "
            "undertone down"
        )


class StateReport:
    """Writes `platform.json` when the state has changed."""

    def __init__(self, places: PlatformPaths, settings: Settings, instance: str = "") -> None:
        me = psutil.Process()
        self._path = places.state
        self._state = PlatformState(pid=me.pid, created=me.create_time(), started_at_s=time.time(), instance=instance)
        fixed = {"addresses": addresses(settings), "settings": public_values(settings)}
        login = has_login(settings.registry_uri)
        self._state = self._state.model_copy(update={**fixed, "registry_login": login})
        self.found: list[str] = []

    @property
    def phase(self) -> Phase:
        """Phase of the platform as a whole."""
        return self._state.phase

    def name_api(self, api: Address) -> None:
        """Write the addresses of the API."""
        self.write(self._state.phase, addresses={**self._state.addresses, **api_urls(api)})

    def write(self, phase: Phase, parts: dict[str, ProcessState] | None = None, **changes: object) -> None:
        """Write the state if it has changed."""
        update = {"phase": phase, "found": self.found, **changes}
        if parts is not None:
            update["parts"] = parts
        changed = self._state.model_copy(update=update)
        if changed != self._state or not self._path.exists():
            self._state = changed
            changed.write(self._path)


class Supervisor:
    """Steps all parts a few times a second; each part decides for itself (`ManagedProcess.step`)."""

    def __init__(
        self,
        settings: Settings,
        places: PlatformPaths,
        parts: list[ManagedProcess],
        report: StateReport,
        api_key: str | None,
        instance: str = "",
    ) -> None:
        self._settings, self._places, self._parts, self._report = settings, places, parts, report
        self._api_key, self._instance = api_key, instance
        self._started_s = self._looked_s = time.monotonic()
        self._refused_since_s: float | None = None

    def run(self, stop: threading.Event) -> int:
        """Keep the parts running until `stop`, then end them in order.

        Raises:
            PlatformError: a part cannot be started.
        """
        try:
            while not stop.wait(_TICK_S):
                self._step()
        finally:
            self._end()
        self._places.forget()
        return 0

    def _step(self) -> None:
        ready = {part.part.name for part in self._parts if part.is_ready}
        for part in self._parts:
            if part.part.after is None or part.part.after in ready:
                part.step()
        self._report.write(self._report.phase, self._states())
        if self._report.phase == "starting" and all(part.is_ready for part in self._parts):
            self._open()
        elif self._settings.address and time.monotonic() - self._looked_s > _API_EVERY_S:
            self._looked_s = time.monotonic()
            self._find_api()

    def _find_api(self) -> Address | None:
        """Return the address of this start's API; on a cluster it may change and is written to the state."""
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
        example = post(api, "/v1/predict", {"text": _EXAMPLE}, self._api_key)
        ready_s = round(time.monotonic() - self._started_s, 1)
        logger.info("ready after %.1f s", ready_s)
        self._report.write("running", self._states(), example=example, ready_s=ready_s)

    def _refuse_other_keys(self, status: int) -> None:
        """Raise PlatformError if the API keeps refusing the platform's key, so that it must look keys up elsewhere."""
        if status not in (401, 403):
            self._refused_since_s = None
            return
        self._refused_since_s = self._refused_since_s or time.monotonic()
        if time.monotonic() - self._refused_since_s > _KEY_KNOWN_S:
            raise PlatformError(
                "the API on the cluster refuses this platform's key, because its nodes use another text store or "
                "another secret. Give all nodes and this command the same UNDERTONE_SECRET and the same "
                "UNDERTONE_MONGO_URI (or, on one machine, UNDERTONE_HOME)"
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
