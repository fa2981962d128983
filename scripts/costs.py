#!/usr/bin/env python3
"""Measures what scripts/scaling.py reckons with and no other benchmark shows: what arrivals, idle sockets, a second node and Redis' own
listeners cost, in microseconds of processor time and bytes of memory.

Usage: costs.py [--people 8000] [--room 10]      needs redis-server, a release gateway (WATCHPARTY_BINARY, else the target directory's), open files

Real gateways of one worker thread and a real Redis on loopback; this process is everybody who connects. Time is what the kernel says a process was
on a processor (schedstat), so waiting for a busy machine is not in it, but caches that others use are. It judges nothing.
"""

import argparse
import base64
import contextlib
import glob
import hashlib
import hmac
import http.client
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

SECRET = "costs-" + uuid.uuid4().hex + uuid.uuid4().hex
IDLE_S = 30  # seconds over which silence is measured; a ping comes each 25 s
SETTLE_S = 15  # before that: the beats and pings that arrivals began
ENTRIES = 1500  # entries of a round, one under way; fewer than a log keeps are counted for their memory
KEPT = 900
TEXT, PING, PONG, MASKED = 0x81, 0x89, 0x8A, 0x80


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server of ours, and what it spent."""

    def __init__(self, arguments: list[str], environment: dict[str, str] | None = None):
        self.process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def micros(self, main_only: bool = False) -> float:
        """Of all threads, or of the first."""
        pid = self.process.pid
        threads = [f"/proc/{pid}/task/{pid}"] if main_only else glob.glob(f"/proc/{pid}/task/*")
        return sum(int(Path(thread, "schedstat").read_text().split()[0]) for thread in threads) / 1000

    def resident_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


class Redis(Process):
    """A Redis with an append-only file synced each second, that never rewrites it."""

    def __init__(self, directory: str):
        self.port = free_port()
        settings = ["--appendonly", "yes", "--save", "", "--auto-aof-rewrite-percentage", "0", "--maxmemory-policy", "noeviction"]
        super().__init__(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", directory, *settings])
        reached(self.port)

    def main(self) -> float:
        return self.micros(main_only=True)

    def memory(self) -> int:
        with Wire(self.port) as wire:
            wire.send(resp("INFO", "memory"))
            told = wire.until(b"used_memory_peak:").decode()
        return next(int(line.split(":")[1]) for line in told.splitlines() if line.startswith("used_memory:"))


class Gateway(Process):
    """A node that limits nobody and hashes cheaply: neither is what is measured."""

    def __init__(self, binary: str, redis: Redis | None):
        self.port = free_port()
        off = ["CREATE", "CONNECT", "MESSAGES", "BYTES"]
        environment = {
            "PATH": os.environ["PATH"], "ENVIRONMENT": "development", "HOST": "127.0.0.1", "PORT": str(self.port), "WORKER_THREADS": "1",
            "LOG_LEVEL": "error", "JWT_SECRET": SECRET, "BCRYPT_COST": "4", "CONNECTIONS_PER_ADDRESS": "50000",
            "CONNECTIONS_PENDING_PER_ADDRESS": "5000", **{f"RATE_LIMIT_{name}": "off" for name in off},
        }
        if redis:
            environment["REDIS_URL"] = f"redis://127.0.0.1:{redis.port}"
        super().__init__([binary], environment)
        reached(self.port)
        self.api = http.client.HTTPConnection("127.0.0.1", self.port)
        deadline = time.monotonic() + 10
        while self.ask("GET", "/health/ready")[0] != 200:
            if time.monotonic() > deadline:
                sys.exit("the gateway is not ready after 10 s")
            time.sleep(0.05)

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, bytes]:
        self.api.request(method, path, json.dumps(body) if body else None, {"content-type": "application/json"})
        answer = self.api.getresponse()
        return answer.status, answer.read()

    def create(self, seats: int) -> str:
        status, body = self.ask("POST", "/api/sessions/create", {"name": "Movie night", "password": "popcorn", "max_participants": seats})
        if status != 201:
            sys.exit(f"a session was not created: {body!r}")
        return json.loads(body)["id"]


class Wire:
    """A connection, read until something comes."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, *wanted: bytes) -> bytes:
        got = b""
        while not all(each in got for each in wanted):
            more = self.socket.recv(65536)
            if not more:
                sys.exit(f"a connection ended after {got[-200:]!r}")
            got += more
        return got

    def drain(self) -> None:
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(1 << 20):
                pass
        self.socket.settimeout(10)


