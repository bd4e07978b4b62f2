"""The environment of other processes: child processes get all settings, a cluster only what everybody may read.

Ray's dashboard shows the environment of jobs to everybody who may open it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from sentiment.access.logins import has_login, without_login
from sentiment.access.secret_files import file_variable, files_of
from sentiment.errors import InvalidInput, InvalidSettings
from sentiment.settings import FOLLOWED, OPTIONS, PREFIX, REQUIRED, SECRETS, Settings

#: Settings of this machine alone: the nodes of a cluster have hosts and ports of their own.
_OF_THIS_MACHINE: Final = {*OPTIONS, "ui_host", "haproxy_stats_port", "fallback_port"} - {"home"}
#: Secrets that only processes of this machine need.
_ASKED_HERE: Final = ("ui_login",)
#: The variables of the cluster's own environment with the login of each server.
_S3_LOGIN: Final = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_LOGINS: Final = {
    "UNDERTONE_TRACKING_URI": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    "UNDERTONE_S3_ENDPOINT": _S3_LOGIN,
    "UNDERTONE_DATASETS": _S3_LOGIN,
}
#: Variables of other libraries that hold secrets.
_CREDENTIALS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "RAY_AUTH_TOKEN",
    "UNDERTONE_API_KEY",
)
_LEAST_SECRET: Final = 8  # characters: a shorter one is found in innocent words
#: An address with a login, or with a signature or a token in its query.
_LOGIN_WITHIN: Final = re.compile(
    r"""(?i)[a-z][a-z0-9+.-]*://(?:[^\s/?#"'\\]*@|[^\s"'\\]*[?&][\w.-]*(?:token|secret|password|signature|api_?key)=)"""
)


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables with which another process of this machine has the same settings, secrets included."""
    values = settings.model_dump(exclude_none=True)
    return {PREFIX + name.upper(): _plain(value) for name, value in values.items()}


def process_environment(settings: Settings, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process: this process's with these settings, and `extra`."""
    own = {PREFIX + name.upper() for name in Settings.model_fields} | {file_variable(name) for name in SECRETS}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return {**inherited, **environment_of(settings), **extra}


def is_followed() -> bool:
    """Return whether a command of this project follows this job's log; it sets a variable to say so."""
    return bool(os.environ.get(FOLLOWED))


def api_access() -> tuple[str | None, str | None]:
    """Return the address of the API and its key, which the supervisor gives to its children; None if it did not."""
    return os.environ.get("UNDERTONE_URL") or None, os.environ.get("UNDERTONE_API_KEY") or None


def cluster_environment(settings: Settings, fields: Collection[str] | None = None) -> dict[str, str]:
    """Return the variables for a cluster: those of `fields`, or all that differ from their defaults, without secrets.

    Without `fields`, REQUIRED names the secrets that are set here, so that a node without them can say so.

    Raises:
        InvalidSettings: an address holds a login; the message says where that belongs.
    """
    selected = fields if fields is not None else _differing(settings) - _OF_THIS_MACHINE
    values = settings.model_dump(exclude_none=True, include=set(selected) - set(SECRETS))
    variables = {PREFIX + name.upper(): _plain(value) for name, value in values.items()}
    for variable, value in variables.items():
        _refuse_login(variable, value)
    if fields is None and (required := sorted(_required(settings))):
        variables[REQUIRED] = " ".join(required)
    return variables


def refuse_secrets(words: Sequence[str], settings: Settings) -> None:
    """Check that no word of a command line that Ray will show holds a secret.

    Raises:
        InvalidInput: one holds an address with a login, or the value of a secret; the message does not repeat it.
    """
    secret_values = [value for value in _secret_values(settings) if len(value) >= _LEAST_SECRET]
    for word in words:
        if _LOGIN_WITHIN.search(word) or any(value in word for value in secret_values):
            raise InvalidInput(
                f"An option holds a login or a secret ({_hidden(word, secret_values)}), which everybody who may open "
                "the cluster's dashboard could read. Leave it out, and start the cluster with it in its environment."
            )


def secret_paths() -> list[Path]:
    """Return the files that the environment names for secrets."""
    return [path.expanduser().absolute() for path in files_of(SECRETS, os.environ).values()]


def _hidden(word: str, secret_values: Sequence[str]) -> str:
    """Return the beginning of a word before its secret."""
    starts = [match.start() for match in [_LOGIN_WITHIN.search(word)] if match]
    starts += [word.index(value) for value in secret_values if value in word]
    return f"{word[: min(starts)][-40:]}…"


def _secret_values(settings: Settings) -> Iterator[str]:
    yield from (_plain(value) for name, value in settings if name in SECRETS and value is not None)
    yield from (value for name in _CREDENTIALS if (value := os.environ.get(name)))


def _differing(settings: Settings) -> set[str]:
    """Return the fields that differ from their defaults."""
    return {name for name, value in settings if value != _default(Settings.model_fields[name].default)}


def _default(value: Any) -> Any:
    return value.expanduser().absolute() if isinstance(value, Path) else value


def _required(settings: Settings) -> Iterator[str]:
    for name in SECRETS:
        if name not in _ASKED_HERE and getattr(settings, name) is not None:
            yield PREFIX + name.upper()


def _refuse_login(variable: str, value: str) -> None:
    remedy = _LOGINS.get(variable)
    # A folder, and a name in a bucket, may hold an @; of the other addresses a password may hold what ends a host.
    if remedy and (_LOGIN_WITHIN.search(value) if variable == "UNDERTONE_DATASETS" else has_login(value)):
        raise InvalidSettings(
            f"{variable} holds a login, which everybody who may open the cluster's dashboard could read. Set "
            f"{variable}={without_login(value)} here, and start the cluster with {remedy} in its environment.",
            variable,
        )


def _plain(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
