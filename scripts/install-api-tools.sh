#!/usr/bin/env bash
# Installs what the checks of the API's documents need, under the target directory and nowhere else: Python packages (schemathesis,
# jsonschema, OpenAPI's rules) and AsyncAPI's own schema from npm. Versions are pinned in tests/api/. What is there already is kept.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
wanted=$root/tests/api
place=${CARGO_TARGET_DIR:-$root/target}/api
mkdir -p "$place"

"$root/scripts/install-test-deps.sh"

# shellcheck source=scripts/pinned-tools.sh
. "$root/scripts/pinned-tools.sh"
get_all api python_packages node_packages
