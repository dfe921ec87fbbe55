"""``trendloom train MODEL``: each model is trained in a file of its own beside this one, which only lists them."""

from __future__ import annotations

import typer

from launch.commands import train_ranker

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Train a model from a log and measure it on what it has not seen.")
app.command("ranker")(train_ranker.ranker)


@app.callback()
def _group() -> None:
    pass
