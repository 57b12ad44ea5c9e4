#!/bin/sh
# Runs a command with what it writes in a file.
#
#   into-file.sh FILE COMMAND…
file=$1
shift
exec "$@" >"$file" 2>&1
