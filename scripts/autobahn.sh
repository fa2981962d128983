#!/usr/bin/env bash
# The Autobahn test suite against the echo route on our socket layer (src/ws/echo.rs): upgrade, frames, permessage-deflate.
#
# Usage: scripts/autobahn.sh [CASES…]      patterns such as 6.* 12.1.1; without: all but 9 (limits and performance, some minutes more)
#
# The suite needs Python 2.7 and installs itself into the target directory. Where it cannot be had everything is skipped, in a loud
# line: our own tests of the decoder (src/ws/frame/tests) cover the same ground. PYTHON27 names an interpreter.
# The report is target/autobahn/report/index.html. Last line: "N passed, N failed[, N skipped]"; exit 1 when one failed
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
place=$target/autobahn
virtualenv=virtualenv==20.15.1
suite=autobahntestsuite==25.10.1
echo_pid=

skip() {
  echo "SKIPPED the Autobahn test suite: $1" >&2
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

stop() {
  if [ -n "$echo_pid" ] && kill -0 "$echo_pid" 2>/dev/null; then
    kill "$echo_pid"
    wait "$echo_pid" 2>/dev/null || true
  fi
}
trap stop EXIT

# A Python 2.7 that runs: the one that is named, the system's, or one of pyenv's.
find_python() {
  local candidate
  for candidate in ${PYTHON27:-python2.7 "$HOME"/.pyenv/versions/2.7*/bin/python2.7}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# Kept between runs: installing asks a registry.
install_suite() {
  [ "$(cat "$place/installed" 2>/dev/null)" = "$virtualenv $suite" ] && return 0
  local log=$place/install.log
  rm -rf "$place/installed" "$place/wst" "$place/tools"
  "$python" -m pip install --disable-pip-version-check --target "$place/tools" "$virtualenv" >"$log" 2>&1 &&
    PYTHONPATH=$place/tools "$python" -m virtualenv "$place/wst" >>"$log" 2>&1 &&
    "$place/wst/bin/pip" install --disable-pip-version-check "$suite" >>"$log" 2>&1 &&
    echo "$virtualenv $suite" >"$place/installed"
}

start_echo() {
  "$target/debug/examples/echo" >"$place/echo.address" 2>"$place/echo.log" &
  echo_pid=$!
  # Asks for the line under a deadline of 10 s; the pause only spares the processor.
  for _ in $(seq 100); do
    [ -s "$place/echo.address" ] && return 0
    sleep 0.1
  done
  echo "autobahn: the echo route never said where it listens" >&2
  cat "$place/echo.log" >&2
  return 1
}

quoted() {
  local text
  text=$(printf '"%s",' "$@")
  echo "${text%,}"
}

python=$(find_python) || skip "it needs Python 2.7 (PYTHON27=… names one), and there is none"
mkdir -p "$place"
install_suite || skip "it could not be installed; $place/install.log says why"
(cd "$root" && cargo build --locked --features conformance --example echo)
start_echo

excluded='"9.*"'
if [ $# -gt 0 ]; then
  excluded=
else
  set -- '*'
fi
rm -rf "$place/report"
cat >"$place/spec.json" <<SPEC
{"outdir": "$place/report", "servers": [{"agent": "watchparty", "url": "ws://$(cat "$place/echo.address")/echo"}],
 "cases": [$(quoted "$@")], "exclude-cases": [$excluded], "exclude-agent-cases": {}, "options": {"failByDrop": false}}
SPEC
(cd "$place" && wst/bin/wstest -m fuzzingclient -s spec.json -u 0) >"$place/suite.log" 2>&1 || {
  tail -n 30 "$place/suite.log" >&2
  echo "autobahn: the suite did not finish" >&2
  exit 1
}
whole=()
[ -z "$excluded" ] || whole=(--whole)
"$python" "$root/tests/conformance/verdict.py" "$place/report/index.json" "${whole[@]}"
