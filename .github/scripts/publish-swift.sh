#!/usr/bin/env bash
# Publishes the Swift package: commits it to its release repository, with the xcframework as an asset of a
# release there. Needs gh with a token for that repository in GH_TOKEN.
#
#   publish-swift.sh VERSION REPOSITORY ZIP
#
# VERSION: such as 0.1.0. REPOSITORY: OWNER/NAME. ZIP: the zipped xcframework.
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version=$1 repository=$2 zip=$3

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
gh auth setup-git
gh repo clone "$repository" "$clone"
git -C "$clone" config user.name "Pipevideo releases"
git -C "$clone" config user.email "releases@users.noreply.github.com"
url=https://github.com/$repository/releases/download/$version/$(basename "$zip")
bindings-swift/scripts/release.sh "$version" "$clone" "$zip" "$url"
git -C "$clone" push origin HEAD "refs/tags/$version"
# Between the push and this, Xcode does not find the zip: some seconds.
gh release create "$version" "$zip" --repo "$repository" --verify-tag --title "$version" --notes ""
