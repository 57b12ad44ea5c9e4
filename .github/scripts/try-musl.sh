#!/usr/bin/env bash
# Runs one of the scripts try-*.sh in Alpine Linux, which has musl. Needs Docker.
#
#   try-musl.sh IMAGE SCRIPT ARGUMENT…
#
# IMAGE: such as node:22-alpine. SCRIPT and ARGUMENT: as without Docker, with paths below the clone, which is
# at /clone.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
image=$1
shift
docker run --rm --volume "$PWD:/clone:ro" "$image" sh -c \
  'apk add --quiet bash && mkdir /trial && cd /trial && exec bash "$@"' sh "$@"
