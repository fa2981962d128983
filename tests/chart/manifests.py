"""What others say of a rendering: Kubernetes' schemas, those of custom kinds, and Helm's lint.

Each judge is shown a broken object as well, so that one who accepts everything is found. What no schema can see is in
fitting.py.
"""

import copy
import json
import subprocess

import helm_python
import kubernetes_validate

import rendering
from ledger import Skip
from place import CHART, TOOLS
from rendering import Render

# The oldest the chart allows, two between, and the newest whose schemas there are.
KUBERNETES = ("1.27", "1.30", "1.33", "1.37")
# Kinds that Kubernetes does not know; crd.mjs judges them.
CUSTOM = ("monitoring.coreos.com/", "gateway.networking.k8s.io/")


def is_custom(an_object: dict) -> bool:
    return an_object["apiVersion"].startswith(CUSTOM)


def fits_kubernetes(rendered: Render, version: str) -> list[str]:
    found = []
    for each in rendered.objects:
        if is_custom(each):
            continue
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{each['kind']} {each['metadata']['name']}: {error.message} at {list(error.path)}")
    return found


def schemas_bite() -> list[str]:
    """A misspelt field, which a schema that is not strict would let pass, is refused in each version."""
    broken = copy.deepcopy(rendering.case("default").one("Deployment"))
    broken["spec"]["template"]["spec"]["terminationGracePeriod"] = 35
    found = []
    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(broken, version, strict=True)
            found.append(f"{version} accepts a misspelt field")
        except kubernetes_validate.ValidationError:
            continue
    return found


def judge_custom(objects: list) -> list[str]:
    if not (TOOLS / "node" / "node_modules" / "@kubernetes-models").is_dir():
        raise Skip("no @kubernetes-models from npm: whether monitors, rules and routes fit their schemas is not known")
    done = subprocess.run(
        ["node", TOOLS / "node" / "crd.mjs"], input=json.dumps(objects), capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        return [f"crd.mjs: exit {done.returncode}", *done.stderr.splitlines()]
    return json.loads(done.stdout)


def custom_kinds_fit() -> list[str]:
    objects = [each for name in rendering.case_names() for each in rendering.case(name).objects if is_custom(each)]
    kinds = {each["kind"] for each in objects}
    missing = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "HTTPRoute"} - kinds
    return [f"no ci file renders {kind}" for kind in sorted(missing)] + judge_custom(objects)


def custom_schemas_bite() -> list[str]:
    monitor = rendering.case("monitoring").one("ServiceMonitor")
    misspelt, mistyped = copy.deepcopy(monitor), copy.deepcopy(monitor)
    misspelt["spec"]["endpoints"][0]["intervall"] = "15s"
    mistyped["spec"]["endpoints"] = "admin"
    return [
        f"accepted: {word}"
        for word, each in (("misspelt", misspelt), ("mistyped", mistyped))
        if not judge_custom([each])
    ]


def lint_is_quiet() -> list[str]:
    found = []
    for name in rendering.case_names():
        report = helm_python.lint(str(CHART), rendering.values_file(name), strict=True, namespace=rendering.NAMESPACE)
        # 1 is information: an icon is recommended.
        found += [f"{name}: {each['path']}: {each['error']}" for each in report["messages"] if each["severity"] > 1]
        found += [f"{name}: {error}" for error in report["errors"]]
    return found
