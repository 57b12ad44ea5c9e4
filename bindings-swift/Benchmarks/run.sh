#!/usr/bin/env bash
# Measures what calls and waits cost, and how much larger the package makes a program. Needs Swift and Rust.
set -euo pipefail
cd "$(dirname "$0")"

target=$(cd "${CARGO_TARGET_DIR:-../../target}" && pwd)
scratch=$target/swift/benchmarks
swift=swift
command -v swift >/dev/null || swift=$target/swift-toolchain/bin/swift
run_inside=$(dirname "$swift")/swift-env
[ -x "$run_inside" ] || run_inside=

# The tests leave a debug build of the library there.
../scripts/build-library.sh
cargo build --release --locked -p pipevideo-emulator
"$swift" build -c release --scratch-path "$scratch" -Xlinker --gc-sections
built=$scratch/release

options='{"rate_limit": null, "balance_cents": 1000000000000,
  "polls": ["queued", "in_progress", "in_progress", "completed"]}'
coproc emulator { "$target/release/pipevideo-emulator" --options "$options"; }
read -r line <&"${emulator[0]}"
field() { local rest=${line#*\""$1"\":\"}; echo "${rest%%\"*}"; }
PIPEVIDEO_BASE_URL=$(field base_url)
PIPEVIDEO_API_KEY=$(field api_key)
export PIPEVIDEO_BASE_URL PIPEVIDEO_API_KEY
$run_inside "$built/Lifecycle"
$run_inside "$built/Waits"

size() {
  cp "$built/$1" "$scratch/stripped"
  strip "$scratch/stripped"
  wc -c <"$scratch/stripped"
}
with=$(size With)
without=$(size Without)
echo "stripped program: $with bytes with the package, $without bytes without, $((with - without)) bytes more"
