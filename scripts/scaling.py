#!/usr/bin/env python3
"""The model of docs/SCALING.md: from what one step was measured to cost to how many nodes and Redis primaries a crowd needs.

Usage: scaling.py            prints the tables
       scaling.py --write    puts them into docs/SCALING.md, between its markers
       scaling.py --check    exit 1 when the page says something else (part of `make test`)

It multiplies and rounds up, nothing else: every cost stands in COSTS with where it was measured, every assumption in RULES and LOADS, so that a
new measurement is one number changed here. It knows nothing of waiting times: the shares in RULES leave room for them.
"""

import math
import sys
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parent.parent / "docs" / "SCALING.md"

# name: (value, unit, what, where it was measured)
COSTS = {
    # The node's processor time.
    "delivery": (7.9, "µs", "one entry to one socket, alone", "`make bench-floor`, alone"),
    "batched": (0.83, "µs", "the same, when a core is full and batches by itself", "`make bench-floor`, batched"),
    "publish": (45, "µs", "a frame read, published through Redis, acked", "`make bench-costs`, less a delivery"),
    "hear": (13, "µs", "an announcement from Redis until its deliveries begin", "`make bench-costs`, less a delivery"),
    "ping": (18, "µs", "a ping and its pong", "`make bench-costs`"),
    "clock": (11, "µs", "a message that the node answers by itself (`ping`)", "`make bench-costs`"),
    "arrival": (343, "µs", "an arrival: upgrade, token, seat, `welcome`", "`make bench-costs`"),
    "node_beat": (14, "µs", "a beat, the node's half", "`make bench-costs`, less the pings"),
    "password": (300_000, "µs", "a password hashed or checked (`BCRYPT_COST=12`)", "[OPERATIONS.md](OPERATIONS.md#settings)"),
    "connection": (3.4, "KiB", "resident memory, idle, rooms of ten", "`loadtest connect`"),
    "wire": (350, "bytes", "a delivery of 267 bytes with its TCP, IP and Ethernet headers", "reckoned"),
    # Redis' main thread.
    "entry": (65, "µs", "an entry, alone in its call", "`make bench-redis`"),
    "entry16": (8.6, "µs", "an entry, sixteen in a call", "`make bench-redis`"),
    "listener": (3.8, "µs", "each further node that an announcement goes to", "`make bench-costs`"),
    "relay": (14, "µs", "a frame passed on and not kept", "`make bench-costs`"),
    "seat": (249, "µs", "a join, with its entry and its snapshot", "`make bench-costs`"),
    "beat": (51, "µs", "a beat of a session on a node", "`make bench-idle`"),
    "beat_seat": (4.7, "µs", "each further seat in it, in a room of 1000", "`scripts/costs.py --people 1000 --room 1000`"),
    "probe": (65, "µs", "a node's probe: no more than an entry", "reckoned"),
    # Redis' memory.
    "session": (743, "bytes", "a session's record", "`make bench-costs`"),
    "member": (853, "bytes", "a seat and its entry", "`make bench-costs`"),
    "kept": (180, "bytes", "an entry of 128 bytes in the log", "`make bench-costs`"),
}

RULES = {
    "cores": 4,  # of a node
    "node_share": 0.6,  # of them at most, so that a burst and a lost neighbour find room
    "connections": 50_000,  # a node's most, CONNECTIONS_MAX
    "redis_share": 0.5,  # of the one thread that runs commands
    "redis_gib": 32,  # of data on one primary: a rewrite of its file forks it
    "beat_s": 5,  # gateway/membership
    "probes": 2,  # a second and node, backend/redis/probe
    "ping_s": 25,  # PING_INTERVAL
    "clock_s": 16 / 60,  # pings a second, sdk/clock.js: one in 5 s and four a minute
    "report_s": 1 / 5,  # reports a second, sdk/follow.js
    "tell_s": 2,  # gateway/playback/barrier
    "shown": 50,  # hub/shard: in a larger room nobody is told how the others' players fare
    "history": 1000,  # HISTORY_ENTRIES
    "stay_s": 3600,  # how long somebody stays connected
    "life_s": 7200,  # how long a session is used
    "ttl_s": 86_400,  # SESSION_TTL: how long it is kept after that
}

