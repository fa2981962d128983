"""What an Autobahn report says: counts by group, each case that did not hold, and as the last line how many did.

Usage: verdict.py INDEX.JSON [--whole]      exit 1 when one failed; --whole: as many cases as groups 1-7, 10, 12 and 13 have

Runs under Python 2.7, which the suite needs anyway, and 3.
"""

from __future__ import print_function

import json
import sys

# Of the suite's release that scripts/autobahn.sh installs.
CASES = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "10": 1, "12": 90, "13": 126}
# A case holds if the answer was one of these. NON-STRICT is a choice that the RFC leaves: text checked when the message is whole.
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")
# What we decline may be left out where compression is asked for under conditions.
OPTIONAL = ("12", "13")


def holds(group, result):
    behaviour, close = result["behavior"], result["behaviorClose"]
    return (behaviour in GOOD or behaviour == "UNIMPLEMENTED" and group in OPTIONAL) and close in GOOD


def main(path, whole):
    with open(path) as report:
        (results,) = json.load(report).values()
    groups, failed = {}, []
    for case in sorted(results, key=lambda case: [int(part) for part in case.split(".")]):
        group = case.split(".")[0]
        counts = groups.setdefault(group, {})
        behaviour = results[case]["behavior"]
        counts[behaviour] = counts.get(behaviour, 0) + 1
        if not holds(group, results[case]):
            failed.append(case)
            print("FAILED %s: %s, close %s" % (case, behaviour, results[case]["behaviorClose"]))
    for group in sorted(groups, key=int):
        counts = groups[group]
        print("group %s: %s" % (group, ", ".join("%d %s" % (counts[name], name) for name in sorted(counts))))
        if whole and sum(counts.values()) != CASES.get(group):
            failed.append(group)
            print("FAILED group %s: it has %s cases" % (group, CASES.get(group)))
    for group in sorted(set(CASES) - set(groups), key=int) if whole else ():
        failed.append(group)
        print("FAILED group %s: none of its cases ran" % group)
    print("%d passed, %d failed" % (len(results) - len(failed), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--whole"]):
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], len(sys.argv) == 3))
