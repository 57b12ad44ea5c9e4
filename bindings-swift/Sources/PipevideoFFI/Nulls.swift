/// The fields that were null on the wire, so that they are written as null again. Null and absent
/// mean the same, so this takes no part in equality.
public struct Nulls: Hashable, Sendable {
    let names: [String]

    public static func == (left: Nulls, right: Nulls) -> Bool { true }

    public func hash(into hasher: inout Hasher) {}
}
