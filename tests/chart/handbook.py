"""helm/README.md lists every value of values.yaml with its default and its comment.

The table is made of the `# --` lines; `make k8s` rewrites it. A value without such a line, and not inside one that has
it, is a finding.
"""

import json
import re

import yaml

from place import CHART, ROOT

OPEN, CLOSE = "<!-- values -->\n", "<!-- /values -->"
# Longer defaults are looked up in values.yaml.
DEFAULT_CHARS = 60


def described() -> dict[str, str]:
    """Path of each value that has a `# --` line, and that line."""
    found, path, pending = {}, [], None
    for line in (CHART / "values.yaml").read_text().splitlines():
        comment = re.match(r" *# -- (.+)", line)
        key = re.match(r"( *)([A-Za-z_][\w]*):", line)
        if comment:
            pending = comment[1]
        elif key and (len(key[1]) // 2 <= len(path)):
            path = [*path[: len(key[1]) // 2], key[2]]
            if pending:
                found[".".join(path)] = pending
                pending = None
    return found


def leaves(value: object, path: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}" if path else key)]
    return [path]


def at(values: dict, path: str) -> object:
    for key in path.split("."):
        values = values[key]
    return values


def table() -> str:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    for path, meaning in described().items():
        default = json.dumps(at(values, path), ensure_ascii=False)
        shown = f"`{default}`" if len(default) <= DEFAULT_CHARS else "see values.yaml"
        lines.append(f"| `{path}` | {shown} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def every_value_is_described() -> list[str]:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = described()
    covered = lambda leaf: any(leaf == path or leaf.startswith(f"{path}.") for path in rows)
    return [f"values.yaml: {leaf} has no `# --` line" for leaf in leaves(values) if not covered(leaf)]


def page_has_the_table() -> list[str]:
    text = (CHART / "README.md").read_text()
    return [] if text.split(OPEN)[1].split(CLOSE)[0] == table() else ["helm/README.md differs: run `make k8s`"]


def versions_agree() -> list[str]:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "([^"]+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    return [] if chart["appVersion"] == version else [f"appVersion is {chart['appVersion']}, Cargo.toml says {version}"]


def write() -> None:
    page = CHART / "README.md"
    head, rest = page.read_text().split(OPEN)
    page.write_text(head + OPEN + table() + CLOSE + rest.split(CLOSE)[1])
