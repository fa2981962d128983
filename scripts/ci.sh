#!/usr/bin/env bash
# What CI runs: every step of `make ci-steps`, then what was skipped and why, and as the last line how many tests there were.
# No standard input, no questions. Exit 1 when a step failed, and when no test ran.
set -euo pipefail

cd "$(dirname "$0")/.."
export CI=true CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# pipefail: the exit status is that of make, not of tee.
status=0
make --no-print-directory ci-steps </dev/null 2>&1 | tee "$log" || status=$?

# A check that could not be made says so in a line of its own; here they are together, as nobody reads all of the above.
echo
if grep -E '^SKIPPED|^[a-z ]+: MISSING' "$log" | sort -u >"$log.skipped"; then
  echo "Skipped, and why:"
  sed 's/^/  /' "$log.skipped"
else
  echo "Nothing was skipped."
fi
rm -f "$log.skipped"
echo "Never run here, as it needs what this project's CI has not got: an engine with a registry (docker compose up, docker"
echo "build), a cluster (helm install, helm test, the HPA and the NetworkPolicy at work), Cloudflare, GitHub (.github/workflows)."

counted=0
scripts/count-tests.sh "$log" || counted=$?
# A broken build that ran no test has failed for its own reason; a good build that ran none has failed as well.
[ "$status" -ne 0 ] || status=$counted
exit "$status"
