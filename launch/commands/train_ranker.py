"""``trendloom train ranker``: grows the trees of the preset ``learned`` from a recorded log.

What is learnt from what is in :mod:`evaluation.ranking`; this reads flags, shows progress and writes the file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from launch.log_options import ColumnMap, KnownColumns, LogFile, LogFrom, LogTo, TimeFormat

__all__ = ["ranker"]


def ranker(
    log: LogFile,
    catalogue: Annotated[Path, typer.Option(metavar="DIR", help="Catalogue directory that knows the log's items.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write the trees to, e.g. ranker.npz.")],
    columns: KnownColumns = None,
    column_map: ColumnMap = None,
    time_format: TimeFormat = None,
    from_: LogFrom = None,
    to: LogTo = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Trees at most; growing stops earlier when it no longer helps.")
    ] = 300,
    leaves: Annotated[int, typer.Option(min=2, max=255, help="Leaves of a tree.")] = 24,
    learning_rate: Annotated[float, typer.Option(min=0.001, max=1.0, help="What each tree adds.")] = 0.06,
    orders: Annotated[
        int | None,
        typer.Option(
            min=1, help="Orders in which each day goes by. Default: 4 if the log names days and no times, else 1."
        ),
    ] = None,
    season: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File of trendloom train season, which workers then need as lists.season_file."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that grow trees.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of times of day, of what is left out, and of growing.")] = 1,
) -> None:
    """Grow the trees of the preset learned from a recorded log."""
    from evaluation.ranking.growing import Growth, can_grow
    from evaluation.ranking.provenance import provenance_of
    from evaluation.ranking.rehearsal import train
    from evaluation.recorded import prepare
    from trendloom.catalogue.directory import load_catalogue
    from trendloom.errors import MissingExtra
    from trendloom.logs.columns import parse_mapping
    from trendloom.logs.event_time import parse_moment
    from trendloom.logs.read import read_log
    from trendloom.refresh.season_file import read_season
    from trendloom.relevance.learned.ranker_file import RankerFile, write_ranker

    if not can_grow():
        raise MissingExtra("Growing trees needs lightgbm. Action: pip install 'trendloom[ranking]'")
    mapping = parse_mapping(column_map or [], preset=columns, time_format=time_format)
    purchase_log = read_log(
        log,
        mapping,
        seed=seed,
        from_ms=None if from_ is None else parse_moment(from_),
        to_ms=None if to is None else parse_moment(to),
    )
    shop = load_catalogue(catalogue)
    purchases, ground = prepare(purchase_log, shop, seed=seed)
    earlier = None if season is None else read_season(season)
    if earlier is not None:
        number_of = {item_id: number for number, item_id in enumerate(ground.item_ids)}
        counts = earlier.by_number(number_of, ground.n_items)
        ground = replace(ground, features=replace(ground.features, season=counts))
    growth = Growth(rounds=rounds, leaves=leaves, learning_rate=learning_rate, threads=threads, seed=seed)
    told = 0

    def progress(done: int) -> None:
        nonlocal told
        if done * 10 // max(len(purchases), 1) > told:
            told = done * 10 // max(len(purchases), 1)
            typer.echo(f"{done:,} of {len(purchases):,} purchases", err=True)

    grown = train(purchases, ground, growth, seed=seed, orders=orders, progress=progress)
    provenance = provenance_of(grown, purchase_log, purchases, shop.fingerprint)
    if earlier is not None:
        provenance["season"] = dict(earlier.provenance)
    write_ranker(out, RankerFile(grown.forest, provenance))
    typer.echo(
        f"{out}: {grown.forest.n_trees} trees from {grown.examples:,} examples ({grown.rows:,} candidates); "
        f"NDCG@10 among the candidates of customers held out: {grown.ndcg_held_out:.3f}"
    )
    typer.echo(f"A worker lists by them with the settings lists.preset = learned and lists.ranker = {out}.")
