"""An operator is told of every wrong setting at once, by name, and never shown a secret."""

from pathlib import Path

import pytest

from stream.settings import BadSettings, SaslMechanism, SecurityProtocol, Settings, settings_table, variable


def problems(**given: str) -> list[str]:
    with pytest.raises(BadSettings) as told:
        Settings.from_env({f"NEWSALERT_{name}": text for name, text in given.items()})
    return str(told.value).splitlines()


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({"PATH": "/bin", "HOME": "/"}) == Settings()


def test_every_setting_can_be_set_from_its_variable() -> None:
    given = {
        "NEWSALERT_BROKERS": "one:9092,two:9092",
        "NEWSALERT_SECURITY_PROTOCOL": "SASL_SSL",
        "NEWSALERT_SASL_MECHANISM": "PLAIN",
        "NEWSALERT_SASL_USERNAME": "desk",
        "NEWSALERT_SASL_PASSWORD": "secret",
        "NEWSALERT_BATCH_RECORDS": "50",
        "NEWSALERT_WATCHDOG_S": "7.5",
    }

    found = Settings.from_env(given)

    assert (found.brokers, found.security_protocol) == ("one:9092,two:9092", SecurityProtocol.SASL_SSL)
    assert (found.sasl_mechanism, found.sasl_password) == (SaslMechanism.PLAIN, "secret")
    assert (found.batch_records, found.watchdog_s) == (50, 7.5)


def test_all_problems_are_reported_at_once_each_with_its_variable() -> None:
    told = problems(BATCH_RECORDS="many", HTTP_PORT="70000", SECURITY_PROTOCOL="TLS", BROKER="x", ARTICLES_TOPIC="a b")

    assert len(told) == 5
    for name in ("BATCH_RECORDS", "HTTP_PORT", "SECURITY_PROTOCOL", "BROKER", "ARTICLES_TOPIC"):
        assert any(f"NEWSALERT_{name}" in line for line in told)


def test_a_misspelt_name_is_met_with_the_nearest() -> None:
    assert "did you mean NEWSALERT_BROKERS?" in problems(BROKRES="x")[0]


def test_a_secret_is_never_shown() -> None:
    told = problems(SASL_PASSWORD="hunter2", SECURITY_PROTOCOL="nonsense", SASL_USERNAME="x")

    assert "hunter2" not in "\n".join(told)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")

    found = Settings.from_env({"NEWSALERT_SASL_PASSWORD_FILE": str(tmp_path / "password")})

    assert found.sasl_password == "secret"


def test_a_secret_s_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "NEWSALERT_SASL_PASSWORD_FILE" in problems(SASL_PASSWORD_FILE=str(tmp_path / "none"))[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "NEWSALERT_SASL_USERNAME"),
        ({"SSL_CA_FILE": "/no/such/file"}, "no file"),
        ({"SSL_KEY_FILE": __file__}, "both or neither"),
        ({"ALERTS_TOPIC": "articles"}, "two are the same"),
    ],
)
def test_settings_that_contradict_each_other_are_told(given: dict[str, str], told: str) -> None:
    assert any(told in line for line in problems(**given))


def test_an_empty_variable_is_as_if_not_set() -> None:
    assert Settings.from_env({"NEWSALERT_HTTP_PORT": ""}) == Settings()


def test_the_table_names_every_setting_and_says_what_it_is() -> None:
    rows = settings_table()

    assert [row[0] for row in rows] == [variable(name) for name in Settings.__dataclass_fields__]
    assert all(about for _, _, about in rows)
