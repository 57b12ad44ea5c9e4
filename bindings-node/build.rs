//! What linking a Node addon takes on each system.

fn main() {
    napi_build::setup();
}
