"""Counts what passed, failed and was skipped, and says so in the line that scripts/count-tests.sh reads.

Not a test framework: a check is a function that returns findings (lines of text); none means it passed. A check that
raises has failed with its traceback, so a broken check never counts as a good one.
"""

import sys
import traceback
from collections.abc import Callable, Iterable


class Skip(Exception):
    """A tool is missing. The message says which, and what is therefore not known."""


class Ledger:
    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self.skipped: list[str] = []

    def run(self, name: str, check: Callable[..., Iterable[str] | None], *arguments: object) -> None:
        try:
            findings = list(check(*arguments) or [])
        except Skip as missing:
            self.skipped.append(f"SKIPPED {name}: {missing}")
            print(self.skipped[-1], file=sys.stderr, flush=True)
            return
        except Exception:
            findings = traceback.format_exc().splitlines()
        if findings:
            self.failed += 1
            print(f"FAILED {name}", *(f"  {line}" for line in findings), sep="\n", flush=True)
        else:
            self.passed += 1
            print(f"ok {name}", flush=True)

    def close(self) -> int:
        """Prints the closing line; the exit code is 1 when a check failed or none ran."""
        line = f"{self.passed} passed, {self.failed} failed"
        print(line + (f", {len(self.skipped)} skipped" if self.skipped else ""), flush=True)
        return 1 if self.failed or not self.passed else 0
