#!/usr/bin/env bash
# Builds the package's documentation with DocC and fails if DocC prints a warning.
#
#   documentation.sh SWIFT SCRATCH
#
# SWIFT: the command `swift`. SCRATCH: the build folder, as in `swift build --scratch-path SCRATCH`. The
# documentation is written to SCRATCH/documentation.
set -euo pipefail
swift=$1 scratch=$2
cd "$(dirname "$0")/.."

"$swift" package --scratch-path "$scratch" dump-symbol-graph \
  --minimum-access-level public --skip-synthesized-members
# Only the public module is documented, not the generated one.
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
