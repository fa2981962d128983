#!/usr/bin/env bash
# Whether the tree is ready to be released under a tag: one version in binary, chart and SDK, a dated heading in CHANGELOG.md, and a
# chart that asks for the image that is pushed. Publishes nothing; `.github/workflows/release.yml` and `make chart` call it.
#
# Usage: scripts/release-check.sh TAG OWNER/NAME      prints version=… and image=…; every mistake, and exit 1, when there is one
#        scripts/release-check.sh --changes VERSION   prints that version's part of CHANGELOG.md
# ROOT names another tree to look at (for the test).
set -euo pipefail

cd "${ROOT:-$(dirname "$0")/..}"

changes() { awk -v heading="## [$1]" 'index($0, "## [") == 1 { inside = index($0, heading) == 1; next } inside' CHANGELOG.md; }

if [ "${1:-}" = --changes ]; then
  changes "${2:?a version}"
  exit 0
fi

tag=${1:?a tag such as v1.2.3}
version=${tag#v}
image=ghcr.io/${2:?a repository such as owner/name}
image=${image,,}
mistakes=0

is() { # what, what it says, what it should say
  [ "$2" = "$3" ] && return
  echo "$1 says ${2:-nothing}, should be $3" >&2
  mistakes=$((mistakes + 1))
}

first() { sed -n "s/$1/\\1/p" "$2" | head -n 1; }

is "the tag" "$tag" "v$version"
is Cargo.toml "$(first '^version = "\(.*\)"$' Cargo.toml)" "$version"
is "version of helm/Chart.yaml" "$(first '^version: \(.*\)$' helm/Chart.yaml)" "$version"
is "appVersion of helm/Chart.yaml" "$(first '^appVersion: "\(.*\)"$' helm/Chart.yaml)" "$version"
is sdk/package.json "$(first '^ *"version": "\(.*\)",$' sdk/package.json)" "$version"
is "image.repository of helm/values.yaml" "$(first '^  repository: \(.*\)$' helm/values.yaml)" "$image"
dated='^## \[.*\] - \([0-9]\{4\}-[0-9]\{2\}-[0-9]\{2\}\)$'
heading=$(grep --fixed-strings "## [$version]" CHANGELOG.md || true)
[ -n "$(sed -n "s/$dated/\\1/p" <<<"$heading")" ] ||
  is "the heading of $version in CHANGELOG.md" "$heading" "## [$version] - and a date"
[ -n "$(changes "$version" | tr --delete '[:space:]')" ] || is "CHANGELOG.md on $version" "" "what changed"

[ "$mistakes" -eq 0 ] || exit 1
printf 'version=%s\nimage=%s\n' "$version" "$image"
