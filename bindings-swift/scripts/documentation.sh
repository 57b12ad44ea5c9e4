#!/usr/bin/env bash
# Builds the package's documentation as DocC does, and fails for whatever DocC warns of.
#
#   documentation.sh SWIFT SCRATCH
#
# SWIFT: the program `swift`. SCRATCH: the folder that `swift build --scratch-path` has filled; the
# documentation is in SCRATCH/documentation then.
set -euo pipefail
swift=$1 scratch=$2
cd "$(dirname "$0")/.."

"$swift" package --scratch-path "$scratch" dump-symbol-graph \
  --minimum-access-level public --skip-synthesized-members
# Only the face is documented, not what is generated.
graphs=$(mktemp -d "$scratch/graphs.XXXXXX")
trap 'rm -rf "$graphs"' EXIT
cp "$scratch"/*/symbolgraph/Pipevideo.symbols.json "$graphs"

docc=(docc)
if [ "$(uname -s)" = Darwin ]; then
  docc=(xcrun docc)
elif [ -x "$(dirname "$swift")/swift-env" ]; then
  docc=("$(dirname "$swift")/swift-env" docc)
fi
"${docc[@]}" convert Sources/Pipevideo/Pipevideo.docc --warnings-as-errors \
  --additional-symbol-graph-dir "$graphs" --output-dir "$scratch/documentation"
