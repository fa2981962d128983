#!/usr/bin/env bash
# Checks the SDK: its types and those of the page that uses it, then its tests under Node, some of them against a real gateway on the memory backend. What npm installs for
# that stays in sdk/node_modules (versions are pinned in package-lock.json); the SDK itself needs nothing.
#
# Usage: sdk/test/run.sh [path to the gateway's binary]      last line: "N passed, N failed"; exit 1 when one failed
set -euo pipefail

sdk=$(cd "$(dirname "$0")/.." && pwd)
root=$(dirname "$sdk")
target=${CARGO_TARGET_DIR:-$root/target}
WATCHPARTY_BINARY=$(realpath "${1:-$target/debug/watchparty}")
export WATCHPARTY_BINARY

if [ ! -x "$WATCHPARTY_BINARY" ]; then
  echo "sdk: no $WATCHPARTY_BINARY; run 'cargo build' first" >&2
  exit 1
fi
cd "$sdk"

# What already is of these versions is kept: installing asks a registry. No package of them needs its scripts run.
if ! cmp -s package-lock.json node_modules/installed.json; then
  npm ci --silent --no-audit --no-fund --ignore-scripts
  cp package-lock.json node_modules/installed.json
fi

npm run --silent check
# The page is the SDK's first user: its types are checked with the same compiler, and what it takes from the SDK is held to the SDK's types.
node_modules/.bin/tsc --project ../web

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
node --test --test-reporter=spec test/*.test.js | tee "$log" || status=$?
# Node's own closing lines are "ℹ pass N" and so on; a test that was cancelled did not pass.
awk '
  $1 == "ℹ" && $2 == "pass" { passed = $3 }
  $1 == "ℹ" && ($2 == "fail" || $2 == "cancelled") { failed += $3 }
  END { printf "%d passed, %d failed\n", passed, failed }
' "$log"
exit "$status"
