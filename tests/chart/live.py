"""A running gateway, asked what the chart asks: the probes' paths, the test pod's verb, the series of rules and panels.

It listens on loopback alone, on memory, with the chart's default settings but ports of its own.
"""

import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager

import rendering
import settings
import watching
from ledger import Skip
from place import BINARY

# A start takes well under a second; a machine under load may need more.
START_S = 30


@contextmanager
def gateway():
    """A gateway on memory with the chart's default settings but ports of its own: (public, admin) base addresses."""
    if not BINARY.is_file():
        raise Skip(f"no gateway at {BINARY}: run `cargo build`; its page is not looked at")
    ports = [free_port(), free_port()]
    seen = settings.environment(rendering.case("default")) | {
        "HOST": "127.0.0.1",
        "PORT": str(ports[0]),
        "ADMIN_ADDR": f"127.0.0.1:{ports[1]}",
        "DRAIN_DELAY": "0",
        "DRAIN_WINDOW": "0",
    }
    with tempfile.TemporaryFile() as log:
        node = subprocess.Popen([BINARY, "serve"], env=seen, cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            public, admin = (f"http://127.0.0.1:{port}" for port in ports)
            wait_for(node, f"{public}/health/ready", log)
            yield public, admin
        finally:
            node.terminate()
            node.wait(timeout=START_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(node: subprocess.Popen, url: str, log) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and node.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    log.seek(0)
    raise AssertionError(f"the gateway did not come up:\n{log.read().decode()}")


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def gateway_agrees() -> list[str]:
    """Probes, the test pod's verb and the metrics, asked of a running gateway as the chart would ask them."""
    tester = rendering.case("default").one("Pod")["spec"]["containers"][0]["args"]
    found = []
    with gateway() as (public, admin):
        for probe, base in (("/health/live", admin), ("/health/ready", public)):
            read(base + probe)
        done = settings.run_verb([*tester[:-1], public], {})
        found += [] if done.returncode == 0 else [f"the test pod's command: {done.stdout}{done.stderr}"]
        page = read(f"{admin}/metrics")
    exposed = set(re.findall(r"^(\w+)", page, re.MULTILINE))
    for place, expression in watching.expressions().items():
        names = {one.name for one in watching.selectors(expression)} - {"up"}
        found += [f"{place}: the page has no {name}" for name in names if ":" not in name and name not in exposed]
    return found + watching.run_promtool("check", "metrics", text=page)
