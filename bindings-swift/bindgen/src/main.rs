//! Generates the Swift half of the bindings, `Sources/PipevideoFFI`, from the library.

fn main() {
    uniffi::uniffi_bindgen_swift();
}
