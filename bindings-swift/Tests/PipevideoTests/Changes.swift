extension Array where Element: Equatable {
    /// The elements that differ from the one before. After a second without a change, which a busy machine
    /// takes, an update is repeated.
    var changes: [Element] {
        reduce(into: []) { changes, element in
            if changes.last != element { changes.append(element) }
        }
    }
}