CROWDS = [10_000, 100_000, 1_000_000, 10_000_000]


class Load(NamedTuple):
    """What people do."""

    name: str
    room: int
    rate: float  # entries a second and room
    film: bool  # the SDK's clock, reports and what nodes tell of players


LOADS = [
    Load("rooms of 10, one entry in 10 s, no film", 10, 0.1, False),
    Load("rooms of 10, an entry a second, no film", 10, 1, False),
    Load("rooms of 10, one entry in 10 s, a film in each", 10, 0.1, True),
    Load("rooms of 10, an entry a second, a film in each", 10, 1, True),
    Load("rooms of 1000, one entry in 10 s, a film in each", 1000, 0.1, True),
    Load("rooms of 1000, an entry a second, a film in each", 1000, 1, True),
]


class Need(NamedTuple):
    """What a crowd needs."""

    deliveries: float  # a second
    node_cores: float
    nodes: int
    bound: str  # what sets the number of nodes
    calls: float  # of Redis, a second
    redis_cores: float
    live_gib: float
    day_gib: float
    primaries: int | None  # `None`: the probes of so many nodes alone are too much for any
    redis_bound: str


def cost(name: str) -> float:
    return COSTS[name][0]


def presences(room: int, nodes: int, together: bool) -> float:
    """On how many nodes a room has somebody: one when the balancer keeps a session together, else by chance."""
    fewest = math.ceil(room / RULES["connections"])
    return fewest if together else nodes * (1 - (1 - 1 / nodes) ** room)


def flows(load: Load, crowd: int, nodes: int, together: bool) -> dict[str, float]:
    """How often each step is taken, a second."""
    rooms = crowd / load.room
    there = presences(load.room, nodes, together)
    arrivals = crowd / RULES["stay_s"]
    said = rooms * load.rate
    told = 0.0
    if load.film:
        # Whether anybody on a node has reported since it told the others last.
        silent = (1 - RULES["report_s"] * RULES["tell_s"]) ** (load.room / there)
        told = rooms * there / RULES["tell_s"] * (1 - silent)
    # Somebody who comes is an entry, and so is somebody who goes.
    entries = said + 2 * arrivals
    shown = told if load.room <= RULES["shown"] else 0.0
    return {
        "rooms": rooms,
        "there": there,
        "arrivals": arrivals,
        "said": said,
        "told": told,
        "heard": (entries + told) * there,
        "deliveries": (entries + shown) * load.room,
        # Who says something is not pinged.
        "pings": 0 if load.film else crowd / RULES["ping_s"],
        "messages": crowd * (RULES["clock_s"] + RULES["report_s"]) if load.film else 0,
        "beats": rooms * there / RULES["beat_s"],
    }


def node_micros(flow: dict[str, float]) -> float:
    """Of all nodes together, a second; passwords left out."""
    return (
        flow["deliveries"] * cost("delivery")
        + (flow["said"] + flow["told"]) * cost("publish")
        + flow["heard"] * cost("hear")
        + flow["pings"] * cost("ping")
        + flow["messages"] * cost("clock")
        + flow["arrivals"] * cost("arrival")
        + flow["beats"] * cost("node_beat")
    )


def redis_micros(flow: dict[str, float], crowd: int) -> float:
    """Of all primaries together, a second; probes left out."""
    further = (flow["there"] - 1) * cost("listener")
    seats = max(0.0, crowd / RULES["beat_s"] - flow["beats"])
    return (
        (flow["said"] + flow["arrivals"]) * (cost("entry") + further)
        + flow["arrivals"] * (cost("seat") + further)
        + flow["told"] * (cost("relay") + further)
        + flow["beats"] * cost("beat")
        + seats * cost("beat_seat")
    )


