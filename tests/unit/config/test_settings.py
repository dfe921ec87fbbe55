from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.settings import KafkaSettings, RedisSettings, Settings, StateSettings


def test_the_defaults_are_valid_and_frozen() -> None:
    settings = Settings()
    assert settings.kafka.partitions == 8
    with pytest.raises(ValidationError, match="frozen"):
        settings.lists = settings.lists  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.lists.top_k = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("kafka", "partitions", 0),
        ("kafka", "session_timeout_s", 5),
        ("kafka", "topic_prefix", "a b"),
        ("kafka", "compression", "lz4"),
        ("redis", "url", "http://somewhere"),
        ("redis", "key_prefix", ""),
        ("redis", "timeout_s", 0),
        ("state", "slow_half_life_s", float("nan")),
        ("state", "history_length", 1),
        ("lists", "top_k", 201),
        ("lists", "unknown_items", "ignore"),
        ("dashboard", "port", 65_536),
        ("worker", "retry_budget_s", -1),
    ],
)
def test_a_value_out_of_range_is_refused(group: str, name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({group: {name: value}})
    assert caught.value.errors()[0]["loc"] == (group, name)


def test_the_environment_is_not_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTS__TOP_K", "3")
    monkeypatch.setenv("LISTS", '{"top_k": 4}')
    assert Settings().lists.top_k == 10


def test_a_login_must_be_whole() -> None:
    with pytest.raises(ValidationError, match="needs sasl_username, sasl_password as well"):
        KafkaSettings.model_validate({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"})
    with pytest.raises(ValidationError, match="does not log in"):
        KafkaSettings.model_validate({"security_protocol": "SSL", "sasl_mechanism": "PLAIN"})
    whole = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}
    assert KafkaSettings.model_validate({"security_protocol": "SASL_SSL", **whole}).sasl_username == "u"


@pytest.mark.parametrize("model", [KafkaSettings, RedisSettings])
def test_a_certificate_needs_its_key(model: type[KafkaSettings | RedisSettings]) -> None:
    with pytest.raises(ValidationError, match="come together"):
        model.model_validate({"ssl_certfile": "c.pem"})


def test_tls_files_need_a_tls_address() -> None:
    with pytest.raises(ValidationError, match="rediss://"):
        RedisSettings.model_validate({"ssl_ca_certs": "ca.pem"})
    assert RedisSettings.model_validate({"url": "rediss://h:1/0", "ssl_ca_certs": "ca.pem"}).ssl_ca_certs == "ca.pem"


def test_bounds_of_the_state_fit_each_other() -> None:
    for wrong in (
        {"fast_half_life_s": 86_400},
        {"co_purchase_keep": 129},
        {"co_purchase_window": 21},
    ):
        with pytest.raises(ValidationError):
            StateSettings.model_validate(wrong)


def test_a_login_in_the_address_is_moved_out_of_it() -> None:
    redis = RedisSettings.model_validate({"url": "redis://bob:p%40ss@host:6380/2", "password": "older"})
    assert redis.url == "redis://host:6380/2"
    assert redis.username == "bob"
    assert redis.password.get_secret_value() == "p@ss"
    only_password = RedisSettings.model_validate({"url": "redis://:pw@host:1/0"})
    assert (only_password.username, only_password.password.get_secret_value()) == ("", "pw")


def test_secrets_are_not_in_what_is_printed() -> None:
    settings = Settings.model_validate(
        {
            "kafka": {"sasl_password": "s3cret", "ssl_password": "s3cret"},
            "redis": {"url": "redis://x:s3cret@h:1/0"},
        }
    )
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.redis)):
        assert "s3cret" not in shown
