"""``trendloom serve``: the page "find similar to this photo" and its HTTP endpoint, for this machine only.

Needs the extra ``dashboard``; a photo of one's own also ``vision``. Read next: :mod:`finder.page`.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launch.options import CatalogueDirectory, ConfigFile, read_settings
from trendloom.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from trendloom.similar import Similar

__all__ = ["serve"]

_MOST_CONNECTIONS = 32


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any free one.")] = 8090,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; any other lets other machines in.")
    ] = "127.0.0.1",
    classifier: Annotated[
        str, typer.Option(metavar="FILE", help="What label-aware search asks: a checkpoint, or cc0, which ships.")
    ] = "cc0",
    weights: Annotated[
        str, typer.Option(metavar="FILE", help="Weights of the catalogue's network, where no package has them.")
    ] = "",
    catalogue: CatalogueDirectory = None,
    config: ConfigFile = None,
) -> None:
    """Serve a page where a photo finds the garments most like it, until Ctrl-C; nothing leaves this machine."""
    try:
        import uvicorn

        from finder.page import LOCAL_HOSTS, build_page
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"The page needs {error.name}, which is not installed. Action: pip install 'trendloom[dashboard]'."
        ) from error
    from trendloom.similar import Similar

    settings = read_settings(config, {"catalogue.directory": catalogue})
    search = Similar.open(settings.catalogue.directory or None, classifier=classifier, weights=weights)
    hosts = LOCAL_HOSTS if host in {"127.0.0.1", "localhost", "::1"} else ("*",)
    server = uvicorn.Server(
        uvicorn.Config(
            build_page(search, hosts=hosts),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
    )
    threading.Thread(target=_warm_up, args=(search,), name="warm-up", daemon=True).start()
    with _bound(server.config) as listening:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"{len(search)} garments at http://{shown}:{listening.getsockname()[1]}/ (Ctrl-C ends)")
        server.run(sockets=[listening])


def _warm_up(search: Similar) -> None:
    # what cannot be loaded is said to whoever sends a photo; samples work without it
    with contextlib.suppress(InputError):
        search.warm_up()


def _bound(config: Any) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
        listening.listen(_MOST_CONNECTIONS)  # from now on who connects waits, and is not sent away
    except OSError as error:
        listening.close()
        raise InputError(
            f"Nothing can listen on {config.host} port {config.port} ({error.strerror}). Action: name another --port."
        ) from error
    return listening
