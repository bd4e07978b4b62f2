"""A rollout and the model versions as HTML: shares, counts, and where the two versions disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gradio_ui.messages import note, shown
from gradio_ui.tabs.models.rollout_actions import BUTTONS, Record

#: Metrics of a version that are shown, best known first; at most three of them.
_METRICS: Final = ("macro_recall", "macro_f1", "accuracy", "ece")
_MOST_METRICS: Final = 3
_LAST_DECISIONS: Final = 6
_VERSION_COLUMNS: Final = ("Version", "Aliases", "State", "Traffic", "Replicas", "Metrics")
_NO_ROLLOUT: Final = note("No version has been rolled out yet.")


def versions_table(models: Sequence[Record]) -> str:
    """Return the registered versions, the newest first, with the state and the metrics of each."""
    if not models:
        return note("No version is registered yet.")
    rows = (row for model in reversed(models) for row in _version_rows(model))
    return _table(_VERSION_COLUMNS, rows, "versions")


def _version_rows(model: Record) -> Iterable[list[str]]:
    """Return what a version does, and, in a row of its own, why it does not load."""
    yield [
        f"{shown(model['name'])} version {model['version']}",
        shown(", ".join(model["aliases"]) or "–"),
        shown(model["state"]),
        _number(f"{model['weight']:.0%}"),
        _number(str(model.get("replicas", 0))),
        shown(_metrics_of(model.get("metrics", {})) or "–"),
    ]
    if why := model.get("problem"):
        problem = f"Version {model['version']} {shown(why)}"
        yield [f'<td class="why" colspan="{len(_VERSION_COLUMNS)}">{problem}</td>']


def rollout_card(rollout: Record | None) -> str:
    """Return the rollout under way, or the last one."""
    if rollout is None:
        return _NO_ROLLOUT
    command = f" ({shown(rollout['asked'])} asked for)" if rollout["asked"] else ""
    waits = f'<div class="label">Now: {shown(rollout["waits"])}</div>' if rollout["waits"] else ""
    return (
        f'<div class="card rollout" data-state="{shown(rollout["state"])}">'
        f'<div role="status"><div class="verdict">Version {rollout["champion"]} → {rollout["challenger"]}: '
        f"{shown(rollout['state'])}{command}</div>"
        f'<div class="label">{_plan_line(rollout)}. {shown(rollout["reason"])}</div>{waits}</div>'
        f"{_shares(rollout['traffic'])}{_arms(rollout['versions'])}{_shifts(rollout)}{_agreement(rollout)}{_feedback(rollout)}"
        f"{_decisions(rollout)}</div>"
    )


def buttons_help() -> str:
    """Return what each button does."""
    rows = "".join(f"<dt>{shown(button.label)}</dt><dd>{shown(button.help)}</dd>" for button in BUTTONS.values())
    return f"<dl>{rows}</dl>"


def disagreements(rollout: Record | None) -> str:
    """Return the texts that champion and challenger label differently."""
    examples = rollout["compared"]["examples"] if rollout else ()
    if not rollout or not examples:
        return note("There is no text that the two versions label differently.")
    rows = (
        [
            shown(example["text"]),
            _labelled(example["champion_label"], example["champion_score"]),
            _labelled(example["challenger_label"], example["challenger_score"]),
        ]
        for example in examples
    )
    names = ("Text", f"Version {rollout['champion']}", f"Version {rollout['challenger']}")
    return _table(names, rows, "disagreements")


def _plan_line(rollout: Record) -> str:
    """Return the present step, the plan, and how its steps are taken."""
    step = f"step {rollout['step']} of {rollout['plan']}" if rollout["step"] else rollout["plan"]
    then = "goes on by itself" if rollout["auto"] else "waits for promote"
    sticky = "" if rollout["sticky"] == "none" else f", with each {rollout['sticky']} on one version"
    return shown(f"{step} (each step is held for {rollout['hold_s']:g} s, then {then}{sticky})")


def _shares(traffic: Iterable[Record]) -> str:
    return f'<div class="bars shares">{"".join(map(_share, traffic))}</div>'


def _share(share: Record) -> str:
    """Draw a version's share of the traffic, or, before it has any, of the mirrored texts."""
    value = f"{share['weight'] or share['shadow']:.0%}"
    version, mirrored = f"version {share['version']}", _mirrored(share)
    return (
        f'<div class="bar"><span class="bar-name">{version}{mirrored}</span>'
        f'<span class="bar-track" role="img" aria-label="{version} {value}{mirrored}">'
        f'<span class="bar-fill total" style="width:{value}"></span></span>'
        f'<span class="bar-share">{value}</span></div>'
    )


def _mirrored(share: Record) -> str:
    if not share["shadow"]:
        return ""
    return f", shadow of {share['shadow']:.0%}" if share["weight"] else ", in the shadow"


