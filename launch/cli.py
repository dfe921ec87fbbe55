"""The command line: which commands there are, and what becomes of errors.

A command's module is imported when the command is called, so that ``trendloom --help`` is quick and needs neither Faust
nor torch. Each file in ``launch/commands`` holds one command: a function of the same name, or ``app`` for a group.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any

import typer
import typer.core

from trendloom.errors import TrendloomError

__all__ = ["COMMANDS", "EXIT_CODES", "app", "load_command", "main"]

#: Every command with the line that ``trendloom --help`` shows for it.
COMMANDS = {
    "demo": "Start everything on this machine and watch garments trend and lists refresh.",
    "worker": "Take purchases from Kafka, keep the state, publish refreshed lists.",
    "simulate": "Send purchases of made-up customers to Kafka.",
    "replay": "Send a recorded purchase log to Kafka, at its own pace or as fast as possible.",
    "load": "Push purchases at a fixed or stepped rate, and check and time every list that comes back.",
    "catalogue": "Build a catalogue from photos or a table, change one, or show one.",
    "classifier": "Train, judge or ask a network that says what a garment in a photo is.",
    "count": "Count the categories in a folder of photos.",
    "similar": "Find the garments that look most like a photo.",
    "serve": "Serve a page where a photo finds the garments most like it.",
    "detector": "Find garments in street photos: train, evaluate, predict.",
    "train": "Train a model from a log and measure it on what it has not seen.",
    "evaluate": "Measure the lists on a recorded log, against every baseline.",
    "paper": "Run the source paper's experiment, repaired: customers buy, networks recommend, lists are judged.",
    "recommend": "Show a customer's list, made now from the state.",
    "trends": "Show what is rising now.",
    "topics": "Create the topics, or show what they are.",
    "state": "Rebuild the state from the log, or show it.",
    "settings": "Show every setting in force and where it comes from.",
    "doctor": "Check this machine, Kafka, Redis and the catalogue, and say what to do.",
}

#: What the exit code of any command means.
EXIT_CODES = {
    0: "done",
    1: "a fault of ours; the traceback says where",
    2: "what was handed over cannot be used: a flag, a file, a setting",
    3: "Kafka or Redis does not answer",
    4: "the state cannot be trusted as it is",
    130: "interrupted",
}


def load_command(name: str) -> Any:
    """Import a command's module and return the command that Typer makes of it."""
    module = importlib.import_module(f"launch.commands.{name}")
    group = getattr(module, "app", None)
    if isinstance(group, typer.Typer):
        command: Any = typer.main.get_group(group)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(getattr(module, name))
        command = typer.main.get_command(single)
    command.name = name
    return command


class _CommandsOnCall(typer.core.TyperGroup):
    """A group that lists its commands from the table above and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return typer.core.TyperCommand(cmd_name, help=COMMANDS[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else command, rest


_EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."

app = typer.Typer(
    cls=_CommandsOnCall,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # plain tracebacks: the pretty ones print local values, secrets included
    epilog=_EPILOG,
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"trendloom {version('trendloom')}")
        raise typer.Exit


@app.callback(help="A trend-aware fashion recommender that lives on the purchase stream.")
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; an error of ours is one sentence on stderr and the exit code of its class."""
    try:
        app(prog_name="trendloom")
    except TrendloomError as error:
        typer.echo(f"trendloom: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # whoever read our output has had enough (| head); keep Python from complaining when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
