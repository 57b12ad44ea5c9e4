#!/usr/bin/env bash
# Compiles the Swift code blocks of the documents and of the documentation comments.
#
#   check.sh SWIFTC SCRATCH
#
# SWIFTC: the compiler. SCRATCH: the build folder of the tests. Page.swift has what the blocks take for
# granted. Blocks of modules that are not there are named and left out: SwiftUI, os, and swift-log. A value
# that a block does not use is no warning.
set -euo pipefail
swiftc=$1 scratch=$2
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A block is a file: its imports, and then a function, or a type if it declares tests, types or extensions.
awk -v work="$work" '
  function finish(   name, file, head) {
    name = "block" ++count
    file = work "/" name ".swift"
    if (body ~ /import (os|Logging|SwiftUI|PipevideoUI)\n|@State |Logger\(|GenerationModel\(/) {
      print "not compiled: " FILENAME ":" line
    } else if (body !~ /^[a-zA-Z]+:/) {
      head = body ~ /(^|\n)(@Test|final class|struct|extension)/ ? "struct " name : \
        "extension Page { func " name "() async throws"
      print "import Foundation\nimport Pipevideo\nimport PipevideoTesting\nimport Testing" >file
      print imports >file
      print "#sourceLocation(file: \"" FILENAME "\", line: " line + 1 ")" >file
      print head " {\n" body "}" (head ~ /^extension/ ? " }" : "") >file
      close(file)
    }
  }
  FNR == 1 { inside = 0 }
  { text = $0 }
  FILENAME ~ /\.swift$/ {
    if ($0 !~ /^ *\/\/\//) { inside = 0; next }
    sub(/^ *\/\/\/ ?/, "", text)
  }
  text ~ /^```swift/ { inside = 1; line = FNR; body = imports = ""; next }
  text ~ /^```/ && inside { inside = 0; finish(); next }
  inside && text ~ /^import / { imports = imports text "\n"; body = body "\n"; next }
  inside { body = body text "\n" }
' README.md Sources/*/*.docc/*.md ../docs/*.md Sources/Pipevideo/*.swift Sources/PipevideoTesting/*.swift

blocks=("$work"/block*.swift)
"$swiftc" -typecheck -suppress-warnings -swift-version 6 -module-name CodeBlocks \
  -I "$(echo "$scratch"/*/debug/Modules)" -Xcc "-fmodule-map-file=$PWD/Sources/PipevideoC/module.modulemap" \
  Tests/CodeBlocks/Page.swift "${blocks[@]}"
echo "${#blocks[@]} blocks compile"
