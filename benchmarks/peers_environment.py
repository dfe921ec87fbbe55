"""The peers' own virtual environment, ``var/bench-venv``: made when it is missing or its requirements have changed.

Peers never enter the project's dependencies: some of them ask for other versions of packages that we use, too.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["REQUIREMENTS", "peer_python"]

REQUIREMENTS = Path(__file__).with_name("requirements-peers.txt")


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