def memory_gib(load: Load, crowd: int) -> tuple[float, float]:
    """Of the sessions in use, and with those of the last day that nobody ended."""
    rooms = crowd / load.room
    coming = 2 * load.room * RULES["life_s"] / RULES["stay_s"]
    kept = min(RULES["history"], load.rate * RULES["life_s"] + coming)
    log = kept * cost("kept")
    live = rooms * (cost("session") + load.room * cost("member") + log) / 2**30
    # Their seats are free, their logs can still be read.
    past = rooms * RULES["ttl_s"] / RULES["life_s"] * (cost("session") + log) / 2**30
    return live, live + past


def largest(bounds: dict[str, int]) -> tuple[int, str]:
    """The largest of some numbers, and its name."""
    name = max(bounds, key=lambda bound: bounds[bound])
    return bounds[name], name


def need(load: Load, crowd: int, together: bool) -> Need:
    """What a crowd needs, with one node more than it takes."""
    nodes, bound = 1, ""
    # More nodes spread rooms further, which takes more nodes: the smallest number that agrees with itself.
    while True:
        flow = flows(load, crowd, nodes, together)
        cores = node_micros(flow) / 1e6
        wanted, bound = largest({
            "connections": math.ceil(crowd / RULES["connections"]),
            "processor": math.ceil(cores / RULES["cores"] / RULES["node_share"]),
        })
        if wanted <= nodes:
            break
        nodes = wanted
    micros = redis_micros(flow, crowd)
    probes = nodes * RULES["probes"] * cost("probe")
    live, day = memory_gib(load, crowd)
    room_for = RULES["redis_share"] * 1e6 - probes
    primaries, redis_bound = None, "probes"
    if room_for > 0:
        primaries, redis_bound = largest({
            "thread": math.ceil(micros / room_for),
            "memory": math.ceil(day / RULES["redis_gib"]),
        })
    return Need(
        deliveries=flow["deliveries"],
        node_cores=cores,
        nodes=nodes + 1,
        bound=bound,
        calls=flow["said"] + 2 * flow["arrivals"] + flow["told"] + flow["beats"] + nodes * RULES["probes"],
        redis_cores=(micros + probes * (primaries or 0)) / 1e6,
        live_gib=live,
        day_gib=day,
        primaries=primaries,
        redis_bound=redis_bound,
    )


def short(value: float) -> str:
    """Two digits, or all before the point, with a word for thousands and millions."""
    for size, word in ((1e6, " M"), (1e3, " k")):
        if value >= 9.95 * size / 10:
            return f"{value / size:.{0 if value >= 9.95 * size else 1}f}{word}"
    if value >= 9.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"


def grouped(value: int) -> str:
    """A whole number with a space between thousands."""
    return f"{value:,}".replace(",", " ")


def costs_table() -> str:
    lines = ["| | a step costs | measured by |", "| --- | ---: | --- |"]
    heads = {"delivery": "**node**", "entry": "**Redis, main thread**", "session": "**Redis, memory**"}
    for name, (value, unit, what, where) in COSTS.items():
        if name in heads:
            lines.append(f"| {heads[name]} | | |")
        told = f"{value / 1000:.0f} ms" if value >= 100_000 else f"{value:g} {unit}"
        lines.append(f"| {what} | {told} | {where} |")
    return "\n".join(lines) + "\n"


