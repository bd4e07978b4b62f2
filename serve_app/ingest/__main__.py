"""The process that carries out the platform's ingests.

    python -m serve_app.ingest          (the supervisor of a local platform starts it)

It sends what it reads through the HTTP API, as any client does. SIGTERM ends it; what it had under way goes on at its
next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from concurrent.futures import ThreadPoolExecutor

from sentiment.client.bulk import IN_FLIGHT
from sentiment.client.http import UndertoneClient, url_of
from sentiment.clock import epoch_ms
from sentiment.environment import api_access
from sentiment.ingest import HttpDelivery, Ingest, IngestRequest, ingests_folder, open_checkpoint, open_source
from sentiment.settings import Settings, load_settings
from serve_app.ingest.ledger import IngestLedger
from serve_app.ingest.worker import IngestRun, IngestWorker


def main() -> None:
    """Carry out ingests until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load_settings()
    ledger = IngestLedger(ingests_folder(settings))
    url, api_key = api_access()
    with (
        ledger.attended(),
        UndertoneClient(url or url_of(settings), api_key) as client,
        contextlib.suppress(KeyboardInterrupt),
    ):
        asyncio.run(_until_sigterm(IngestWorker(ledger, _Carrier(ledger, client, settings))))


class _Carrier:
    """Carries out one ingest at a time that it is called for, each with threads of its own."""

    def __init__(self, ledger: IngestLedger, client: UndertoneClient, settings: Settings) -> None:
        self._ledger, self._client, self._settings = ledger, client, settings

    async def __call__(self, request: IngestRequest, run: IngestRun) -> object:
        source = await asyncio.to_thread(open_source, request, self._settings, epoch_ms)
        pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix=request.name)
        try:
            with open_checkpoint(self._ledger.root, request.name, request.options) as checkpoint:
                run.opened(source.expected)
                delivery = HttpDelivery(self._client, request.name, pool)
                return await Ingest(source, delivery, checkpoint, request.limits, lambda _: run.progressed()).run()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


async def _until_sigterm(worker: IngestWorker) -> None:
    running = asyncio.create_task(worker.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    main()
