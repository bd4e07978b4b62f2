"""All settings of Undertone: one frozen model, read from the environment and from `undertone.toml`.

The environment wins over the file. Every field is the variable `UNDERTONE_<FIELD>`; docs/settings.md lists them all.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sentiment.access.logins import without_login
from sentiment.access.origins import parse_origins
from sentiment.access.secret_files import file_variable, from_files, lacking
from sentiment.errors import InvalidSettings
from sentiment.validation_messages import in_words

PREFIX = "UNDERTONE_"
FILE = "undertone.toml"
#: Set for a job whose log a command of ours follows; it is no setting.
FOLLOWED = "UNDERTONE_FOLLOWED"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: The settings that `undertone up` takes as options too.
OPTIONS = ("home", "host", "port", "ui_port", "mlflow_port", "dashboard_port", "address")

_PLAN = r"^(shadow,)?(\d{1,2}(\.\d{1,3})?,)*100$"
_HTTP = r"^https?://[^\s/]"
_RULES = {_PLAN: "must be shares in percent that grow and end with 100, `shadow` first if at all: shadow,1,10,50,100"}
_RULES[_HTTP] = "must be an address such as http://127.0.0.1:8080/gdelt"


class Settings(BaseSettings):
    """Where things live, what is allowed, and how much of it. Times are in the unit that the name ends with."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file=FILE, frozen=True, extra="forbid", env_ignore_empty=True
    )

    home: Path = Field(Path("~/.undertone"), description="folder of the local platform: stores, journal, logs, secret")
    host: str = Field("127.0.0.1", description="address that the API listens on; beyond loopback it asks for a key")
    port: int = Field(8000, ge=1, le=65535, description="port of the API")
    ui_host: str = Field("127.0.0.1", description="address that the page listens on")
    ui_port: int = Field(7860, ge=1, le=65535, description="port of the page")
    ui_login: SecretStr | None = Field(None, description="user:password that the page asks for; needed beyond loopback")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="port of the local MLflow server")
    dashboard_port: int = Field(8265, ge=1, le=65535, description="port of Ray's dashboard")
    haproxy_stats_port: int = Field(8404, ge=1, le=65535, description="port of HAProxy's statistics, always loopback")
    fallback_port: int = Field(8500, ge=1, le=65535, description="port of Serve's own proxy behind HAProxy, loopback")
    address: str | None = Field(None, description="address of a running Ray cluster; empty starts a local one")

    tracking_uri: str | None = Field(
        None,
        validation_alias=AliasChoices("UNDERTONE_TRACKING_URI", "MLFLOW_TRACKING_URI", "tracking_uri"),
        description="MLflow server with the model registry; empty starts a local one",
    )
    model_name: Literal["sentiment", "sentiment-reviews"] = Field("sentiment", description="registered model to serve")
    registry_poll_s: float = Field(4.0, gt=0, description="pause of the controller between two looks")
    mongo_uri: SecretStr | None = Field(None, description="MongoDB of the texts; empty keeps them in SQLite under home")
    mongo_database: str = Field("undertone", description="database in MongoDB")
    database: Path | None = Field(None, description="file of the texts in SQLite; empty: `undertone.db` in home")
    datasets: str | None = Field(
        None, description="dataset versions: a folder, or `s3://bucket/prefix`; empty: `datasets` in home"
    )
    s3_endpoint: str | None = Field(
        None, description="address of the S3 server; empty: Amazon's, or what `AWS_ENDPOINT_URL_S3` says"
    )
    secret: SecretStr | None = Field(None, description="key of all HMACs, 32 or more characters; empty: a file in home")

    durability: Literal["journal", "store"] = Field(
        "journal", description="what a 200 waits for: the journal on disk, or the store's own acknowledgement"
    )
    journal_dir: Path | None = Field(None, description="folder of the journals; empty: `journal` in home")
    retention_days: float | None = Field(None, gt=0, description="days that texts are kept; empty keeps them")
    store_raw_text: bool = Field(False, description="store texts as sent instead of masked: personal data, ask first")

    max_body_bytes: int = Field(8 * 2**20, ge=1024, description="largest request body, the stream's excepted")
    max_text_characters: int = Field(50_000, ge=1, description="longest text")
    max_batch_items: int = Field(1000, ge=1, description="most texts in one batch request")
    max_queued_texts: int = Field(
        4096, ge=1, description="texts that may wait in a lane of a gateway; beyond it answers 429"
    )
    cors_origins: str | None = Field(
        None, description="origins of web pages that may call the API, with commas between; `*` lets any page do so"
    )
    deadline_ms: float = Field(
        15_000, gt=0, le=45_000, description="time limit of a request, unless X-Deadline-Ms asks for less"
    )
    gather_ms: float = Field(20.0, ge=0, description="longest that a busy gateway gathers texts for a micro-batch")
    max_gather_texts: int = Field(224, ge=1, description="most texts in one micro-batch")
    micro_batches_in_flight: int = Field(1, ge=1, description="micro-batches that a gateway has classified at once")
    cache_texts: int = Field(50_000, ge=0, description="answers that a gateway keeps for texts seen before")
    explain_concurrency: int = Field(2, ge=1, description="explanations under way at once in a gateway")

    gateway_replicas: int = Field(2, ge=1, description="gateways of the local platform")
    gateway_fill: int = Field(
        128,
        ge=0,
        le=1024,
        description="requests at a local gateway before the next one gets single texts; 0 spreads all",
    )
    preprocessor_replicas: int = Field(1, ge=1, description="preprocessors of the local platform")
    sink_replicas: int = Field(1, ge=1, description="sinks of the local platform")
    classifier_replicas: int = Field(1, ge=1, description="classifiers of a version on the local platform")
    classifier_threads: int = Field(2, ge=1, description="threads of one classifier replica on CPUs")
    classifier_gpus: float = Field(0, ge=0, description="GPUs of one classifier replica; 0 runs int8 on CPUs")
    batch_tokens: int = Field(256, ge=16, description="word pieces in one forward pass on a CPU")

    insight: bool = Field(True, description="keep an index of the texts, for `undertone insight` and /v1/insights")
    insight_dir: Path | None = Field(None, description="folder of that index; empty: `insight` in home")
    ingest: bool = Field(True, description="carry out the ingests of /v1/ingests, in a process of their own")
    ingest_files: Path | None = Field(None, description="folder of files that these may read; empty: `files` in home")
    gdelt_url: str = Field("http://data.gdeltproject.org/gdeltv2", pattern=_HTTP, description="where GDELT's files are")
    gdelt_doc_url: str = Field("https://api.gdeltproject.org/api/v2/doc/doc", pattern=_HTTP, description="its DOC 2.0")

    identify_languages: bool = Field(True, description="tell the language of texts; off: only unknown pieces count")

    rollouts_automatic: bool = Field(False, description="a version with the alias `challenger` starts a rollout itself")
    rollouts_plan: str = Field(
        "shadow,1,10,50,100",
        pattern=_PLAN,
        description="steps of a rollout, in percent of the traffic",
    )
    rollouts_hold_s: float = Field(60.0, ge=0, description="least time in each step of a rollout")
    rollouts_shadow_share: float = Field(0.25, gt=0, le=1, description="share of the texts mirrored to a shadow")
    rollouts_failover_ms: float = Field(
        300.0, gt=0, description="wait for a candidate beyond its texts' expected time; then the champion answers"
    )
    rollouts_load_s: float = Field(300.0, gt=0, description="time limit of a version to load in a rollout")
    rollouts_follow_s: float = Field(
        120.0, gt=0, description="time limit of all gateways to open a version, then the rollout goes back"
    )
    rollouts_drain_s: float = Field(30.0, ge=0, description="time that a version without traffic stays loaded")
    rollouts_max_disagreement: float = Field(
        0.25, gt=0, lt=1, description="share of texts labelled otherwise than by the champion that ends a rollout"
    )
    rollouts_max_flips: float = Field(
        0.05, gt=0, lt=1, description="share of texts turned from positive to negative or back that ends a rollout"
    )
    rollouts_max_errors: float = Field(
        0.01, gt=0, lt=1, description="share of texts, or of calls, that it alone fails on that ends a rollout"
    )
    rollouts_max_latency_ratio: float = Field(
        3.0, gt=1, description="99th percentile of the latency, over the champion's, that ends a rollout"
    )
    rollouts_margin: float = Field(
        0.03, gt=0, lt=1, description="share of right answers that a challenger must be shown not to be behind by"
    )
    rollouts_max_labels: int = Field(10_000, ge=1, description="labelled texts after which a person decides")
    rollouts_evidence_s: float = Field(3600.0, ge=0, description="wait for labels to decide, then a person does")

    @field_validator("home", "database", "journal_dir", "insight_dir", "ingest_files")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else value

    @field_validator("datasets")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return str(Path(value).expanduser().absolute()) if value and "://" not in value else value

    @field_validator("cors_origins")
    @classmethod
    def _as_browsers_write(cls, value: str | None) -> str | None:
        return ",".join(parse_origins(value)) if value else None

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes all four by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, files of secrets, `undertone.toml`."""
        files = InitSettingsSource(settings_cls, from_files(SECRETS, os.environ))
        return init_settings, env_settings, files, TomlConfigSettingsSource(settings_cls)

    @property
    def journal_path(self) -> Path:
        """Folder of the journals."""
        return self.journal_dir or self.home / "journal"

    @property
    def insight_path(self) -> Path:
        """Folder of the insight index."""
        return self.insight_dir or self.home / "insight"

    @property
    def database_path(self) -> Path:
        """File of the embedded text store."""
        return self.database or self.home / "undertone.db"

    @property
    def datasets_uri(self) -> str:
        """Folder or `s3://` address of the dataset versions."""
        return self.datasets or str(self.home / "datasets")

    @property
    def permitted_origins(self) -> tuple[str, ...]:
        """Origins of the web pages that may call the API."""
        return tuple(self.cors_origins.split(",")) if self.cors_origins else ()

    @property
    def on_loopback(self) -> bool:
        """Whether the API listens on this machine only."""
        return self.host in LOOPBACK

    @property
    def registry_uri(self) -> str:
        """Address of the MLflow server, the local one unless another is set."""
        return self.tracking_uri or f"http://127.0.0.1:{self.mlflow_port}"


#: The fields that nobody but their owner may read: they are in no public place, and in none of Ray's.
SECRETS: Final = tuple(name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation))
#: Names the secrets that a process on another machine has to have in its own environment.
REQUIRED: Final = f"{PREFIX}REQUIRED"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over everything.

    Raises:
        InvalidSettings: naming the variable and what it may be, an unknown UNDERTONE_ variable, a file of a secret that
            cannot be read, or a secret that this machine lacks.
    """
    _refuse_unknown(os.environ)
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except tomllib.TOMLDecodeError as exc:
        raise InvalidSettings(f"{FILE} is not TOML: {exc}. Mend that line, or move the file away.", FILE) from exc
    except ValidationError as exc:
        problem = exc.errors(include_url=False)[0]
        variable = PREFIX + str(problem["loc"][0]).upper().removeprefix(PREFIX)
        name = spelling_of(variable.removeprefix(PREFIX).lower())
        reason = in_words(problem, rules=_RULES, tells_given=not problem["type"].startswith(_TEXT_PROBLEMS))
        raise InvalidSettings(f"{name}: {reason}. {_meaning(variable)}", variable) from None
    _refuse_lacking(settings, os.environ.get(REQUIRED, "").split())
    return settings