def _arms(versions: Iterable[Record]) -> str:
    """Return the counts of each version as a table."""
    rows = (
        [
            f"version {arm['version']}",
            _number(f"{arm['requests']:,}"),
            _number(f"{arm['errors']:,}"),
            _number(_ms(arm["p50_ms"])),
            _number(_ms(arm["p99_ms"])),
            shown(", ".join(f"{label} {count:,}" for label, count in sorted(arm["labels"].items())) or "–"),
        ]
        for arm in versions
    )
    return _table(("So far", "Texts", "Failed", "p50", "p99", "Labels"), rows, "arms")


def _shifts(rollout: Record) -> str:
    """Return the versions' mean confidence and shares of labels as a table; empty until both have answered."""
    numbers, versions = rollout["numbers"], rollout["versions"]
    if "label_shift" not in numbers:
        return ""
    sure = [_number(f"{arm['confidence']:.1%}") for arm in versions]
    label_shares = [shown(_label_shares(arm["labels"])) for arm in versions]
    rows = (
        ["Confidence", *sure, _number(f"{100 * numbers['confidence_shift']:+.1f} points")],
        ["Label shift", *label_shares, _number(f"{numbers['label_shift']:.1%}")],
    )
    names = ("On average", *(f"Version {arm['version']}" for arm in versions), "Difference")
    return _table(names, rows, "shifts")


def _label_shares(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count / sum(labels.values()):.0%}" for label, count in sorted(labels.items()))


def _agreement(rollout: Record) -> str:
    """Return in a sentence how often the versions agree; empty until both have answered the same text."""
    compared = rollout["compared"]
    if not compared["compared"]:
        return ""
    agreed = 1 - compared["disagreed"] / compared["compared"]
    flips = compared["disagreed"] - compared["neutral_flips"]
    return (
        f"<p>Both versions agree on <strong>{agreed:.1%}</strong> of {compared['compared']:,} texts; on {flips:,} one "
        "says positive and the other negative.</p>"
    )


def _feedback(rollout: Record) -> str:
    """Return in sentences what feedback says of the two versions."""
    numbers, old, new = rollout["numbers"], rollout["champion"], rollout["challenger"]
    if not numbers.get("labelled"):
        return "<p>There was no feedback in this rollout, so it is not known how often each version is right.</p>"
    return (
        f"<p>Of {numbers['labelled']:,.0f} texts with feedback, only version {old} is right on "
        f"{numbers['only_champion_right']:,.0f} and only version {new} on {numbers['only_challenger_right']:,.0f}. "
        f"Evidence that version {new} is worse: {numbers['evidence_worse']:.2g}; that it is not: "
        f"{numbers['evidence_no_worse']:.2g} (20 decides).</p>"
    )


def _decisions(rollout: Record) -> str:
    """Return the last decisions, each with the step that it led to, and how many there are."""
    decisions, steps = rollout["decisions"], rollout["plan"].split(",")
    rows = (
        [
            _number(_time(entry["at_ms"])),
            shown(entry["state"]),
            _number(_step_named(steps[entry["stage"] - 1]) if entry["stage"] else "–"),
            shown(entry["reason"]),
        ]
        for entry in reversed(decisions[-_LAST_DECISIONS:])
    )
    return _cut(len(decisions)) + _table(("When (UTC)", "State", "Step", "Why"), rows, "decisions")


def _cut(count: int) -> str:
    """Say where to see all decisions, if some are left out."""
    if count <= _LAST_DECISIONS:
        return ""
    where = "all of them: <code>undertone rollout history --json</code>"
    return f'<p class="small">The last {_LAST_DECISIONS} of {count} decisions; {where}.</p>'


def _step_named(step: str) -> str:
    """Return a step of a plan with its unit."""
    return step if step == "shadow" else f"{step} %"


def _table(names: Iterable[str], rows: Iterable[Iterable[str]], kind: str) -> str:
    """Return a table; the cells are HTML."""
    head = "".join(f'<th scope="col">{shown(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="table {kind}" tabindex="0" role="region" aria-label="{kind}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(html: str) -> str:
    return html if html.startswith("<td") else f"<td>{html}</td>"


def _number(text: str) -> str:
    return f'<td class="number">{shown(text)}</td>'


def _labelled(label: str, score: float) -> str:
    return f'<td><span class="dot {shown(label)}"></span>{shown(label)} {score:.0%}</td>'


def _metrics_of(metrics: Mapping[str, float]) -> str:
    """Return the most important metrics of a version; those with short names first, since slices have long ones."""
    names = sorted(metrics, key=lambda name: (len(name), name))
    matching = [name for metric in _METRICS for name in names if name == metric or name.endswith(f"_{metric}")]
    return ", ".join(f"{name.replace('_', ' ')} {metrics[name]:.3g}" for name in matching[:_MOST_METRICS])


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:.0f} ms"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
