//! Sets up linking of a Node addon on each system.

fn main() {
    napi_build::setup();
}
