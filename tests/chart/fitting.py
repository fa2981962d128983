"""What no schema sees: that the objects of a rendering fit each other and the gateway, and that values take effect.

A selector that matches nobody, a probe on the wrong port, a grace shorter than the drain, a value that nothing reads.
"""

import json

import helm_python

import rendering
import settings
from place import CHART
from rendering import Render


def selectors_find_pods(rendered: Render) -> list[str]:
    """Everything that selects pods finds one, and every port it names is a port there."""
    found = []
    for each in rendered.of_kind("Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
        spec, who = each["spec"], f"{each['kind']} {each['metadata']['name']}"
        selector = spec["podSelector"] if "podSelector" in spec else spec["selector"]
        wanted = selector.get("matchLabels", selector)
        matched = [pod for _, metadata, pod in rendering.pods(rendered) if wanted.items() <= metadata["labels"].items()]
        found += [] if matched else [f"{who} selects nobody"]
        there = {port["name"] for pod in matched for one in pod["containers"] for port in one.get("ports", [])}
        found += [f"{who}: no port {port}" for port in ports_named(spec) if port not in there]
    return found


def ports_named(spec: dict) -> list[str]:
    """The pods' ports a Service, a PodMonitor or a NetworkPolicy's way in speaks of."""
    if "podMetricsEndpoints" in spec:
        return [end["port"] for end in spec["podMetricsEndpoints"]]
    if "policyTypes" in spec:
        return [port["port"] for rule in spec["ingress"] for port in rule["ports"]]
    return [port["targetPort"] for port in spec.get("ports", [])]


def ways_lead_to_services(rendered: Render) -> list[str]:
    """ServiceMonitor, Ingress and HTTPRoute lead to a Service and a port that are there."""
    found = []
    services = {each["metadata"]["name"]: each["spec"] for each in rendered.of_kind("Service")}
    for each in rendered.of_kind("ServiceMonitor"):
        wanted = each["spec"]["selector"]["matchLabels"]
        matched = [one for one in rendered.of_kind("Service") if wanted.items() <= one["metadata"]["labels"].items()]
        found += [] if len(matched) == 1 else [f"ServiceMonitor selects {len(matched)} Services"]
        names = [port["name"] for one in matched for port in one["spec"]["ports"]]
        found += [
            f"ServiceMonitor: no port {end['port']}" for end in each["spec"]["endpoints"] if end["port"] not in names
        ]
    for each in rendered.of_kind("Ingress"):
        backends = [path["backend"]["service"] for rule in each["spec"]["rules"] for path in rule["http"]["paths"]]
        named = {(name, port["name"]) for name, spec in services.items() for port in spec["ports"]}
        found += [f"Ingress leads to {end}" for end in backends if (end["name"], end["port"]["name"]) not in named]
    for each in rendered.of_kind("HTTPRoute"):
        backends = [end for rule in each["spec"]["rules"] for end in rule["backendRefs"]]
        open_ports = {(name, port["port"]) for name, spec in services.items() for port in spec["ports"]}
        found += [f"HTTPRoute leads to {end}" for end in backends if (end["name"], end["port"]) not in open_ports]
    return found


def life_fits(rendered: Render) -> list[str]:
    """Grace over drain, probes where they belong, the admin port off the clients' Service, volumes mounted."""
    deployment = rendered.one("Deployment", "gateway")
    spec = deployment["spec"]["template"]["spec"]
    container = spec["containers"][0]
    seen = settings.settings_map(rendered)
    development = seen.get("ENVIRONMENT") == "development"
    drain = seconds(seen.get("DRAIN_DELAY", "0" if development else "5"))
    drain += seconds(seen.get("DRAIN_WINDOW", "1" if development else "20"))
    admin = "admin" if "ADMIN_ADDR" in seen else "http"
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    services = [
        each for each in rendered.of_kind("Service") if each["metadata"]["name"] == deployment["metadata"]["name"]
    ]
    targets = [port["targetPort"] for each in services for port in each["spec"]["ports"]]
    strategy = deployment["spec"]["strategy"]
    on_memory = "REDIS_URL" not in settings.environment(rendered)
    rules = {
        f"grace is {spec['terminationGracePeriodSeconds']} s, the drain {drain} s": spec[
            "terminationGracePeriodSeconds"
        ]
        >= drain + 10,
        "startup asks readiness": probes["startup"] == {"path": "/health/live", "port": admin},
        "liveness asks elsewhere": probes["liveness"] == {"path": "/health/live", "port": admin},
        "readiness asks elsewhere": probes["readiness"] == {"path": "/health/ready", "port": "http"},
        "PORT and the container's port differ": seen["PORT"] == str(ports["http"]),
        "ADMIN_ADDR and the admin port differ": seen.get("ADMIN_ADDR", ":None").endswith(f":{ports.get('admin')}"),
        "the clients' Service shows more than the clients' port": targets == ["http"],
        "a preStop hook needs a shell": "lifecycle" not in container,
        "two pods on memory at once": not on_memory or strategy["type"] == "Recreate",
        "fewer pods than asked during a rollout": on_memory
        or strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0},
        "an HPA and replicas": ("replicas" in deployment["spec"]) != bool(rendered.of_kind("HorizontalPodAutoscaler")),
        "several pods without Redis": not on_memory or deployment["spec"].get("replicas", 2) < 2,
    }
    return [rule for rule, holds in rules.items() if not holds]


