"""Two people watch together, through somebody else's code: PyPI's `websockets` and the standard library.

Usage: python_client.py http://127.0.0.1:PORT    exit 0 when everything of docs/PROTOCOL.md it touches held
"""

import json
import sys
import urllib.request
from contextlib import ExitStack

from websockets.sync.client import connect

# Generous: a busy machine is not a defect.
TIMEOUT = 30


def post(base, path, body):
    request = urllib.request.Request(
        base + path, data=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return response.status, json.load(response)


def check(holds, what):
    # Not `assert`: python -O would skip it.
    if not holds:
        raise SystemExit(f"python client: {what}")


class Client:
    """One socket that says hello and waits for frames by what they are."""

    def __init__(self, stack, seat):
        self.id = seat["participant_id"]
        opening = connect(seat["ws_url"], subprotocols=["watchparty.v1"], open_timeout=TIMEOUT)
        self.socket = stack.enter_context(opening)
        check(self.socket.subprotocol == "watchparty.v1", "the subprotocol is not echoed")
        # `websockets` asks for a window of 4 KiB, inflates with Python's zlib and compresses all it sends.
        names = [extension.name for extension in self.socket.protocol.extensions]
        check(names == ["permessage-deflate"], f"the extensions are {names}")
        self.send(type="hello", token=seat["token"], client={"name": "python", "version": "0"})
        self.welcome = self.until("a welcome", lambda frame: frame["type"] == "welcome")["data"]
        check(self.welcome["participant_id"] == self.id, "welcomed as somebody else")

    def send(self, **frame):
        self.socket.send(json.dumps(frame))

    def until(self, what, accept):
        skipped = []
        while True:
            try:
                frame = json.loads(self.socket.recv(timeout=TIMEOUT))
            except Exception as error:
                raise SystemExit(f"python client: waited for {what}: {error!r}; before it: {skipped}") from error
            if accept(frame):
                return frame
            skipped.append(frame)


def main(base):
    status, host_seat = post(base, "/api/sessions/create", {"name": "Film night", "password": "open sesame"})
    check(status == 201, f"create answers {status}")
    body = {"session_id": host_seat["id"], "password": "open sesame", "display_name": "Ada"}
    status, guest_seat = post(base, "/api/sessions/join", body)
    check(status == 200, f"join answers {status}")

    with ExitStack() as stack:
        watch(stack, host_seat, guest_seat)


def watch(stack, host_seat, guest_seat):
    host, guest = Client(stack, host_seat), Client(stack, guest_seat)
    check(host.welcome["role"] == "host" and guest.welcome["role"] == "member", "the roles are wrong")
    check(guest.welcome["host_id"] == host.id, "the guest does not know the host")
    host.until("the guest's arrival", lambda f: f["type"] == "participant.joined" and f["from"] == guest.id)

    talk(host, guest, 1, "hello from the host")
    talk(guest, host, 1, "hello from the guest \N{CLAPPER BOARD}")

    for size in (600, 3000, 20_000):
        show(host, guest, size)

    guest.send(type="notify", data={"topic": "typing", "body": True})
    typing = host.until("a notify", lambda f: f["type"] == "notify")
    check(typing["from"] == guest.id and typing["data"] == {"topic": "typing", "body": True}, f"{typing}")
    check("seq" not in typing, "a notify has no position")

    guest.send(type="leave")
    left = host.until("the leaving", lambda f: f["type"] == "participant.left")
    check(left["data"]["participant_id"] == guest.id and left["data"]["reason"] == "left", f"{left}")
    for _ in guest.socket:
        pass
    check(guest.socket.close_code == 1000, f"leave closes with {guest.socket.close_code}")


def talk(speaker, listener, n, text):
    """A chat is acked to its speaker and is one entry, the same at both ends."""
    speaker.send(type="chat", n=n, id=f"chat-{n}", data={"text": text})
    got = {}

    def ack_and_entry(frame):
        if frame["type"] == "ack" and frame.get("n") == n:
            got["ack"] = frame
        if frame["type"] == "chat" and frame["from"] == speaker.id:
            got["entry"] = frame
        return len(got) == 2

    speaker.until("an ack and its entry", ack_and_entry)
    heard = listener.until("a chat", lambda f: f["type"] == "chat" and f["from"] == speaker.id)
    check(heard == got["entry"], f"two versions of one entry: {heard} and {got['entry']}")
    check(heard["data"]["text"] == text and heard["n"] == n, f"{heard}")
    check(got["ack"]["id"] == f"chat-{n}", f"{got['ack']}")
    check(got["ack"]["data"]["seq"] == heard["seq"], f"{got['ack']} for {heard}")


def show(speaker, listener, size):
    """What is long goes compressed both ways, and is the same at both ends."""
    body = " \N{CLAPPER BOARD}".join(str(i * 7919 % 1009) for i in range(size))[:size]
    speaker.send(type="event", data={"topic": "long", "body": body})
    for end in (speaker, listener):
        event = end.until("an event", lambda f: f["type"] == "event" and f["from"] == speaker.id)
        check(event["data"] == {"topic": "long", "body": body}, f"an event of {size} characters is another one")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1].rstrip("/"))
    print("python client: created, joined, talked, notified and left")
