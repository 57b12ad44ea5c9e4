extension Mirror {
    /// A mirror with the given properties, without those that are `nil`.
    ///
    /// `print`, string interpolation, `dump` and debuggers all show a value by its mirror. A type that
    /// holds a signed URL or the prompt returns this as its `customMirror` and leaves those out.
    init<Value>(_ value: Value, showing properties: KeyValuePairs<String, Any?>) {
        self.init(
            value,
            children: properties.compactMap { name, value in
                value.map { (label: name, value: $0) }
            },
            displayStyle: .struct
        )
    }
}

/// Shows in the place of a value that is not printed.
struct Hidden: CustomStringConvertible {
    var description: String { "hidden" }
}
