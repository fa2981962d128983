"""docs/asyncapi.yaml against AsyncAPI 3's own schema, and every frame of tests/golden against it.

A frame is held against the message of its direction and type, with one rule more than the document has: a member that the document does
not name is a finding here, though clients are to ignore it. Then each frame is broken in each place, to show that the document notices.

Usage: python asyncapi.py SPECS     SPECS: the package @asyncapi/specs     last line "N passed, N failed"; exit 1 when one failed
"""

import copy
import json
import re
import sys
from pathlib import Path

import yaml
from jsonschema import Draft7Validator, Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
FRAMES = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "tests" / "golden").glob("[cs]*.json"))}
# Members whose value is whatever an application wants; their insides are not broken.
FREE = {"body", "payload"}
# Shared by schemas that add members of their own, so it cannot say that there are no others.
OPEN = {"Snapshot"}


def strict(schema: object, inside: bool = False) -> object:
    """The same schema, and no member that it does not name."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for name, value in schema.items():
        made[name] = [strict(one, inside=True) for one in value] if name == "allOf" else strict(value)
    if "allOf" in schema:
        made["unevaluatedProperties"] = False
    elif isinstance(schema.get("properties"), dict) and not inside:
        made["additionalProperties"] = False
    return made


def strict_document() -> dict:
    made = strict(DOCUMENT)
    for name in OPEN:
        made["components"]["schemas"][name].pop("additionalProperties", None)
    return made


STRICT = strict_document()


def validator(direction: str, kind: str, document: dict) -> Draft202012Validator:
    name = f"{direction}.{kind}"
    if name not in document["components"]["messages"]:
        raise KeyError(f"docs/asyncapi.yaml has no message {name}")
    # The document is the root, so that its references lead somewhere.
    return Draft202012Validator({"$ref": f"#/components/messages/{name}/payload", "components": document["components"]})


def findings(file: str, frame: dict, document: dict) -> list[str]:
    direction = file.split(".")[0]
    found = validator(direction, frame["type"], document).iter_errors(frame)
    return [f"{file}: {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def document_is_asyncapi(specs: Path) -> list[str]:
    schema = json.loads((specs / "schemas" / "3.0.0.json").read_text())
    return [f"{list(error.absolute_path)}: {error.message}" for error in Draft7Validator(schema).iter_errors(DOCUMENT)]


def schema_bites(specs: Path) -> list[str]:
    schema = json.loads((specs / "schemas" / "3.0.0.json").read_text())
    wrong = copy.deepcopy(DOCUMENT)
    wrong["operations"]["hear"]["action"] = "listen"
    return [] if list(Draft7Validator(schema).iter_errors(wrong)) else ["an operation may do anything"]


def references_lead_somewhere() -> list[str]:
    found, used = [], set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                used.add(value["$ref"])
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(DOCUMENT)
    for reference in used:
        place = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place.get(step) if isinstance(place, dict) else None
        found += [] if place is not None else [f"{reference} leads nowhere"]
    unused = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]} - used
    return found + [f"{name} is used by nobody" for name in unused]


def every_message_is_shown() -> list[str]:
    """Each message has a golden frame, and the code knows no other type from clients."""
    shown = {f"{file.split('.')[0]}.{frame['type']}" for file, frame in FRAMES.items()}
    known = set(DOCUMENT["components"]["messages"])
    found = [f"{name} has no golden frame" for name in sorted(known - shown)]
    found += [f"{name} is in tests/golden alone" for name in sorted(shown - known)]
    table = (ROOT / "docs" / "OPERATIONS.md").read_text()
    words = re.search(r"`watchparty_frames_received_total` \| counter \| type: ([^|]+) \|", table)[1].split()
    said = {name.removeprefix("client.") for name in known if name.startswith("client.")}
    return found + [f"what clients say differs: {word}" for word in sorted(said ^ (set(words) - {"invalid"}))]


def frames_fit() -> list[str]:
    return [line for file, frame in FRAMES.items() for line in findings(file, frame, STRICT)]


def broken(value: object, path: tuple = ()):
    """Each frame that one change makes of this one: another kind of value in each place, and a member nobody knows in each object."""
    if isinstance(value, dict):
        yield path, value | {"nobody-knows": 1}
        for name, inner in value.items():
            if name in FREE:
                continue
            for where, change in broken(inner, (*path, name)):
                yield where, value | {name: change}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for where, change in broken(inner, (*path, index)):
                yield where, [*value[:index], change, *value[index + 1 :]]
    elif isinstance(value, bool):
        yield path, "yes"
    elif isinstance(value, str):
        yield path, ["a list"]
    else:
        # Of what may be null, a text would do as well as an id: an object never does.
        yield path, {"an": "object"}


def breakage_is_noticed() -> list[str]:
    found, count = [], 0
    for file, frame in FRAMES.items():
        for where, change in broken(copy.deepcopy(frame)):
            if where == ("type",):
                continue
            count += 1
            place = "/".join(map(str, where)) or "the frame"
            found += [] if findings(file, change, STRICT) else [f"{file}: broken at {place}, and nothing is said"]
        for name in ("data", "seq", "ts", "n", "token"):
            required = DOCUMENT["components"]["messages"][f"{file.split('.')[0]}.{frame['type']}"]["payload"]["required"]
            if name in frame and name in required:
                count += 1
                less = {key: value for key, value in frame.items() if key != name}
                found += [] if findings(file, less, STRICT) else [f"{file}: without {name}, and nothing is said"]
    print(f"  {count} broken frames tried")
    return found


def main() -> int:
    specs = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    checks = {
        "docs/asyncapi.yaml is AsyncAPI 3.0": (document_is_asyncapi, specs) if specs else None,
        "AsyncAPI's schema minds what is wrong": (schema_bites, specs) if specs else None,
        "its references lead somewhere": (references_lead_somewhere,),
        "every message is shown by a golden frame": (every_message_is_shown,),
        f"{len(FRAMES)} golden frames fit their messages": (frames_fit,),
        "every breakage of one is noticed": (breakage_is_noticed,),
    }
    passed = failed = skipped = 0
    for name, check in checks.items():
        if check is None:
            skipped += 1
            print(f"SKIPPED {name}: the package @asyncapi/specs could not be had from npm", file=sys.stderr)
            continue
        found = check[0](*check[1:])
        passed, failed = (passed, failed + 1) if found else (passed + 1, failed)
        print("\n  ".join([f"FAILED {name}", *found]) if found else f"ok {name}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
