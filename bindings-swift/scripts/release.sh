#!/usr/bin/env bash
# Fills the release repository, from which apps get the package by version. It exists because SwiftPM
# expects Package.swift at the top of a repository.
#
#   release.sh VERSION REPOSITORY ZIP URL
#
# VERSION: such as 0.1.0. REPOSITORY: a clone of the release repository. ZIP: the zipped xcframework that
# build-xcframework.sh has built. URL: where the zip will be, such as an asset of a release of that
# repository. Package.swift gets the URL and the checksum of the zip.
#
# The libraries for Linux are those in lib/, which build-library.sh has built: they are committed, so that
# `swift build` takes the tag alone. It commits and tags in REPOSITORY and pushes nothing.
set -euo pipefail
[ $# -eq 4 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version=$1 repository=$(cd "$2" && pwd) zip=$(cd "$(dirname "$3")" && pwd)/$(basename "$3") url=$4
cd "$(dirname "$0")/.."

# What `swift package compute-checksum` computes.
if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
checksum=$("${sum[@]}" "$zip" | cut -d ' ' -f 1)

libraries=(lib/libpipevideo-"$version"-*.a)
[ -e "${libraries[0]}" ] || { echo "lib/ has no library of $version: run build-library.sh" >&2; exit 1; }

git -C "$repository" rm -rq --ignore-unmatch .
mkdir -p "$repository/Sources" "$repository/lib"
cp -R Sources/. "$repository/Sources/"
cp "${libraries[@]}" "$repository/lib/"
cp README.md .spi.yml ../LICENSE-APACHE ../LICENSE-MIT "$repository/"
cargo xtask release --licences "$repository/LICENSE-THIRD-PARTY"
# The release takes the xcframework from its URL, and has no tests, since they need the repository.
sed -e "s|path: \"lib/Pipevideo.xcframework\"|url: \"$url\", checksum: \"$checksum\"|" \
  -e '/\.testTarget(/,/),$/d' \
  -e 's|Build it with scripts/build-library.sh|This release has no library for this machine|' \
  Package.swift >"$repository/Package.swift"
grep -q "$checksum" "$repository/Package.swift"
grep -q "let version = \"$version\"" "$repository/Package.swift"

git -C "$repository" add -A
git -C "$repository" commit -qm "Pipevideo $version"
git -C "$repository" tag "$version"
echo "upload $zip to $url, then push $repository with its tag $version"
