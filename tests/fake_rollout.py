"""A rollout under way, as the API tells it: what the fake platform begins with."""

from __future__ import annotations

from typing import Any

ROLLOUT: dict[str, Any] = {
    "id": "r-1",
    "model": "sentiment",
    "champion": 7,
    "challenger": 8,
    "state": "canary",
    "phase": "canary",
    "paused": False,
    "asked": None,
    "hold_s": 60.0,
    "started_ms": 1_800_000_000_000,
    "since_ms": 1_800_000_060_000,
    "ended_ms": None,
    "in_step_s": 12.0,
    "auto": False,
    "sticky": "none",
    "in_place": False,
    "waits": "step 10 waits for promote",
    "step": "10",
    "stage": 3,
    "plan": "shadow,1,10,100",
    "reason": "step 10 begins",
    "traffic": [{"version": 7, "weight": 0.9, "shadow": 0.0}, {"version": 8, "weight": 0.1, "shadow": 0.25}],
    "versions": [
        {
            "version": 7,
            "requests": 900,
            "errors": 0,
            "p50_ms": 9.5,
            "p99_ms": 38.1,
            "labels": {"positive": 900},
            "confidence": 0.9,
        },
        {
            "version": 8,
            "requests": 100,
            "errors": 1,
            "p50_ms": None,
            "p99_ms": None,
            "labels": {"positive": 90, "neutral": 10},
            "confidence": 0.85,
        },
    ],
    "compared": {
        "compared": 200,
        "disagreed": 10,
        "neutral_flips": 8,
        "mirror_dropped": 0,
        "examples": [
            {
                "id": "t-1",
                "text": "so <so>, @user",
                "champion_label": "neutral",
                "champion_score": 0.6,
                "challenger_label": "negative",
                "challenger_score": 0.7,
            }
        ],
    },
    "numbers": {
        "labelled": 12.0,
        "confidence_shift": -0.05,
        "label_shift": 0.1,
        "only_champion_right": 2.0,
        "only_challenger_right": 1.0,
        "evidence_worse": 1.25,
        "evidence_no_worse": 0.8,
    },
    "limits": {"margin": 0.02, "max_labels": 2000},
    "moments": [{"at_ms": 1_800_000_060_000, "state": "canary", "share": 0.1}],
    "decisions": [
        {"at_ms": 1_800_000_000_000, "state": "loading", "stage": 0, "reason": "asked for", "numbers": {}},
        {"at_ms": 1_800_000_060_000, "state": "canary", "stage": 3, "reason": "step 10 begins", "numbers": {}},
    ],
}
