#!/usr/bin/env bash
# Installs what the chart's checks need (scripts/install-chart-tools.sh), then runs them: nothing is asked of a cluster.
#
# Usage: tests/chart/run.sh [--write]     last line: "N passed, N failed[, N skipped]"; exit 1 when one failed
#        --write makes k8s/ and the table of helm/README.md from the chart, and checks nothing
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${CARGO_TARGET_DIR:-$root/target}/chart/python/bin/python

"$root/scripts/install-chart-tools.sh"
if ! "$python" -c 'import helm_python, kubernetes_validate, promql_parser, yaml' 2>/dev/null; then
  echo "SKIPPED the whole chart: the packages of tests/chart/requirements.txt could not be had from PyPI" >&2
  [ "$#" -eq 0 ] || exit 1
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
export PYTHONDONTWRITEBYTECODE=1
exec "$python" "$here/main.py" "$@"
