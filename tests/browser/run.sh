#!/usr/bin/env bash
# Drives Debian's Chromium against two gateways and a Redis: the page as people use it. What npm installs stays in
# tests/browser/node_modules (versions are pinned in package-lock.json); no browser is downloaded. Screenshots go to target/browser.
#
# Usage: tests/browser/run.sh [path to the gateway's binary]      last line: "N passed, N failed"; exit 1 when one failed.
# ONLY=name runs one file of tests (ONLY=room); PROGRAM=sync.js runs that program of this directory instead, which tests nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
WATCHPARTY_BINARY=$(realpath "${1:-$target/debug/watchparty}")
WATCHPARTY_SHOTS=$target/browser
CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
export WATCHPARTY_BINARY WATCHPARTY_SHOTS CHROMIUM

if [ ! -x "$WATCHPARTY_BINARY" ]; then
  echo "browser: no $WATCHPARTY_BINARY; run 'cargo build' first" >&2
  exit 1
fi
if [ -z "$CHROMIUM" ]; then
  echo "browser: no chromium; scripts/install-test-deps.sh installs Debian's" >&2
  exit 1
fi
cd "$here"

# What already is of these versions is kept: installing asks a registry. No package of them needs its scripts run.
if ! cmp -s package-lock.json node_modules/installed.json; then
  npm ci --silent --no-audit --no-fund --ignore-scripts
  cp package-lock.json node_modules/installed.json
fi

if [ -n "${PROGRAM:-}" ]; then
  exec node "$PROGRAM"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
# One file at a time: players that starve on a busy machine prove nothing.
# shellcheck disable=SC2086  # the star is to become file names
node --test --test-concurrency=1 --test-reporter=spec ${ONLY:-*}.test.js | tee "$log" || status=$?
# Node's own closing lines are "ℹ pass N" and so on; a test that was cancelled did not pass.
awk '
  $1 == "ℹ" && $2 == "pass" { passed = $3 }
  $1 == "ℹ" && ($2 == "fail" || $2 == "cancelled") { failed += $3 }
  END { printf "%d passed, %d failed\n", passed, failed }
' "$log"
exit "$status"