def reached(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), Wire(port):
            return
        time.sleep(0.02)
    sys.exit(f"nobody listens on port {port} after 10 s")


def resp(*words: str) -> bytes:
    return b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)])


def token(session: str) -> str:
    """As the gateway would sign it, so that nobody's password is in the figures."""
    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now, key = int(time.time()), SECRET.encode()
    kid = hmac.new(key, b"kid", hashlib.sha256).hexdigest()[:8]
    claims = {
        "iss": "watchparty", "aud": "watchparty", "sub": str(uuid.uuid4()), "sid": session, "role": "member", "name": "Ada",
        "iat": now, "exp": now + 3600, "jti": str(uuid.uuid4()),
    }
    signed = part(json.dumps({"typ": "JWT", "alg": "HS256", "kid": kid}).encode()) + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.new(key, signed, hashlib.sha256).digest())).decode()


def sit(gateway: Gateway, session: str, bearer: str) -> Wire:
    """Connects and waits for `welcome`."""
    wire = Wire(gateway.port)
    wire.send(
        f"GET /ws/{session} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()
    )
    wire.until(b'"type":"welcome"')
    return wire


def frame(message: dict) -> bytes:
    """A masked text frame; its key is zero, which costs the reader as much as any."""
    payload = json.dumps(message).encode()
    if len(payload) > 125:
        sys.exit("a frame with a short length is meant")
    return bytes([TEXT, MASKED | len(payload), 0, 0, 0, 0]) + payload


def silence(wires: list[Wire], seconds: float) -> int:
    """Answers pings for so long; how many there were."""
    pings, end = 0, time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire.socket, selectors.EVENT_READ)
        while time.monotonic() < end:
            for ready, _ in selector.select(0.1):
                got = ready.fileobj.recv(65536)
                if got[:1] == bytes([PING]):
                    pings += 1
                    length = got[1]
                    ready.fileobj.sendall(bytes([PONG, MASKED | length, 0, 0, 0, 0]) + got[2:2 + length])
    return pings


def say(what: str, value: float, unit: str = "µs") -> None:
    print(f"| {what} | {value:.{0 if value >= 100 else 1}f} {unit} |", flush=True)


def crowd(binary: str, people: int, room: int, redis: Redis | None) -> None:
    """Arrivals, then silence, in rooms of so many."""
    where = "with Redis" if redis else "on memory"
    rooms = people // room
    with Gateway(binary, redis) as gateway:
        time.sleep(2)
        spent, redis_spent = gateway.micros(), redis.main() if redis else 0
        time.sleep(5)
        alone, redis_alone = (gateway.micros() - spent) / 5, (redis.main() - redis_spent) / 5 if redis else 0
        say(f"{where}, nobody there: node, a second", alone)
        empty, held = gateway.resident_kib(), redis.memory() if redis else 0
        sessions = [gateway.create(room) for _ in range(rooms)]
        if redis:
            say("with Redis: memory of a session's record", (redis.memory() - held) / rooms, "bytes")
        bearers = [(session, token(session)) for session in sessions for _ in range(room)]
        held, spent, redis_spent = redis.memory() if redis else 0, gateway.micros(), redis.main() if redis else 0
        wires = [sit(gateway, session, bearer) for session, bearer in bearers]
        say(f"{where}: an arrival, node", (gateway.micros() - spent) / people)
        if redis:
            say("with Redis: an arrival, Redis' main thread", (redis.main() - redis_spent) / people)
            say("with Redis: memory of a seat and its entry", (redis.memory() - held) / people, "bytes")
        silence(wires, SETTLE_S)
        spent, redis_spent = gateway.micros(), redis.main() if redis else 0
        pings = silence(wires, IDLE_S)
        busy = (gateway.micros() - spent) / IDLE_S - alone
        if redis:
            beats = rooms / 5
            say("with Redis: silence, node, a connection and second (pings, beats)", busy / people)
            say(f"with Redis: a beat of {room} seats, Redis' main thread", ((redis.main() - redis_spent) / IDLE_S - redis_alone) / beats)
        else:
            say("on memory: a ping and its pong", busy / (pings / IDLE_S))
        say(f"{where}: resident memory of a connection", (gateway.resident_kib() - empty) / people, "KiB")
        for wire in wires:
            wire.socket.close()


