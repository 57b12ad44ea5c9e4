#!/usr/bin/env bash
# Publishes the npm packages: first those of the platforms, on which the main one depends.
#
#   publish-npm.sh FOLDER [OPTION]…
#
# FOLDER: the tarballs that node-packages.sh has packed. OPTION: an option of `npm publish`. A version that is
# in the registry already is left as it is, so that a publication that broke off can be repeated.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
shift

publish() {
  local tarball=$1 name version
  shift
  read -r name version < <(tar -xOzf "$tarball" package/package.json |
    node -e 'const { name, version } = JSON.parse(require("fs").readFileSync(0)); console.log(name, version)')
  if [ -n "$(npm view --silent "$name@$version" version)" ]; then
    echo "$name $version is published already"
  else
    npm publish "$tarball" "$@"
  fi
}

for tarball in "$folder"/pipevideo-{darwin,linux,win32}-*.tgz; do
  publish "$tarball" "$@"
done
publish "$folder"/pipevideo-[0-9]*.tgz "$@"
