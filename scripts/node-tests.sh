# How tests under Node begin and end (sdk/test/run.sh, tests/browser/run.sh): the gateway they run against, the packages they are of, what
# they came to. To be sourced, with bash's errexit and pipefail on; what is tested, and in which order, is theirs.
# shellcheck shell=bash

# Exports WATCHPARTY_BINARY: the path given, or the debug build.
# Arguments: what is tested, the root of the repository, the path or nothing
need_gateway() {
  WATCHPARTY_BINARY=$(realpath "${3:-${CARGO_TARGET_DIR:-$2/target}/debug/watchparty}")
  export WATCHPARTY_BINARY
  if [ ! -x "$WATCHPARTY_BINARY" ]; then
    echo "$1: no $WATCHPARTY_BINARY; run 'cargo build' first" >&2
    exit 1
  fi
}

# Installs what the package-lock.json here pins. What already is of these versions is kept: installing asks a registry. No package of them
# needs its scripts run.
need_packages() {
  if ! cmp -s package-lock.json node_modules/installed.json; then
    npm ci --silent --no-audit --no-fund --ignore-scripts
    cp package-lock.json node_modules/installed.json
  fi
}

# Runs tests, and says "N passed, N failed" in its last line. Returns 1 when one failed.
# Arguments: what `node --test` is given
node_tests() {
  local log status=0
  log=$(mktemp)
  node --test --test-reporter=spec "$@" | tee "$log" || status=$?
  # Node's own closing lines are "ℹ pass N" and so on; a test that was cancelled did not pass.
  awk '
    $1 == "ℹ" && $2 == "pass" { passed = $3 }
    $1 == "ℹ" && ($2 == "fail" || $2 == "cancelled") { failed += $3 }
    END { printf "%d passed, %d failed\n", passed, failed }
  ' "$log"
  rm -f "$log"
  return "$status"
}
