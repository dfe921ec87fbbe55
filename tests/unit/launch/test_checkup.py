from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.settings import KafkaSettings, RedisSettings
from launch.checkup import check_catalogue, check_kafka, check_machine, check_redis, judge_redis, judge_topic
from launch.topic_admin import TopicState
from trendloom.topics import PURCHASES, RECOMMENDATIONS

SOUND: dict[str, Any] = {
    "redis_version": "7.4.1",
    "used_memory_human": "1M",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "cluster_enabled": 0,
}


def test_a_sound_redis_is_ok_in_all() -> None:
    assert {finding.status for finding in judge_redis(SOUND, RedisSettings())} == {"ok"}


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "fail", "vanish unseen"),
        ({"aof_enabled": 0}, "warn", "append-only file: off"),
        ({"cluster_enabled": 1}, "fail", "it is a Redis Cluster"),
    ],
)
def test_an_unsound_redis_is_said_with_what_to_do(change: dict[str, Any], status: str, said: str) -> None:
    bad = [finding for finding in judge_redis({**SOUND, **change}, RedisSettings()) if finding.status != "ok"]
    assert [finding.status for finding in bad] == [status]
    assert said in bad[0].found
    assert bad[0].action


def test_a_cluster_is_ok_where_one_is_expected() -> None:
    settings = RedisSettings.model_validate({"cluster": True})
    assert {finding.status for finding in judge_redis({**SOUND, "cluster_enabled": 1}, settings)} == {"ok"}


def test_valkey_is_named_by_its_own_version() -> None:
    first = next(judge_redis({**SOUND, "valkey_version": "9.0.0", "redis_version": "7.2.4"}, RedisSettings()))
    assert first.found.startswith("Valkey 9.0.0")


def test_a_compacted_log_fails_and_other_differences_warn() -> None:
    assert judge_topic(TopicState(PURCHASES, exists=True, partitions=8, cleanup="compact,delete")).status == "fail"
    assert judge_topic(TopicState(RECOMMENDATIONS, exists=True, partitions=8, cleanup="compact")).status == "warn"
    assert judge_topic(TopicState(PURCHASES, exists=True, partitions=9)).status == "warn"
    assert judge_topic(TopicState(PURCHASES, exists=False)).action == "Run trendloom topics create."
    assert judge_topic(TopicState(PURCHASES, exists=True, partitions=8)).status == "ok"


def test_engines_that_do_not_answer_fail_with_an_action() -> None:
    (redis,) = check_redis(RedisSettings.model_validate({"url": "redis://u:s3cret@127.0.0.1:1/0", "timeout_s": 0.2}))
    assert redis.status == "fail"
    assert redis.action
    assert "s3cret" not in redis.found


def test_embedded_engines_are_not_asked() -> None:
    assert [f.status for f in check_redis(RedisSettings.model_validate({"url": ""}))] == ["ok"]
    assert [f.status for f in check_kafka(KafkaSettings.model_validate({"bootstrap": ""}))] == ["ok"]


@pytest.mark.parametrize(("kilobytes", "status"), [(399 * 1024, "warn"), (401 * 1024, "ok")])
def test_little_memory_is_a_warning(tmp_path: Path, kilobytes: int, status: str) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable: {kilobytes} kB\n")
    *_, memory = check_machine(meminfo)
    assert memory.status == status


def test_memory_that_is_not_told_is_said(tmp_path: Path) -> None:
    *_, memory = check_machine(tmp_path / "none")
    assert (memory.status, memory.found) == ("warn", "free memory: not told by this system")


def test_a_directory_that_is_no_catalogue_fails(tmp_path: Path) -> None:
    finding = check_catalogue(str(tmp_path))
    assert finding.status == "fail"
    assert finding.action
