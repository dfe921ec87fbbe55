"""``trendloom train``: a model from a log; one command for each kind of model, each in a module of its own."""

from __future__ import annotations

import typer

from launch.commands import train_ncf, train_ranker, train_season

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Train a model from a log and measure it on what it has not seen.")
app.command("gmf")(train_ncf.gmf)
app.command("mlp")(train_ncf.mlp)
app.command("neumf")(train_ncf.neumf)
app.command("image-mlp")(train_ncf.image_mlp)
app.command("ranker")(train_ranker.ranker)
app.command("season")(train_season.season)
