"""``trendloom topics``: create the topics, show what they are, print their contract.

What a topic should be stands in :mod:`trendloom.topics`; this only compares and creates, it never changes or deletes.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import typer

from launch.compose import kafka_options, topic_table
from launch.options import AsJson, ConfigFile, KafkaAddress, read_settings
from launch.topic_admin import TopicState, create_topics, open_admin, topic_states
from trendloom.asyncapi import asyncapi_yaml

__all__ = ["app", "contract", "create", "show"]

app = typer.Typer(no_args_is_help=True, help="Create the topics, or show what they are.")


@app.command()
def create(kafka: KafkaAddress = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Create the topics that do not exist yet; those that exist stay as they are."""
    settings = read_settings(config, {"kafka.bootstrap": kafka})
    topics = topic_table(settings.kafka)
    with open_admin(kafka_options(settings.kafka)) as admin:
        created = create_topics(admin, topics, replication_factor=settings.kafka.replication_factor)
        states = topic_states(admin, topics)
    if as_json:
        typer.echo(json.dumps({"created": created, "topics": [_as_dict(state) for state in states]}, indent=2))
        return
    for state in states:
        if state.wanted.name in created:
            typer.echo(f"{state.wanted.name}: created, partitions: {state.wanted.partitions}")
        else:
            typer.echo(f"{state.wanted.name}: exists{_sentence(state)}")


@app.command()
def show(kafka: KafkaAddress = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show each topic: what it carries, what it should be, what it is."""
    settings = read_settings(config, {"kafka.bootstrap": kafka})
    with open_admin(kafka_options(settings.kafka)) as admin:
        states = topic_states(admin, topic_table(settings.kafka))
    if as_json:
        typer.echo(json.dumps([_as_dict(state) for state in states], indent=2))
        return
    for state in states:
        topic = state.wanted
        found = "; ".join(state.differences()) or "as it should be"
        typer.echo(f"{topic.name}: {found}")
        typer.echo(
            f"    {topic.message.__name__} by {topic.key}, partitions: {topic.partitions}, cleanup: {topic.cleanup}, "
            f"kept {topic.retention_ms / 86_400_000:g} days. {topic.description}"
        )


@app.command()
def contract() -> None:
    """Print the AsyncAPI 3 document of all topics; asyncapi.yaml is this."""
    typer.echo(asyncapi_yaml(version("trendloom")), nl=False)


def _sentence(state: TopicState) -> str:
    differences = state.differences()
    return f", but {'; '.join(differences)}" if differences else ""


def _as_dict(state: TopicState) -> dict[str, Any]:
    topic = state.wanted
    return {
        "name": topic.name,
        "message": topic.message.__name__,
        "key": topic.key,
        "description": topic.description,
        "wanted": {"partitions": topic.partitions, "cleanup": topic.cleanup, "retention_ms": topic.retention_ms},
        "found": {
            "exists": state.exists,
            "partitions": state.partitions,
            "topic_id": state.topic_id,
            "cleanup": state.cleanup,
            "retention_ms": state.retention_ms,
        },
        "differences": state.differences(),
    }
