#!/usr/bin/env python3
"""What the gateway's memory comes to under each allocator: idle, after four fifths went, after a large broadcast.

Measured, not judged. Each allocator is put under the same release binary by LD_PRELOAD, so nothing but the allocator differs; the system's is
the one without. Everything runs on loopback and ends by itself. Resident memory is what the kernel says (/proc/<pid>/status).

    benches/allocators/measure.py [--connections 8000] [--gateway target/release/watchparty] [--rounds 3]
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import urllib.request

ALLOCATORS = {
    "system": {},
    "system, two arenas": {"MALLOC_ARENA_MAX": "2"},
    "jemalloc": {"LD_PRELOAD": "libjemalloc.so.2", "MALLOC_CONF": "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0"},
    "mimalloc": {"LD_PRELOAD": "libmimalloc.so.2"},
}
SETTINGS = {
    "ENVIRONMENT": "development",
    "HOST": "127.0.0.1",
    "PORT": "0",
    "JWT_SECRET": "allocator-bench-only-0123456789-abcdefgh",
    "BCRYPT_COST": "4",
    "LOG_FORMAT": "json",
    "CONNECTIONS_PER_ADDRESS": "50000",
    "CONNECTIONS_PENDING_PER_ADDRESS": "50000",
    "DRAIN_DELAY": "0",
    "DRAIN_WINDOW": "0",
    **{f"RATE_LIMIT_{what}": "off" for what in "CREATE JOIN LOOKUP PUBLISH CONNECT JOIN_FAILURES MESSAGES SIGNALS BYTES".split()},
}
ROOM = 10  # people in a room
PASSWORD = "allocate allocate"
BROADCAST = 60_000  # bytes of the text that every room is told, just under the largest message
SETTLE = 3  # seconds after each change: longer than any decay above


class Gateway:
    def __init__(self, binary, extra):
        environment = {**SETTINGS, **extra}
        self.process = subprocess.Popen([binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            said = json.loads(line) if line.startswith("{") else {}
            fields = said.get("fields", said)
            if fields.get("message") == "listening":
                self.host, port = fields["addr"].rsplit(":", 1)
                self.port = int(port)
                return
        sys.exit("the gateway did not start")

    def resident(self):
        """KiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def post(self, path, body):
        url = f"http://{self.host}:{self.port}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def accepted(self):
        with urllib.request.urlopen(f"http://{self.host}:{self.port}/metrics") as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith('watchparty_entries_total{result="accepted"'))

    def tickets(self, people):
        for _ in range(people // ROOM):
            made = self.post("/api/sessions/create", {"name": "Allocators", "password": PASSWORD, "max_participants": ROOM})
            yield made["id"], made["token"]
            for _ in range(ROOM - 1):
                joined = self.post("/api/sessions/join", {"session_id": made["id"], "password": PASSWORD})
                yield made["id"], joined["token"]


async def connect(gateway, ticket):
    session, token = ticket
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port, limit=1 << 16)
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        f"GET /ws/{session} HTTP/1.1", "Host: bench", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13", f"Authorization: Bearer {token}", "", "",
    ]
    writer.write("\r\n".join(head).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in answer.splitlines()[0]:
        sys.exit(f"refused: {answer.splitlines()[0]!r}")
    reading = asyncio.ensure_future(drain(reader))
    return writer, reading


async def drain(reader):
    try:
        while await reader.read(1 << 16):
            pass
    except (ConnectionError, OSError):
        pass


def text_frame(message):
    payload = json.dumps(message).encode()
    mask = b"\0\0\0\0"
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + mask + payload


async def measure(binary, extra, people):
    gateway = Gateway(binary, extra)
    # A full pipe would hold log lines back, not the gateway; read, it costs what a log costs.
    log = asyncio.get_running_loop().run_in_executor(None, gateway.process.stdout.read)
    try:
        tickets = list(gateway.tickets(people))
        empty = gateway.resident()
        connections = []
        for first in range(0, len(tickets), 50):
            connections += await asyncio.gather(*(connect(gateway, ticket) for ticket in tickets[first : first + 50]))
        await asyncio.sleep(SETTLE)
        idle = gateway.resident()
        message = {"type": "event", "n": 1, "data": {"topic": "large", "body": "x" * BROADCAST}}
        speakers = connections[:: ROOM * 10]
        for writer, _ in speakers:
            writer.write(text_frame(message))
        await asyncio.sleep(SETTLE)
        if gateway.accepted() != len(speakers):
            sys.exit("not every broadcast was accepted")
        told = gateway.resident()
        staying = len(connections) // 5
        for writer, _ in connections[staying:]:
            writer.close()
        # A seat is held for half a minute after its connection went, and its room as long again.
        await asyncio.sleep(75)
        left = gateway.resident()
        for writer, reading in connections[:staying]:
            writer.close()
            reading.cancel()
        return {"per connection": (idle - empty) / len(connections), "idle": idle, "told": told, "left": left}
    finally:
        gateway.process.terminate()
        gateway.process.wait()
        await log


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=8000)
    parser.add_argument("--gateway", default="target/release/watchparty")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{options.connections} connections in rooms of {ROOM}; one room in ten is then told {BROADCAST} bytes; four in five go")
    print(f"{'allocator':<22}{'KiB each':>10}{'idle MiB':>10}{'told MiB':>10}{'left MiB':>10}")
    for name, extra in ALLOCATORS.items():
        rounds = [asyncio.run(measure(options.gateway, extra, options.connections)) for _ in range(options.rounds)]
        median = {what: statistics.median(each[what] for each in rounds) for what in rounds[0]}
        mib = [median[what] / 1024 for what in ("idle", "told", "left")]
        print(f"{name:<22}{median['per connection']:>10.2f}{mib[0]:>10.1f}{mib[1]:>10.1f}{mib[2]:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
