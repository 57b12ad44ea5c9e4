#!/usr/bin/env bash
# Fills the release repository, from which apps get the package by version. It exists because SwiftPM
# expects Package.swift at the top of a repository.
#
#   release.sh VERSION REPOSITORY URL
#
# VERSION: such as 0.1.0. REPOSITORY: a clone of the release repository. URL: where the zip with the
# xcframework will be, such as an asset of a release of that repository.
#
# NOT RUN by this repository's tests, which run on Linux: it needs a Mac, as build-xcframework.sh does.
# It commits and tags in REPOSITORY and pushes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -eq 3 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version=$1 repository=$(cd "$2" && pwd) url=$3

scripts/build-xcframework.sh
zip=$repository.xcframework.zip
rm -f "$zip"
(cd lib && zip -qr --symlinks "$zip" Pipevideo.xcframework)
checksum=$(swift package compute-checksum "$zip")

git -C "$repository" rm -rq --ignore-unmatch .
mkdir -p "$repository/Sources"
cp -R Sources/. "$repository/Sources/"
cp README.md ../LICENSE-APACHE ../LICENSE-MIT "$repository/"
# The release takes the xcframework from its URL, has no tests, since they need the emulator, and finds
# the library by pkg-config on Linux.
sed -e "s|path: \"lib/Pipevideo.xcframework\"|url: \"$url\", checksum: \"$checksum\"|" \
  -e '/\.testTarget/d' \
  -e 's|let installed = .*|let installed = true|' \
  Package.swift >"$repository/Package.swift"
grep -q "$checksum" "$repository/Package.swift"
swift package --package-path "$repository" dump-package >/dev/null

git -C "$repository" add -A
git -C "$repository" commit -qm "Pipevideo $version"
git -C "$repository" tag "$version"
echo "upload $zip to $url, then push $repository with its tag $version"
