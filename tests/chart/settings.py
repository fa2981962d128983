"""Settings in the chart are the gateway's settings: the same names, and values that the gateway itself accepts.

Names are compared with the table of docs/OPERATIONS.md and with .env.example; values are given to the gateway's own
`check-config`, so that no form is described twice.
"""

import json
import re
import subprocess

import documented
import rendering
from ledger import Skip
from place import BINARY, CHART, ROOT

# Settings that are no secret and yet not under `config`, each with the reason.
ELSEWHERE = {
    "PORT": "ports.http, as the container's port must be the same",
    "REDIS_ADDR": "redis.url says it, and with a scheme",
    "REDIS_CA_FILE": "redis.caSecret mounts it",
}
# What a Secret would hold. The gateway refuses placeholders, so these look random; they open nothing.
SECRETS = {
    "JWT_SECRET": "Zk3vQ8wX1rT6yU0pLmN4bVcD7sGhJ2fK9aEo5iRt",
    "REDIS_URL": "redis://:Zk3vQ8wX1rT6@redis.data.svc:6379",
    "REDIS_PASSWORD": "Zk3vQ8wX1rT6",
}


def schema_names_every_setting() -> list[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    offered = set(schema["properties"]["config"]["properties"])
    wanted = {name for name, secret in documented.settings().items() if not secret} - ELSEWHERE.keys()
    inline = set(schema["properties"]["auth"]["properties"]["inline"]["properties"])
    found = [f"helm/values.schema.json: config lacks {name}" for name in sorted(wanted - offered)]
    found += [
        f"helm/values.schema.json: config has {name}, which is no open setting" for name in sorted(offered - wanted)
    ]
    found += [f"auth.inline has {name}, which is no secret" for name in sorted(inline) if not is_secret(name)]
    return found


def is_secret(name: str) -> bool:
    return documented.settings().get(name, False)


def gateway(rendered: rendering.Render) -> dict:
    return rendered.one("Deployment", "gateway")["spec"]["template"]["spec"]["containers"][0]


def settings_map(rendered: rendering.Render) -> dict:
    name = gateway(rendered)["envFrom"][0]["configMapRef"]["name"]
    return next(each["data"] for each in rendered.of_kind("ConfigMap") if each["metadata"]["name"] == name)


def names_exist(rendered: rendering.Render) -> list[str]:
    example = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    extra = {each["name"] for each in rendered.values.get("extraEnv", [])}
    found = []
    for name in settings_map(rendered):
        known = name in documented.settings() and name in example
        found += [] if known else [f"{name} is no setting of the gateway"]
        # An address without a password is no secret, whatever it is called.
        open_value = not is_secret(name) or (name == "REDIS_URL" and "@" not in settings_map(rendered)[name])
        found += [] if open_value else [f"{name} is a secret and stands in a ConfigMap"]
    for each in gateway(rendered)["env"]:
        if each["name"] in extra:
            continue
        found += [] if is_secret(each["name"]) else [f"{each['name']} is no secret and comes from a Secret"]
        found += [f"{each['name']} is a plain value"] if "value" in each else []
    return found


def environment(rendered: rendering.Render) -> dict:
    """What the container would see, with stand-ins for Secrets."""
    seen = dict(settings_map(rendered))
    for each in gateway(rendered)["env"]:
        reference = each.get("valueFrom", {}).get("secretKeyRef")
        if reference and each["name"] in SECRETS and not reference.get("optional"):
            seen[each["name"]] = SECRETS[each["name"]]
    return seen


def run_verb(arguments: list[str], seen: dict) -> subprocess.CompletedProcess:
    if not BINARY.is_file():
        raise Skip(f"no gateway at {BINARY}: run `cargo build`; whether it accepts these settings is not known")
    return subprocess.run([BINARY, *arguments], env=seen, cwd="/", capture_output=True, text=True, timeout=60)


def gateway_accepts(rendered: rendering.Render) -> list[str]:
    seen = environment(rendered)
    if "REDIS_CA_FILE" in seen:
        seen["REDIS_CA_FILE"] = "/etc/ssl/certs/ca-certificates.crt"
    done = run_verb(["check-config"], seen)
    return [] if done.returncode == 0 else [f"exit {done.returncode}", *(done.stdout + done.stderr).splitlines()]


def gateway_refuses_what_is_wrong() -> list[str]:
    """The check above can fail at all."""
    seen = environment(rendering.case("default")) | {"DRAIN_WINDOW": "soon"}
    done = run_verb(["check-config"], seen)
    told = done.returncode == 2 and "DRAIN_WINDOW" in done.stdout + done.stderr
    return [] if told else [f"exit {done.returncode}: {done.stdout}{done.stderr}"]
