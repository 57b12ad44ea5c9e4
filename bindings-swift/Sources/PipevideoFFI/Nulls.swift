/// The names of the fields that were null in the service's JSON, so that encoding writes null again.
/// Null and absent mean the same, so two values of this type are always equal.
public struct Nulls: Hashable, Sendable {
    let names: [String]

    public static func == (left: Nulls, right: Nulls) -> Bool { true }

    public func hash(into hasher: inout Hasher) {}
}
