"""Settings: everything an operator can set, from NEWSALERT_* variables, checked once and reported all together."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

import msgspec
from msgspec import Meta

PREFIX: Final = "NEWSALERT_"
FROM_FILE: Final = "_FILE"  # NEWSALERT_X_FILE=/run/secrets/x: the value is the file's content


class BadSettings(Exception):
    """Settings that cannot be run with: one line for every problem, each with the variable and what to do."""


class SecurityProtocol(StrEnum):
    """How to speak to the brokers, in Kafka's own words."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """How to log in to the brokers, in Kafka's own words."""

    PLAIN = "PLAIN"
    SCRAM_256 = "SCRAM-SHA-256"
    SCRAM_512 = "SCRAM-SHA-512"


class LogLevel(StrEnum):
    """How much is told on standard error."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


Topic = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
Count = Annotated[int, Meta(ge=1)]
Workers = Annotated[int, Meta(ge=1, le=256)]
Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Share = Annotated[float, Meta(gt=0, le=1)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
SECRETS: Final = frozenset({"sasl_password", "ssl_key_password"})


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """One value for each setting; `from_env` is the way to make it from an environment."""

    brokers: Word = _setting("localhost:9092", "host:port of one or more brokers, with commas between")
    group: Word = _setting("newsalert", "consumer group")
    instance_id: str = _setting(
        "", "stable name of this worker (a pod's name): static membership, fences its own ghost"
    )
    workers: Workers = _setting(1, "worker processes on this machine; N of them get the names ID-1 to ID-N")
    articles_topic: Topic = _setting("articles", "topic read")
    verdicts_topic: Topic = _setting("verdicts", "topic that gets one verdict for every article")
    alerts_topic: Topic = _setting("alerts", "topic that gets the alerts")
    dead_topic: Topic = _setting("articles.dead", "topic that gets refused records, untouched")
    feedback_topic: Topic = _setting("feedback", "topic with what people say of alerts")
    event_source: Word = _setting("/newsalert", "ce_source of alerts, a URI reference that names this service")
    model_home: str = _setting("", "folder of models; empty: newsalert/models below the user's data folder")
    model: str = _setting("", "model folder or version to use in place of the champion")
    news: str = _setting("", "folder with the texts that training/labels points to; training only")
    http_host: Word = _setting("127.0.0.1", "address that /metrics, /healthz and /readyz listen on")
    http_port: Port = _setting(9464, "port of the same; 0 takes a free one")
    batch_records: Count = _setting(500, "most records in a batch, that is in a transaction")
    in_flight: Count = _setting(1000, "most sends that wait for the broker's answer")
    max_article_bytes: Count = _setting(1_000_000, "larger records are refused")
    refusal_run: Annotated[int, Meta(ge=0)] = _setting(200, "refusals in a row that stop the worker; 0: never")
    refusal_share: Share = _setting(0.5, "share of refusals in the last 1,000 records above which it stops; 1: never")
    watchdog_s: Seconds = _setting(120.0, "seconds without progress after which the process ends itself (exit 75)")
    session_timeout_s: Seconds = _setting(45.0, "seconds after which the group gives a silent worker's share to others")
    connect_timeout_s: Seconds = _setting(30.0, "seconds to wait for a first broker")
    security_protocol: SecurityProtocol = _setting(
        SecurityProtocol.PLAINTEXT, "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    ssl_ca_file: str = _setting("", "PEM file of the authority that signed the brokers' certificates")
    ssl_cert_file: str = _setting("", "PEM file of this client's certificate")
    ssl_key_file: str = _setting("", "PEM file of this client's key")
    ssl_key_password: str = _setting("", "password of that key")
    sasl_mechanism: SaslMechanism = _setting(SaslMechanism.SCRAM_512, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    sasl_username: str = _setting("", "user name")
    sasl_password: str = _setting("", "password")
    log_level: LogLevel = _setting(LogLevel.INFO, "DEBUG, INFO, WARNING or ERROR")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """The settings in `environ`; an empty variable is as if not set. Raises BadSettings with every problem."""
        given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and not _foreign(name)}
        values, problems = _resolved(given), []
        known = {variable(one.name): one for one in fields(cls)}
        chosen: dict[str, Any] = {}
        for name, text in sorted(values.items()):
            if isinstance(text, OSError):
                problems.append(f"{name}{FROM_FILE}: {text}; name a file that can be read")
            elif name not in known:
                problems.append(f"{name}: no such setting{_nearest(name, known)}")
            elif text:
                try:
                    chosen[known[name].name] = msgspec.convert(text, known[name].type, strict=False)
                except msgspec.ValidationError as fault:
                    problems.append(
                        f"{name}: {_shown(known[name].name, text)}: {fault}; {known[name].metadata['about']}"
                    )
        problems += _contradictions(settings := cls(**chosen))
        if problems:
            raise BadSettings("\n".join(problems))
        return settings


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def settings_table() -> list[tuple[str, str, str]]:
    """(variable, default, what it is) of every setting, for the documentation."""
    return [(variable(one.name), str(one.default), one.metadata["about"]) for one in fields(Settings)]


def _foreign(name: str) -> bool:
    return name.startswith(f"{PREFIX}TEST_")


def _resolved(given: Mapping[str, str]) -> dict[str, str | OSError]:
    """NEWSALERT_X_FILE becomes NEWSALERT_X with the file's content, where X is a secret."""
    values: dict[str, str | OSError] = {}
    for name, text in given.items():
        plain = name.removesuffix(FROM_FILE)
        if plain != name and plain in {variable(secret) for secret in SECRETS} and text:
            try:
                values[plain] = Path(text).read_text().rstrip("\r\n")
            except OSError as fault:
                values[plain] = fault
        else:
            values.setdefault(name, text)
    return values


def _shown(name: str, text: str) -> str:
    return "(a secret)" if name in SECRETS else repr(text[:80])


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else "; 'newsalert settings' lists them"


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    if settings.security_protocol.value.startswith("SASL") and not (settings.sasl_username and settings.sasl_password):
        problems.append(
            f"NEWSALERT_SECURITY_PROTOCOL is {settings.security_protocol}: "
            "set NEWSALERT_SASL_USERNAME and NEWSALERT_SASL_PASSWORD (or _FILE)"
        )
    for name in ("ssl_ca_file", "ssl_cert_file", "ssl_key_file"):
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            problems.append(f"{variable(name)}: no file at {path!r}; name the PEM file")
    if bool(settings.ssl_cert_file) != bool(settings.ssl_key_file):
        problems.append("NEWSALERT_SSL_CERT_FILE and NEWSALERT_SSL_KEY_FILE: set both or neither")
    topics = [settings.articles_topic, settings.verdicts_topic, settings.alerts_topic, settings.dead_topic]
    if len(set(topics)) < len(topics):
        problems.append(f"topics {', '.join(topics)}: two are the same; the service would read what it writes")
    return problems
