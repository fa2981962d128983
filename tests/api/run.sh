#!/usr/bin/env bash
# The documents of the API: docs/asyncapi.yaml against AsyncAPI's schema and the golden frames, /openapi.json against OpenAPI's rules, and
# a running gateway against /openapi.json (scripts/schemathesis.sh).
#
# Usage: tests/api/run.sh     last line: "N passed, N failed[, N skipped]"; exit 1 when one failed
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place=${CARGO_TARGET_DIR:-$root/target}/api
export PYTHONDONTWRITEBYTECODE=1

"$root/scripts/install-api-tools.sh"
if ! "$place/python/bin/python" -c 'import jsonschema, yaml' 2>/dev/null; then
  echo "SKIPPED the API's documents: the packages of tests/api/requirements.txt could not be had from PyPI" >&2
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
status=0
specs=$place/node/node_modules/@asyncapi/specs
# Their closing lines are counted one by one.
if [ -d "$specs" ]; then
  "$place/python/bin/python" "$here/asyncapi.py" "$specs" || status=$?
else
  "$place/python/bin/python" "$here/asyncapi.py" || status=$?
fi
"$root/scripts/schemathesis.sh" || status=$?
exit "$status"
