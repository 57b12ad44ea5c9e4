#!/usr/bin/env bash
# Packs the npm packages: the main one, and one for each platform.
#
#   node-packages.sh OUT [MODULES]
#
# OUT: the folder of the tarballs. MODULES: a folder with the native modules of all platforms, which are put
# into their packages first; one that is missing is an error then. Without it, what has been built is packed,
# and the names of the packages without a native module are printed.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
modules=${2:-}

pack() { (cd "$1" && npm pack --silent --pack-destination "$out" >/dev/null); }

# Those of the crates that the native modules contain.
licences=$(mktemp)
trap 'rm -f "$licences"' EXIT
cargo xtask release --licences "$licences"

pack bindings-node
for folder in bindings-node/npm/*/; do
  folder=${folder%/}
  platform=$(basename "$folder")
  module=pipevideo.$platform.node
  if [ -n "$modules" ]; then cp "$modules/node-$platform/$module" "$folder/"; fi
  cp LICENSE-APACHE LICENSE-MIT "$folder/"
  install -m 644 "$licences" "$folder/LICENSE-THIRD-PARTY"
  cat >"$folder/README.md" <<END
# @pipevideo/$platform

The native module of the package \`pipevideo\` for $platform. Install \`pipevideo\`, which depends on it.
END
  pack "$folder"
  rm "$folder"/LICENSE-* "$folder/README.md"
  [ -e "$folder/$module" ] || echo "without a native module: @pipevideo/$platform"
done
