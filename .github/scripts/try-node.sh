#!/usr/bin/env bash
# Installs npm packages into a new project, and makes a video by an example and one by the command, both with
# the package's own emulator.
#
#   try-node.sh EXAMPLE PACKAGE…
#
# EXAMPLE: hello.mjs. PACKAGE: what `npm install` takes. Run it in an empty folder: it leaves there the
# project and the video.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
example=$1
shift

echo '{ "name": "videos", "version": "1.0.0", "private": true }' >package.json
npm install --no-audit --no-fund --loglevel=error "$@"
# Beside its packages, since modules are found from the folder of the file that imports them.
cp "$example" .
node --throw-deprecation "$(basename "$example")"
node -e 'console.log("pipevideo", require("pipevideo").version)'
# Exactly one platform's package is installed.
platforms=(node_modules/pipevideo-*)
[ ${#platforms[@]} -eq 1 ]
npx pipevideo --emulator generate "A cat" --model moonshotai/kimi-k2.5 --output command.mp4
# What they made is a video: bytes 4 to 8 of an MP4 are its type.
for video in cat.mp4 command.mp4; do
  [ "$(head -c 8 "$video" | tail -c 4)" = ftyp ]
done