def needs_table() -> str:
    lines = [
        "| connections | deliveries/s | node cores | nodes | for | Redis calls/s | Redis cores | GiB in use | GiB with a day past | primaries | for "
        "| nodes, primaries when sessions are scattered |",
        "| ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for load in LOADS:
        lines.append(f"| **{load.name}** | | | | | | | | | | | |")
        for crowd in CROWDS:
            here, far = need(load, crowd, together=True), need(load, crowd, together=False)
            cells = [
                grouped(crowd), short(here.deliveries), short(here.node_cores), str(here.nodes), here.bound,
                short(here.calls), short(here.redis_cores), short(here.live_gib), short(here.day_gib),
                str(here.primaries or "none"), here.redis_bound, f"{grouped(far.nodes)}, {far.primaries or 'none'}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def crowds_table() -> str:
    """What depends on how many people there are and not on what they say."""
    lines = [
        "| connections | GiB of nodes' memory | come and go, each a second | node cores for that | for their passwords | Redis cores for that "
        "| pings/s, and node cores |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for crowd in CROWDS:
        arrivals, pings = crowd / RULES["stay_s"], crowd / RULES["ping_s"]
        cells = [
            grouped(crowd),
            short(crowd * cost("connection") / 2**20),
            short(arrivals),
            short(arrivals * cost("arrival") / 1e6),
            short(arrivals * cost("password") / 1e6),
            short(arrivals * (cost("seat") + cost("entry")) / 1e6),
            f"{short(pings)}, {short(pings * cost('ping') / 1e6)}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def limits_table() -> str:
    """What one node and one primary do at most, within the shares of RULES."""
    node = RULES["cores"] * RULES["node_share"] * 1e6
    redis = RULES["redis_share"] * 1e6
    gbit = cost("wire") * 8 / 1e9
    alone, batched = node / cost("delivery"), node / cost("batched")
    rows = [
        ("a node", "deliveries, each alone", alone, f"{alone * gbit:.1f} Gbit/s"),
        ("", "deliveries, batched by themselves", batched, f"{batched * gbit:.0f} Gbit/s: near what a card of 10 takes"),
        ("", "connections that come", node / cost("arrival"), "the password not counted"),
        ("", "passwords", node / cost("password"), "on every core that it may use; by default on half of them"),
        ("", "entries of its own people", node / (cost("publish") + cost("hear")), "deliveries not counted"),
        ("a primary", "entries, each alone in its call", redis / cost("entry"), "one busy room is one call at a time, and batches"),
        ("", "entries, sixteen in a call", redis / cost("entry16"), ""),
        ("", "joins", redis / (cost("seat") + cost("entry")), "and as many goodbyes"),
        ("", "beats", redis / cost("beat"), f"{short(redis / cost('beat') * RULES['beat_s'])} sessions with one person on one node each"),
        ("", "frames passed on", redis / cost("relay"), "calls, reactions, what nodes tell of players"),
        ("", "nodes", redis / cost("probe") / RULES["probes"], "so many probes are all it can do"),
    ]
    lines = ["| | at most a second | | |", "| --- | --- | ---: | --- |"]
    lines += [f"| {who} | {what} | {short(value)} | {note} |" for who, what, value, note in rows]
    return "\n".join(lines) + "\n"


TABLES = {"costs": costs_table, "crowds": crowds_table, "needs": needs_table, "limits": limits_table}


def with_tables(page: str) -> str:
    """The page with each table between its markers."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            sys.exit(f"{PAGE.name}: no {begin.strip()} … {end}")
        page = before + begin + table() + end + after
    return page


def main() -> None:
    asked = sys.argv[1:]
    if not asked:
        print("\n".join(table() for table in TABLES.values()), end="")
        return
    if asked not in (["--write"], ["--check"]):
        sys.exit(__doc__)
    old = PAGE.read_text(encoding="utf-8")
    new = with_tables(old)
    if asked == ["--write"]:
        PAGE.write_text(new, encoding="utf-8")
    elif new != old:
        sys.exit("docs/SCALING.md differs from what scripts/scaling.py computes: scripts/scaling.py --write")
    else:
        print("docs/SCALING.md says what scripts/scaling.py computes")


if __name__ == "__main__":
    main()
