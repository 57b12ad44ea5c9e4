#!/usr/bin/env bash
# Builds the package's documentation with DocC and fails if DocC prints a warning.
#
#   documentation.sh SWIFT SCRATCH [PATH]
#
# SWIFT: the command `swift`. SCRATCH: the build folder, as in `swift build --scratch-path SCRATCH`. The
# documentation is written to SCRATCH/documentation/MODULE. PATH: where a web server has that folder; without
# it, the pages are for Xcode.
set -euo pipefail
swift=$1 scratch=$2
cd "$(dirname "$0")/.."

"$swift" package --scratch-path "$scratch" dump-symbol-graph \
  --minimum-access-level public --skip-synthesized-members

docc=(docc)
if [ "$(uname -s)" = Darwin ]; then
  docc=(xcrun docc)
elif [ -x "$(dirname "$swift")/swift-env" ]; then
  docc=("$(dirname "$swift")/swift-env" docc)
fi

mkdir -p "$scratch/documentation"
# The generated module is not documented.
hosting=()
for module in Pipevideo PipevideoUI PipevideoTesting; do
  graphs=$(mktemp -d "$scratch/graphs.XXXXXX")
  cp "$scratch"/*/symbolgraph/"$module".symbols.json "$graphs"
  [ $# -lt 3 ] || hosting=(--transform-for-static-hosting --hosting-base-path "$3/$module")
  "${docc[@]}" convert "Sources/$module/$module.docc" --warnings-as-errors \
    ${hosting[@]+"${hosting[@]}"} \
    --additional-symbol-graph-dir "$graphs" --output-dir "$scratch/documentation/$module"
  rm -r "$graphs"
done
