#!/usr/bin/env bash
# Checks the SDK: its types and those of the page that uses it, then its tests under Node, some of them against a real gateway on the memory backend. What npm installs for
# that stays in sdk/node_modules (versions are pinned in package-lock.json); the SDK itself needs nothing.
#
# Usage: sdk/test/run.sh [path to the gateway's binary]      last line: "N passed, N failed"; exit 1 when one failed
set -euo pipefail

sdk=$(cd "$(dirname "$0")/.." && pwd)
root=$(dirname "$sdk")
# shellcheck source=/dev/null  # checked by itself
. "$root/scripts/node-tests.sh"

need_gateway sdk "$root" "${1:-}"
cd "$sdk"
need_packages

npm run --silent check
# The page is the SDK's first user: its types are checked with the same compiler, and what it takes from the SDK is held to the SDK's types.
node_modules/.bin/tsc --project ../web

node_tests test/*.test.js