def seconds(text: str) -> float:
    """A duration of the gateway, computed apart from the chart's own sum."""
    for unit, factor in (("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)):
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * factor
    return int(text)


def values_take_effect() -> list[str]:
    """Values that could silently do nothing: each must be seen in the object it is for."""
    ha, ingress = rendering.case("redis-ha"), rendering.case("ingress")
    hpa, rules = ha.one("HorizontalPodAutoscaler")["spec"], rendering.case("monitoring").one("PrometheusRule")
    alerts = {rule["alert"]: rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    text = json.dumps(rules["spec"])
    renamed = rendering.render({"fullnameOverride": "x" * 60, "image": {"digest": "sha256:" + "0" * 64}})
    large = rendering.render(
        {"config": {"HISTORY_ENTRIES": 100000, "OUTBOX_BYTES_TOTAL": 4000000, "SESSION_TTL": 2592000}}
    )
    facts = {
        "the HPA goes down slowly": hpa["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 1800
        and hpa["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}],
        "the HPA goes up at once": hpa["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 0,
        "both metrics": [each["type"] for each in hpa["metrics"]] == ["Resource", "Pods"],
        "minAvailable": ha.one("PodDisruptionBudget")["spec"].get("minAvailable") == 2,
        "Redis' port from its address": ha.one("NetworkPolicy")["spec"]["egress"][1]["ports"][0]["port"] == 6380,
        "a tunnel is the only way in": peers(rendering.case("tunnel")) == ["cloudflared", "test"],
        "everyone is let in where nobody is named": peers(rendering.case("monitoring")) == [],
        "the CA": settings.settings_map(ha)["REDIS_CA_FILE"] == "/etc/watchparty/redis-ca/ca.crt",
        "common labels": all(each["metadata"]["labels"]["team"] == "streaming" for each in ha.objects),
        "the name": ingress.one("Deployment", "gateway")["metadata"]["name"] == "cinema",
        "names stay short": all(len(each["metadata"]["name"]) <= 63 for each in renamed.objects),
        "the digest": settings.gateway(renamed)["image"].endswith("@sha256:" + "0" * 64),
        "an alert left out": "WatchPartyTooSlow" not in alerts and len(alerts) > 10,
        "another `for`": alerts["WatchPartyRedisSlow"]["for"] == "15m",
        "labels of alerts": all(
            each["labels"]["team"] == "streaming" and each["labels"]["severity"] for each in alerts.values()
        ),
        "the runbook's page": "https://runbooks.example.org/watchparty#watchpartyredisdown" in text
        and "github.com" not in text,
        "the job": f'job=\\"{rendering.RELEASE}\\"' in text,
        "large numbers as digits": {"100000", "4000000", "2592000"} <= set(settings.settings_map(large).values()),
        "a secret of its own": "JWT_SECRET" in rendering.case("default").one("Secret")["data"],
    }
    return [fact for fact, holds in facts.items() if not holds]


def peers(rendered: Render) -> list[str]:
    """The components that may reach the clients' port."""
    rule = rendered.one("NetworkPolicy")["spec"]["ingress"][0]
    return [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule.get("from", [])]


def job_follows_the_release() -> list[str]:
    with helm_python.Chart.load(str(CHART)) as chart:
        text = chart.render({"prometheusRule": {"enabled": True}}, name="cinema")[
            "watchparty/templates/prometheusrule.yaml"
        ]
    return [] if 'job="cinema"' in text and 'job="watchparty"' not in text else ["the rules keep another release's job"]
