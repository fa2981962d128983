#!/usr/bin/env bash
# Drives Debian's Chromium against two gateways and a Redis: the page as people use it. What npm installs stays in
# tests/browser/node_modules (versions are pinned in package-lock.json); no browser is downloaded. Screenshots go to target/browser.
#
# Usage: tests/browser/run.sh [path to the gateway's binary]      last line: "N passed, N failed"; exit 1 when one failed.
# ONLY=name runs one file of tests (ONLY=room); PROGRAM=sync.js runs that program of this directory instead, which tests nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=/dev/null  # checked by itself
. "$root/scripts/node-tests.sh"

need_gateway browser "$root" "${1:-}"
WATCHPARTY_SHOTS=${CARGO_TARGET_DIR:-$root/target}/browser
CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
export WATCHPARTY_SHOTS CHROMIUM
if [ -z "$CHROMIUM" ]; then
  echo "browser: no chromium; scripts/install-test-deps.sh installs Debian's" >&2
  exit 1
fi
cd "$here"
need_packages

if [ -n "${PROGRAM:-}" ]; then
  exec node "$PROGRAM"
fi
# One file at a time: players that starve on a busy machine prove nothing.
# shellcheck disable=SC2086  # the star is to become file names
node_tests --test-concurrency=1 ${ONLY:-*}.test.js
