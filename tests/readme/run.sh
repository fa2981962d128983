#!/usr/bin/env bash
# Runs what README.md tells people to type, and looks that the pages name nothing that is not there.
#
# Usage: tests/readme/run.sh     last line: "N passed, N failed[, N skipped]"; exit 1 when one failed. Needs a built gateway.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$here/commands.py" "${WATCHPARTY_BINARY:-${CARGO_TARGET_DIR:-$root/target}/debug/watchparty}"
