//! Writes the Swift side of the border, `Sources/PipevideoFFI`, from the library.

fn main() {
    uniffi::uniffi_bindgen_swift();
}
