"""What the chart refuses, each with the values that provoke it and words of the sentence that must come back.

Two gates: the schema (names and forms) and templates/_validate.tpl (combinations). Each case is the smallest change to
values that would have rendered.
"""

import json
import re
from functools import cache

import helm_python

import rendering
from place import CHART

REDIS = {"redis": {"url": "redis://redis:6379"}}
TUNNEL = {"cloudflared": {"enabled": True, "existingSecret": "tunnel"}}
HPA = {**REDIS, "autoscaling": {"enabled": True}}

# name: (values, words of the refusal)
COMBINATIONS = {
    "several nodes on memory": ({"replicaCount": 2}, "replicaCount above 1 needs Redis"),
    "autoscaling on memory": ({"autoscaling": {"enabled": True}}, "autoscaling.enabled needs Redis"),
    "two kinds of Redis": ({"redis": {"url": "redis://r:6379", "demo": {"enabled": True}}}, "two different Redis"),
    "a Secret and the demo": ({"redis": {"existingSecret": "r", "demo": {"enabled": True}}}, "two different Redis"),
    "a password in values": ({"redis": {"url": "redis://:pw@r:6379"}}, "must hold no user or password"),
    "a CA without TLS": ({"redis": {"url": "redis://r:6379", "caSecret": "ca"}}, "redis.caSecret needs TLS"),
    "a CA without Redis": ({"redis": {"caSecret": "ca"}}, "redis.caSecret needs TLS"),
    "a promise memory cannot keep": ({"config": {"DURABILITY": "aof"}}, "config.DURABILITY aof needs Redis"),
    "replicas without Redis": ({"config": {"DURABILITY": "replicated"}}, "DURABILITY replicated needs Redis"),
    "grace under the drain": ({"terminationGracePeriodSeconds": 34}, "must be at least 35"),
    "grace under a longer drain": (
        {"terminationGracePeriodSeconds": 70, "config": {"DRAIN_DELAY": "500ms", "DRAIN_WINDOW": "1m"}},
        "must be at least 71",
    ),
    "an admin listener nobody reaches": ({"config": {"ADMIN_ADDR": "127.0.0.1:9090"}}, "out of the kubelet's reach"),
    "one port twice": ({"config": {"ADMIN_ADDR": "0.0.0.0:8080"}}, "name the same port"),
    "more connections than memory": (
        {"config": {"CONNECTIONS_MAX": 60000}},
        "resources.limits.memory must be at least",
    ),
    "an HPA without a metric": (
        {**REDIS, "autoscaling": {"enabled": True, "targetCPU": None}},
        "autoscaling needs a metric",
    ),
    "an HPA upside down": (
        {**REDIS, "autoscaling": {"enabled": True, "minReplicas": 11}},
        "minReplicas is above autoscaling.maxReplicas",
    ),
    "an HPA without resources": ({**HPA, "resources": {"requests": {"cpu": None}}}, "which is not set"),
    "both bounds of a PDB": ({"pdb": {"minAvailable": 1}}, "exclude each other"),
    "an Ingress without hosts": ({"ingress": {"enabled": True}}, "ingress.enabled needs ingress.hosts"),
    "a route without a gateway": ({"httpRoute": {"enabled": True}}, "httpRoute.enabled needs httpRoute.parentRefs"),
    "a header nobody is trusted with": (
        {"config": {"CLIENT_IP_HEADER": "x-real-ip"}},
        "config.CLIENT_IP_HEADER needs config.TRUSTED_PROXIES",
    ),
    "a tunnel without a token": ({"cloudflared": {"enabled": True}}, "needs cloudflared.existingSecret"),
    "a tunnel that hides everyone": (TUNNEL, "all visitors share one address"),
    "a tunnel with the wrong header": (
        {**TUNNEL, "config": {"TRUSTED_PROXIES": "10.0.0.0/8", "CLIENT_IP_HEADER": "x-forwarded-for"}},
        "all visitors share one address",
    ),
    "every origin in production": ({"config": {"ALLOWED_ORIGINS": "https://a.example, *"}}, "must name origins"),
    "two sources of secrets": (
        {"auth": {"existingSecret": "a", "inline": {"TURN_SECRET": "x"}}},
        "auth.existingSecret and auth.inline exclude each other",
    ),
    "a secret in plain sight": (
        {"extraEnv": [{"name": "SERVER_API_KEYS", "value": "x"}]},
        "extraEnv: SERVER_API_KEYS is a secret",
    ),
    "a setting said twice": (
        {"extraEnv": [{"name": "DRAIN_DELAY", "value": "1"}]},
        "DRAIN_DELAY has a value of its own",
    ),
    "a monitor without a port": (
        {"config": {"ADMIN_ADDR": ""}, "serviceMonitor": {"enabled": True}},
        "scrape the admin port",
    ),
    "every pod scraped twice": (
        {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}},
        "count every pod twice",
    ),
}

# What the schema alone refuses.
SCHEMA = {
    "a misspelt setting": ({"config": {"DRAIN_DELY": 5}}, "DRAIN_DELY"),
    "a secret among the settings": ({"config": {"JWT_SECRET": "x"}}, "JWT_SECRET"),
    "a misspelt value": ({"replicas": 3}, "replicas"),
    "an address that is none": ({"redis": {"url": "redis+cluster://a:1"}}, "url"),
    "a number that is none": ({"replicaCount": "two"}, "replicaCount"),
    "a rate that is none": ({"config": {"RATE_LIMIT_JOIN": "60 per minute"}}, "RATE_LIMIT_JOIN"),
    "a privileged port": ({"ports": {"http": 80}}, "http"),
    "a short secret": ({"auth": {"inline": {"JWT_SECRET": "short"}}}, "JWT_SECRET"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "digest"),
}


def refusal_of(values: dict) -> str | None:
    """The sentence, or None when it renders."""
    return asked(json.dumps(values))


@cache
def asked(values: str) -> str | None:
    try:
        rendering.render(json.loads(values))
    except helm_python.HelmError as refusal:
        return str(refusal)
    return None


def refused(values: dict, words: str) -> list[str]:
    refusal = refusal_of(values)
    if refusal is None:
        return ["it renders"]
    return [] if words in refusal else [f"refused in other words: {refusal}"]


def every_sentence_is_provoked() -> list[str]:
    """No `fail` of the templates without a case above."""
    text = (CHART / "templates" / "_validate.tpl").read_text()
    sentences = re.findall(r'fail \(?(?:printf )?"([^"]+)"', text)
    refusals = [refusal_of(values) or "" for values, _ in COMBINATIONS.values()]
    found = [] if len(sentences) == text.count("fail ") else ["a fail whose sentence cannot be read"]
    for sentence in sentences:
        shape = re.compile(re.escape(sentence).replace("%s", ".+").replace("%d", "[0-9]+"))
        found += [] if any(shape.search(each) for each in refusals) else [f"nobody provokes: {sentence}"]
    return found
