"""The Classifier deployment: one model version, loaded, checked and warmed before it gets its first text."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import ray
from ray import serve
from ray.util.metrics import Counter, Histogram

from deployments.logs import log_with_serve
from sentiment.errors import ModelRejected
from sentiment.predictor import Predictor
from sentiment.predictor.engines import EngineChoice
from sentiment.predictor.explanation import explain
from sentiment.priority import rise
from sentiment.records import Answers, Explanation
from sentiment.settings import Settings, load_settings
from sentiment.version import Version, read_version

Fetch = Callable[[Settings, str, int, str], Path]

_BOUNDS_MS: Final = [1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2500, 10_000]
_TAGS: Final = ("model", "version")


@serve.deployment(
    name="Classifier",
    max_ongoing_requests=8,
    max_queued_requests=64,
    health_check_period_s=10,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=20,
    logging_config={"enable_access_log": False},  # a line a call costs more than the call
    graceful_shutdown_wait_loop_s=0.2,
    max_constructor_retry_count=3,  # a rejected version stays rejected; the registry may come back
)
class Classifier:
    """Classifies micro-batches of normalised texts with one version, in threads beside the event loop.

    `digest` pins the version's files. `fetch` returns its folder.

    Raises:
        ModelRejected: the version's files do not match `digest`, or cannot be served here.
    """

    def __init__(
        self,
        name: str,
        version: int,
        digest: str,
        *,
        engine: EngineChoice = "auto",
        device: str = "cpu",
        threads: int = 2,
        batch_tokens: int | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        log_with_serve()
        # The tokenizer's pool would otherwise take as many threads as there are cores, which others need too.
        # Ray's `runtime_env` could set it, but then a worker starts Python twice.
        os.putenv("RAYON_NUM_THREADS", str(threads))
        settings = load_settings()
        folder = (fetch or _fetch_from_registry)(settings, name, version, digest)
        loaded = _of_digest(read_version(folder), digest)
        self._number = version
        self._predictor = Predictor.load(
            loaded,
            engine=engine,
            threads=threads,
            batch_tokens=batch_tokens,
            device=device,
            identify_languages=settings.identify_languages,
        )
        self._predictor.warm_up()
        rise()
        self._meters = _Meters(name, version)

    async def classify(self, texts: list[str]) -> Answers:
        """Return the answers to `texts`, in the same order."""
        return await asyncio.to_thread(self._classify, texts)

    async def explain(self, text: str) -> Explanation:
        """Return which words of `text` moved its answer.

        Raises:
            InvalidInput: the text has no words, or the model fails on it.
        """
        return await asyncio.to_thread(explain, text, partial(self._classify, gated=False))

    async def state(self) -> dict[str, Any]:
        """Return which version and engine this replica runs, and the ids of the GPUs that Ray gave it."""
        loaded = self._predictor.version
        return {
            "model": loaded.manifest.name,
            "version": self._number,
            "digest": loaded.digest,
            "engine": self._predictor.engine,
            "gpus": ray.get_runtime_context().get_accelerator_ids()["GPU"],
        }

    async def check(self) -> dict[str, float]:
        """Run the whole self-check; return the number of texts, the largest deviation from the manifest, and the time.

        Raises:
            ModelRejected: a probability deviates more than this engine may.
        """
        started = time.perf_counter()
        worst = await asyncio.to_thread(self._predictor.check_self)
        texts = len(self._predictor.version.manifest.self_check)
        return {"checked": texts, "worst_distance": worst, "check_ms": (time.perf_counter() - started) * 1000}

    async def check_health(self) -> None:
        """Run a forward pass on the manifest's first self-check text.

        Raises:
            ModelRejected: the answer deviates from the manifest; Serve then replaces the replica.
        """
        await asyncio.to_thread(self._predictor.check_self, most=1)

    def _classify(self, texts: list[str], *, gated: bool = True) -> Answers:
        answers = dataclasses.replace(self._predictor.predict(texts, gated=gated), version=self._number)
        self._meters.count(answers)
        return answers


def classifier_app(
    name: str,
    version: int,
    digest: str,
    *,
    replicas: int = 1,
    max_replicas: int | None = None,
    initial_replicas: int | None = None,
    cpus: float = 0,
    threads: int = 2,
    gpus: float = 0,
    batch_tokens: int | None = None,
    engine: EngineChoice = "auto",
    fetch: Fetch | None = None,
) -> serve.Application:
    """Return the application of one version, with the one deployment `Classifier`.

    `max_replicas` switches autoscaling on, from `replicas` up, with `initial_replicas` at the start. `cpus` and `gpus`
    are what Ray reserves for a replica. With GPUs the engine is torch on the reserved ones, otherwise int8 on `threads`
    threads. `batch_tokens` applies to CPUs; on a GPU the predictor chooses.
    """
    scale: dict[str, Any] = {"num_replicas": replicas}
    if max_replicas is not None:
        bounds = {"min_replicas": replicas, "max_replicas": max(replicas, max_replicas)}
        bounds |= {"initial_replicas": initial_replicas} if initial_replicas else {}
        scale = {"autoscaling_config": {**bounds, "target_ongoing_requests": 2}}
    resources = {"num_cpus": cpus, "num_gpus": gpus}
    deployment: serve.Deployment = Classifier.options(ray_actor_options=resources, **scale)  # type: ignore[attr-defined]
    return deployment.bind(
        name,
        version,
        digest,
        engine=engine,
        device="cuda" if gpus and engine in ("auto", "torch") else "cpu",
        threads=threads,
        batch_tokens=None if gpus else batch_tokens,
        fetch=fetch,
    )


class _Meters:
    """The metrics of a replica, by model and version."""

    def __init__(self, name: str, version: int) -> None:
        self._inference = Histogram("undertone_inference_ms", "time of one call", boundaries=_BOUNDS_MS, tag_keys=_TAGS)
        self._texts = Counter("undertone_texts_total", "texts classified", tag_keys=_TAGS)
        self._tokens = Counter("undertone_tokens_total", "word pieces of the texts", tag_keys=_TAGS)
        self._padded = Counter(
            "undertone_padded_tokens_total", "word pieces computed, padding included", tag_keys=_TAGS
        )
        self._unsupported = Counter(
            "undertone_unsupported_texts_total", "texts that the model cannot read", tag_keys=_TAGS
        )
        self._errors = Counter("undertone_model_errors_total", "texts that the model failed on", tag_keys=_TAGS)
        for metric in (
            self._inference,
            self._texts,
            self._tokens,
            self._padded,
            self._unsupported,
            self._errors,
        ):
            metric.set_default_tags({"model": name, "version": str(version)})

    def count(self, answers: Answers) -> None:
        """Count one call."""
        self._inference.observe(answers.inference_ms)
        counted = (
            (self._texts, len(answers.probabilities)),
            (self._tokens, answers.tokens),
            (self._padded, answers.padded_tokens),
            (self._unsupported, answers.supported.count(False)),
            (self._errors, len(answers.errors)),
        )
        for counter, amount in counted:
            if amount:  # Ray refuses to count 0
                counter.inc(amount)


def _of_digest(version: Version, digest: str) -> Version:
    if version.digest != digest:
        raise ModelRejected(
            f"{version.folder} has the digest {version.digest[:12]}, expected is {digest[:12]}: remove that folder, so "
            "that the version is fetched again"
        )
    return version


def _fetch_from_registry(settings: Settings, name: str, version: int, digest: str) -> Path:
    from sentiment.registry import fetch_version  # imported only where no `fetch` is given

    return fetch_version(settings, name, version, digest)