def spelling_of(name: str) -> str:
    """Return how a user sets the field `name`: by its option, if it has one, or by its variable."""
    variable = PREFIX + name.upper()
    return f"--{name.replace('_', '-')} or {variable}" if name in OPTIONS else variable


def public_values(settings: Settings) -> dict[str, str]:
    """Return the settings that may be shown, as text: without secrets, and an address without its password."""
    values = settings.model_dump(exclude_none=True, exclude=set(SECRETS))
    return {name: without_login(value) if isinstance(value, str) else str(value) for name, value in values.items()}


def job_address() -> str | None:
    """Return the address of the Ray cluster that this process is a job of, as Ray tells its jobs; None outside."""
    return os.environ.get("RAY_ADDRESS") or None


def _meaning(variable: str) -> str:
    field = Settings.model_fields.get(variable.removeprefix(PREFIX).lower())
    return f"It is: {field.description}." if field else "See docs/settings.md for the names."


#: What begins so is found of a text, which may be a secret, or hold a password.
_TEXT_PROBLEMS = ("string", "url", "value")
#: Variables with the same prefix that are not settings of the platform.
_OTHER_VARIABLES = ("UNDERTONE_TEST_MONGO_URI", "UNDERTONE_API_KEY", "UNDERTONE_URL", FOLLOWED, REQUIRED)


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    variables = {PREFIX + name.upper() for name in Settings.model_fields} | set(_OTHER_VARIABLES)
    variables |= {file_variable(name) for name in SECRETS}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in variables)
    if unknown:
        raise InvalidSettings(f"{unknown[0]} is not a setting. {_meaning(unknown[0])}", unknown[0])


def _refuse_lacking(settings: Settings, required: list[str]) -> None:
    for name in SECRETS:
        if PREFIX + name.upper() in required and getattr(settings, name) is None:
            raise lacking(name)