def two_nodes(binary: str, redis: Redis) -> None:
    """One person speaks on a node, others listen on another; one entry under way."""
    with Gateway(binary, redis) as here, Gateway(binary, redis) as there:
        session = here.create(100)
        speaker, listeners, said = sit(here, session, token(session)), [], 0
        for crowd_there in (0, 1, 11, 51):
            while len(listeners) < crowd_there:
                listeners.append(sit(there, session, token(session)))
            time.sleep(1)
            for wire in [speaker, *listeners]:
                wire.drain()
            count = KEPT if crowd_there == 0 else ENTRIES
            before, held = (here.micros(), there.micros(), redis.main()), redis.memory()
            for turn in range(count):
                said += 1
                speaker.send(frame({"type": "chat", "n": said, "data": {"text": "x" * 45}}))
                speaker.until(b'"type":"ack"', b'"type":"chat"')
                if listeners:
                    listeners[-1].until(b'"type":"chat"')
                if turn % 40 == 0:
                    for wire in listeners[:-1]:
                        wire.drain()
            after = (here.micros(), there.micros(), redis.main())
            names = ("the speaker's node", "the other", "Redis' main thread")
            for name, one, other in zip(names, before, after):
                say(f"an entry, {crowd_there} listen on the other node: {name}", (other - one) / count)
            if crowd_there == 0:
                say("memory of an entry in the log", (redis.memory() - held) / count, "bytes")


def alone(binary: str) -> None:
    """A message that the node answers by itself."""
    with Gateway(binary, None) as gateway:
        session = gateway.create(50)
        wires = [sit(gateway, session, token(session)) for _ in range(50)]
        time.sleep(0.5)
        for wire in wires:
            wire.drain()
        ask, spent = frame({"type": "ping", "data": {"t0": 1.5}}), gateway.micros()
        for turn in range(ENTRIES * 4):
            wire = wires[turn % len(wires)]
            wire.send(ask)
            wire.until(b'"type":"pong"')
        say("a `ping` message and its `pong`", (gateway.micros() - spent) / (ENTRIES * 4))


def listeners(redis: Redis) -> None:
    """Redis itself: an announcement by how many nodes listen, and the relay script."""
    tag = f"wp:{{{uuid.uuid4()}}}:"
    channel, text = tag + "c", "x" * 180
    script = Path(__file__).resolve().parent.parent / "src/backend/redis/lua/relay.lua"
    with Wire(redis.port) as wire, contextlib.ExitStack() as stack:
        wire.send(resp("SCRIPT", "LOAD", script.read_text()))
        sha = wire.until(b"\r\n").split(b"\r\n")[1].decode()
        relay = resp("EVALSHA", sha, "8", *(tag + key for key in "sxpzodka"), channel, "", text)
        nodes = []
        for count in (1, 30):
            while len(nodes) < count:
                nodes.append(stack.enter_context(Wire(redis.port)))
                nodes[-1].send(resp("SSUBSCRIBE", channel))
                nodes[-1].until(b"ssubscribe")
            for name, command in (("`SPUBLISH`", resp("SPUBLISH", channel, text)), ("the relay script", relay)):
                spent = redis.main()
                for turn in range(ENTRIES):
                    wire.send(command)
                    wire.until(b"\r\n")
                    if turn % 40 == 0:
                        for node in nodes:
                            node.drain()
                say(f"{name}, {count} listening: Redis' main thread", (redis.main() - spent) / ENTRIES)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=8000)
    options.add_argument("--room", type=int, default=10)
    chosen = options.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    binary = os.environ.get("WATCHPARTY_BINARY", f"{target}/release/watchparty")
    if not shutil.which("redis-server") or not os.access(binary, os.X_OK):
        sys.exit(f"needs redis-server and a gateway at {binary} (cargo build --release)")
    print("| | |\n| --- | ---: |")
    crowd(binary, chosen.people, chosen.room, None)
    for measure in (lambda redis: crowd(binary, chosen.people, chosen.room, redis), lambda redis: two_nodes(binary, redis), listeners):
        with tempfile.TemporaryDirectory() as directory, Redis(directory) as redis:
            measure(redis)
    alone(binary)


if __name__ == "__main__":
    main()
