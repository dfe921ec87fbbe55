"""``redis.cluster = true``: what commands and workers open is the cluster's store, with the same answers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import pytest
from deliveries import START_MS, arrivals, deliver, purchase

from config.loading import load_settings
from config.settings import Settings
from launch import cli
from launch.assembly import open_store, state_rules
from launch.checkup import check_redis
from trendloom.state.on_redis import RedisStore
from trendloom.state.on_redis_cluster import ClusterStore
from trendloom.state.store import Partition

pytestmark = [pytest.mark.redis, pytest.mark.slow]

PLACE = Partition("purchases", 0)


def settings_for(url: str, prefix: str, *, cluster: bool) -> Settings:
    flags = {"redis.url": url, "redis.cluster": cluster, "redis.key_prefix": prefix, "worker.retry_budget_s": 5}
    return load_settings(None, flags).settings


async def filled(settings: Settings) -> None:
    store, rules = open_store(settings), state_rules(settings)
    try:
        await store.open(rules, START_MS)
        await store.number_items([f"item-{number}" for number in range(4)])
        log = [purchase(event, f"c{event % 3}", event % 4, START_MS) for event in range(12)]
        await deliver(store, PLACE, arrivals(log), rules=rules)
        await store.set_fence(Partition("purchases", 1), 7)
    finally:
        await store.close()


def shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: Settings, *words: str
) -> dict[str, object]:
    """What ``trendloom state show`` says, as a person would ask: address as a flag, the rest in the environment."""
    monkeypatch.setenv("TRENDLOOM_REDIS__CLUSTER", str(settings.redis.cluster).lower())
    monkeypatch.setenv("TRENDLOOM_REDIS__KEY_PREFIX", settings.redis.key_prefix)
    monkeypatch.setattr(sys, "argv", ["trendloom", "state", "show", *words, "--redis", settings.redis.url, "--json"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    told: dict[str, object] = json.loads(said.out)
    return told


def test_the_setting_chooses_the_store_and_the_commands_say_the_same_of_either(
    redis_cluster: list[str],
    valkey_url: str,
    fresh_prefix: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = fresh_prefix().rstrip(".")
    clustered = settings_for(redis_cluster[0], prefix, cluster=True)
    single = settings_for(valkey_url, prefix, cluster=False)
    kinds = []
    for settings in (clustered, single):
        store = open_store(settings)
        kinds.append(type(store))
        asyncio.run(store.close())
        asyncio.run(filled(settings))
    assert kinds == [ClusterStore, RedisStore]

    totals = [shown(capsys, monkeypatch, settings) for settings in (clustered, single)]
    assert totals[0] == totals[1]
    assert totals[0]["purchases"] == 12
    assert totals[0]["fences"] == [
        {"topic": "purchases", "partition": 0, "offset": 11},
        {"topic": "purchases", "partition": 1, "offset": 7},
    ]
    assert [found.found for found in check_redis(clustered.redis) if found.status == "fail"] == []

    customers = [shown(capsys, monkeypatch, settings, "c1") for settings in (clustered, single)]
    assert customers[0] == customers[1]
    assert customers[0]["purchases"] == 4


def test_login_and_tls_reach_every_node() -> None:
    """The cluster's client takes the very options that one server's takes; nothing is sent yet."""
    flags = {
        "redis.url": "rediss://ann:secret@h:1",
        "redis.cluster": True,
        "redis.ssl_ca_certs": "ca.pem",
        "redis.ssl_certfile": "c.pem",
        "redis.ssl_keyfile": "k.pem",
        "redis.timeout_s": 2,
    }

    async def check() -> None:
        store = open_store(load_settings(None, flags).settings)
        assert isinstance(store, ClusterStore)
        told = store._client.connection_kwargs
        assert (told["username"], told["password"], told["socket_timeout"]) == ("ann", "secret", 2.0)
        assert (told["ssl_ca_certs"], told["ssl_certfile"], told["ssl_keyfile"]) == ("ca.pem", "c.pem", "k.pem")
        assert told["connection_class"].__name__ == "SSLConnection"
        await store.close()

    asyncio.run(check())
