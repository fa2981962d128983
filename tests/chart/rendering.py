"""The chart rendered by Helm's own code: once per values file, for all checks to look at.

Rendering contacts no cluster: `lookup` finds nothing, and hooks are rendered like everything else.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import helm_python
import yaml

from place import CHART

RELEASE = "watchparty"
NAMESPACE = "cinema"


@dataclass(frozen=True)
class Render:
    """One rendering. `texts` is what Helm printed per template, `objects` the same parsed, in order."""

    name: str
    values: dict
    texts: dict
    objects: list

    def of_kind(self, *kinds: str) -> list:
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind: str, component: str | None = None) -> dict:
        found = [
            each
            for each in self.of_kind(kind)
            if component is None or each["metadata"]["labels"].get("app.kubernetes.io/component") == component
        ]
        assert len(found) == 1, f"{self.name}: {len(found)} objects of kind {kind}"
        return found[0]


def is_hook(an_object: dict) -> bool:
    return "helm.sh/hook" in an_object["metadata"].get("annotations", {})


def render(values: dict, name: str = "values", chart: Path = CHART) -> Render:
    """Schema and templates, as an install does them; a refusal is raised as Helm's own error."""
    with helm_python.Chart.load(str(chart)) as loaded:
        loaded.validate_schema(values)
        texts = loaded.render(values, name=RELEASE, namespace=NAMESPACE)
    texts = {path.split("/templates/", 1)[1]: text for path, text in sorted(texts.items())}
    objects = [
        document
        for path, text in texts.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    return Render(name, values, texts, objects)


def values_file(name: str) -> dict:
    return yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text()) or {}


def case_names() -> list[str]:
    return sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))


@cache
def case(name: str) -> Render:
    return render(values_file(name), name)


def pods(rendered: Render) -> list[tuple[str, dict, dict]]:
    """What runs: a word for it, the metadata of the pod, its spec."""
    found = []
    for each in rendered.objects:
        word = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] == "Pod":
            found.append((word, each["metadata"], each["spec"]))
        elif each["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            template = each["spec"]["template"]
            found.append((word, template["metadata"], template["spec"]))
    return found
