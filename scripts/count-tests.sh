#!/usr/bin/env bash
# Adds up what a log of test runs says and prints "N passed, N failed" (", N skipped" when some were).
# Counts cargo's own `test result:` lines and the closing lines of scripts, "2 passed, 0 failed" alone on a line.
#
# Usage: scripts/count-tests.sh LOG      exit 1 when a test failed or none ran: an empty run proves nothing
set -euo pipefail

awk '
  { gsub(/\033\[[0-9;]*m/, "") }
  /^test result: / {
    for (i = 2; i <= NF; i++) {
      if ($i ~ /^passed/) passed += $(i - 1)
      if ($i ~ /^failed/) failed += $(i - 1)
      if ($i ~ /^ignored/) skipped += $(i - 1)
    }
  }
  /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { passed += $1; failed += $3; skipped += $5 }
  END {
    printf "%d passed, %d failed", passed, failed
    if (skipped > 0) printf ", %d skipped", skipped
    printf "\n"
    exit failed > 0 || passed == 0
  }
' "$1"
