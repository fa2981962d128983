"""Where things are: the repository, the tools that `make chart` installed, the gateway's binary.

Nothing here installs anything; scripts/install-chart-tools.sh does, and what it could not get is absent here.
"""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TOOLS = TARGET / "chart"
BINARY = Path(os.environ.get("WATCHPARTY_BINARY", TARGET / "debug" / "watchparty"))


def tool(name: str) -> Path | None:
    """The one we installed, else the machine's own."""
    for place in (TOOLS / "bin" / name, TOOLS / "python" / "bin" / name):
        if place.is_file():
            return place
    found = shutil.which(name)
    return Path(found) if found else None
