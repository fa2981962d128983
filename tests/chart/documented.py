"""The tables of docs/OPERATIONS.md, which tests/docs.rs holds to the code: settings and metrics by name.

Reading the page keeps these checks free of a build; that the page is the code is shown elsewhere.
"""

import re
from dataclasses import dataclass
from functools import cache

from place import ROOT


@dataclass(frozen=True)
class Metric:
    kind: str
    labels: dict


def page() -> str:
    return (ROOT / "docs" / "OPERATIONS.md").read_text()


def rows(name: str) -> list[list[str]]:
    """The cells of the table between `<!-- NAME -->` and `<!-- /NAME -->`, without its two head lines."""
    table = page().split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.strip().splitlines()[2:]]


@cache
def settings() -> dict[str, bool]:
    """Each setting, and whether it is a secret."""
    return {row[0].split("`")[1]: "★" in row[0] for row in rows("settings")}


@cache
def metrics() -> dict[str, Metric]:
    found = {}
    for name, kind, labels, _ in rows("metrics"):
        pairs = [pair.split(":", 1) for pair in labels.split(";") if pair.strip()]
        found[name.strip("`")] = Metric(kind, {label.strip(): values.split() for label, values in pairs})
    return found


def alert_headings() -> list[str]:
    return re.findall(r"^### (WatchParty\w+)$", page(), re.MULTILINE)
