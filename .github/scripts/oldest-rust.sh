#!/usr/bin/env bash
# Checks all crates with the oldest Rust that they support, which Cargo.toml names. Needs rustup.
set -euo pipefail
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rustup toolchain install "$version" --profile minimal
cargo "+$version" check --workspace --all-features --locked
