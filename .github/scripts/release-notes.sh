#!/usr/bin/env bash
# Prints what the changelog says of a version.
#
#   release-notes.sh VERSION
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
notes=$(awk -v heading="## [$1]" '
  index($0, heading) == 1 { inside = 1; next }
  /^## / { inside = 0 }
  inside
' CHANGELOG.md)
[ -n "$notes" ] || { echo "$0: CHANGELOG.md says nothing of $1" >&2; exit 1; }
printf '%s\n' "$notes"
