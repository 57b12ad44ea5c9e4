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
# On Linux there is no xcframework: the repository has the Rust source in rust/, and its
# build-library.sh builds the native library. It commits and tags in REPOSITORY and pushes nothing.
set -euo pipefail
[ $# -eq 4 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version=$1 repository=$(cd "$2" && pwd) zip=$(cd "$(dirname "$3")" && pwd)/$(basename "$3") url=$4
cd "$(dirname "$0")/.."

# What `swift package compute-checksum` computes.
if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
checksum=$("${sum[@]}" "$zip" | cut -d ' ' -f 1)

git -C "$repository" rm -rq --ignore-unmatch .
mkdir -p "$repository/Sources" "$repository/rust"
cp -R Sources/. "$repository/Sources/"
cp README.md ../LICENSE-APACHE ../LICENSE-MIT "$repository/"
cargo xtask release --licences "$repository/LICENSE-THIRD-PARTY"
# The release takes the xcframework from its URL, has no tests, since they need the emulator, and finds
# the library by pkg-config on Linux.
sed -e "s|path: \"lib/Pipevideo.xcframework\"|url: \"$url\", checksum: \"$checksum\"|" \
  -e '/\.testTarget/d' \
  -e 's|let installed = .*|let installed = true|' \
  Package.swift >"$repository/Package.swift"
grep -q "$checksum" "$repository/Package.swift"

# The crates that the library is built from, and the emulator for the tests of apps. The lock file loses
# what only other crates need.
crates=(bindings-common bindings-swift/Cargo.toml bindings-swift/src bindings-swift/uniffi.toml
  bindings-swift/scripts/build-library.sh core emulator)
(cd .. && git ls-files -z Cargo.toml Cargo.lock "${crates[@]}" ':!core/fuzz' ':!core/loom' |
  tar -c --null -T -) | tar -x -C "$repository/rust"
members='"bindings-common", "bindings-common\/macros", "bindings-swift", "core", "emulator"'
sed "s/^members = .*/members = [$members]/" ../Cargo.toml >"$repository/rust/Cargo.toml"
cargo update --quiet --workspace --manifest-path "$repository/rust/Cargo.toml"

git -C "$repository" add -A
git -C "$repository" commit -qm "Pipevideo $version"
git -C "$repository" tag "$version"
echo "upload $zip to $url, then push $repository with its tag $version"
