"""The peers' own virtual environment, ``var/bench-venv``: made when it is missing or its requirements have changed.

Peers never enter the project's dependencies: some of them ask for other versions of packages that we use, too.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["REQUIREMENTS", "WORKING", "differing_versions", "peer_python"]

REQUIREMENTS = Path(__file__).with_name("requirements-peers.txt")
#: What does the work: it must be the same in both environments.
WORKING = ("hiredis", "msgspec", "numba", "numpy", "orjson", "redis")


def peer_python(directory: Path = Path("var/bench-venv")) -> Path:
    """Return the Python of the peers' environment, made first if need be: the versions of the requirements, exactly."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    python, stamp = directory / "bin" / "python", directory / ".made-for"
    if not stamp.is_file() or stamp.read_text(encoding="ascii") != wanted:
        print(f"making {directory} for the peers (once) ...", flush=True)
        venv.create(directory, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted, encoding="ascii")
    return python.absolute()


def differing_versions(python: Path) -> dict[str, list[str]]:
    """Return the packages that both environments use and that differ in version: [ours, the peers'].

    A difference in what does the work (numpy, numba, orjson, redis ...) would make a comparison unfair.
    """
    listing = "import importlib.metadata as m; print('\\n'.join(f'{d.name}=={d.version}' for d in m.distributions()))"
    ours, theirs = (
        dict(
            line.lower().split("==", 1)
            for line in subprocess.run(
                [str(one), "-c", listing], check=True, capture_output=True, text=True
            ).stdout.splitlines()
        )
        for one in (sys.executable, python)
    )
    return {
        name: [ours.get(name, "missing"), theirs.get(name, "missing")]
        for name in sorted({*WORKING, *(ours.keys() & theirs.keys())})
        if ours.get(name) != theirs.get(name) and name not in {"pip", "setuptools", "trendloom"}
    }
