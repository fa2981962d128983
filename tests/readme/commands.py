"""Every command of README.md is run, or stands below with the reason why not; every command of ours that a guide names exists.

A block of ```sh is cut into commands (a trailing backslash goes on, a comment ends). Each command is run by bash as it stands in the page,
but for the address of the gateway, which is one of our own here, and `<id>`, which is the id that the command before answered. A new
command in README.md that is neither run nor named below is a failure: nobody can add one that was never tried.

Usage: python3 commands.py BINARY     last line "N passed, N failed[, N skipped]"; exit 1 when one failed
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "helm" / "README.md"]
# As the page says it; a command matches when it begins so.
RUN_ELSEWHERE = {
    "make run": "started here, below, with a binary that is built already: see `serve_as_make_run_does`",
    "make test": "this test is a part of `make ci`, which runs it",
    "make load": "a release build takes minutes: the same, in miniature and against the debug build, is `loadtest/tests/smoke.rs`, a part of `make test`",
    "make proxies": "a step of `make ci` of its own",
    "make restore-drill": "a step of `make ci` of its own",
}
NOT_RUN = {
    "docker compose": "there is no engine and no registry; `make chart` has compose itself read the file, and `make image-test` builds and starts the image",
    "curl -s 'http://localhost:9091/": "it asks the Prometheus that docker started; `make proxies` asks one the same",
    "helm ": "there is no cluster; `make chart` renders, lints and validates the chart",
    "kubectl ": "there is no cluster; `make chart` compares k8s/ with the chart",
}
# A start takes well under a second; a machine under load may need more.
START_S = 60


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """Without comments, which end a line or take all of it."""
    joined = re.sub(r"\\\n\s*", "", block)
    lines = [re.sub(r"(^|\s+)# .*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """What `make run` starts, seen from the Makefile: its recipe with the built binary in place of cargo."""

    def __init__(self, binary: str):
        self.port = free_port()
        told = subprocess.run(
            ["make", "--no-print-directory", "-n", "run", f"PORT={self.port}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        line = next(line for line in told.stdout.splitlines() if "cargo run" in line)
        recipe = line.replace("cargo run --locked", f"exec {binary}")
        if recipe == line:
            raise AssertionError(f"`make run` is no `cargo run --locked`: {line}")
        self.place = tempfile.TemporaryDirectory()
        self.log = tempfile.TemporaryFile()
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            ["bash", "-c", recipe], cwd=self.place.name, env=clean, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )

    def wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            done = subprocess.run(["curl", "-sf", "-o", "/dev/null", f"http://localhost:{self.port}/health/ready"])
            if done.returncode == 0:
                return
            time.sleep(0.1)
        self.log.seek(0)
        raise AssertionError(f"`make run` does not come up:\n{self.log.read().decode()}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=START_S)
        self.place.cleanup()
        return status


def answered(output: str) -> dict:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return {}


def run(command: str, gateway: Gateway, known: dict) -> list[str]:
    """Runs one command; what its answer says is known to the next ones."""
    here = command.replace("localhost:8080", f"localhost:{gateway.port}")
    # The binary is built already, and a start of cargo would only wait for the others that build.
    here = here.replace("cargo run --locked --quiet -- ", f"{BINARY} ")
    for name, value in known.items():
        here = here.replace(f"<{name}>", value)
    if left := re.findall(r"<\w+>", here):
        return [f"{left} is said by no answer before"]
    binary = os.path.dirname(BINARY)
    seen = {**os.environ, "PATH": f"{binary}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", here], cwd=ROOT, env=seen, capture_output=True, text=True, timeout=300)
    answer = answered(done.stdout)
    if done.returncode != 0:
        return [f"exit {done.returncode}", *(done.stdout + done.stderr).splitlines()[-10:]]
    if "code" in answer:
        return [f"it is answered with a problem: {done.stdout}"]
    if "curl" in here and not answer and "-o /dev/null" not in here:
        return [f"it is answered with no JSON: {done.stdout[:200]}"]
    for name in ("id", "token", "ws_url"):
        if name in answer:
            known.setdefault(name, str(answer[name]))
    return []


def reason(command: str, reasons: dict) -> str | None:
    return next((why for start, why in reasons.items() if command.startswith(start)), None)


def named_commands_exist() -> list[str]:
    """`make X`, `scripts/X`, `watchparty X`, wherever a page names one."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    verbs = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
    verbs = set(re.findall(r"^  ([a-z-]+)", verbs.split("Commands:")[1], re.MULTILINE))
    found = []
    for page in GUIDES:
        text, name = page.read_text(), page.relative_to(ROOT)
        code = re.findall(r"`([^`\n]+)`", text) + [line for block in blocks(page, "sh") for line in commands(block)]
        for piece in code:
            found += [f"{name}: no `make {target}`" for target in re.findall(r"^make ([a-z][a-z0-9-]*)", piece) if target not in targets]
            # In the middle of a word it is another's name, such as deploy/watchparty.
            asked = re.findall(r"^(?:\S*/)?watchparty (\S+)", piece) + re.findall(r"bin/watchparty (\S+)", piece)
            found += [f"{name}: no verb `{verb}`" for verb in asked if verb not in verbs and not verb.startswith("-") and "helm" not in piece]
            for path in re.findall(r"(?:^|\s)((?:scripts|ops|tests|docs|helm)/[\w./-]+\w)", piece):
                found += [] if (ROOT / path).exists() or "*" in piece else [f"{name}: there is no {path}"]
    return found


def links_lead_somewhere() -> list[str]:
    """Links between the pages, and the headings they name."""
    found = []
    for page in GUIDES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in target:
                continue
            path, _, heading = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.exists():
                found.append(f"{page.relative_to(ROOT)}: {target} leads nowhere")
            elif heading and there.suffix == ".md":
                heads = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
                found += [] if heading in slugs else [f"{page.relative_to(ROOT)}: no heading #{heading} in {path}"]
    return found


def main() -> int:
    passed = failed = skipped = 0

    def note(name: str, findings: list[str]) -> None:
        nonlocal passed, failed
        passed, failed = (passed, failed + 1) if findings else (passed + 1, failed)
        print("\n  ".join([f"FAILED {name}", *findings]) if findings else f"ok {name}", flush=True)

    note("every command of ours that a page names exists", named_commands_exist())
    note("links between the pages lead somewhere", links_lead_somewhere())
    gateway, known = Gateway(BINARY), {}
    try:
        gateway.wait()
        note("make run", [])
        for command in [command for block in blocks(README, "sh") for command in commands(block)]:
            if reason(command, RUN_ELSEWHERE):
                continue
            if why := reason(command, NOT_RUN):
                skipped += 1
                print(f"SKIPPED README's `{command}`: {why}", file=sys.stderr, flush=True)
                continue
            note(command if len(command) < 100 else f"{command[:97]}...", run(command, gateway, known))
    finally:
        status = gateway.end()
    note("it drains and ends", [] if status == 0 else [f"exit {status}"])
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    BINARY = str(Path(sys.argv[1]).resolve())
    sys.exit(main())
