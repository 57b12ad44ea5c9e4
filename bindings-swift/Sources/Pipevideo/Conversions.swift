import Foundation

// Foundation's values from those of the core.

extension URL {
    /// A URL exactly as the service wrote it; `nil` if the text is empty.
    ///
    /// If one character of a URL is invalid, Foundation encodes every `%` in it again. That would
    /// break the signature of a signed URL. This encodes the invalid characters only.
    init?(exact text: String) {
        guard !text.isEmpty else { return nil }
        if let url = Self(valid: text) {
            self = url
            return
        }
        var valid = CharacterSet(charactersIn: "!#$%&'()*+,-./:;=?@_~")
        valid.formUnion(CharacterSet(charactersIn: "a"..."z"))
        valid.formUnion(CharacterSet(charactersIn: "A"..."Z"))
        valid.formUnion(CharacterSet(charactersIn: "0"..."9"))
        let encoded = text.addingPercentEncoding(withAllowedCharacters: valid)
        if let url = encoded.flatMap(Self.init(valid:)) {
            self = url
        } else {
            self.init(string: text)
        }
    }

    private init?(valid text: String) {
        if #available(macOS 14, iOS 17, tvOS 17, watchOS 10, *) {
            self.init(string: text, encodingInvalidCharacters: false)
        } else {
            // Older systems encode nothing and return nil instead.
            self.init(string: text)
        }
    }
}

extension Date {
    /// The nearest time from 1970 to the year 9999. UniFFI's converter traps for times far beyond.
    var inRange: Date {
        // In this order what is not a number becomes 1970.
        Date(timeIntervalSince1970: min(max(0, timeIntervalSince1970), 253_402_300_799))
    }
}

extension Duration {
    /// A number of milliseconds; `nil` if it does not fit into an `Int64`, which is what `Duration`
    /// takes.
    init?(milliseconds: UInt64) {
        guard let milliseconds = Int64(exactly: milliseconds) else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// The duration in the core's unit.
    var inSeconds: Double {
        // Not `components`: it traps if the seconds do not fit into an `Int64`.
        self / .seconds(1)
    }
}

extension Decimal {
    /// A decimal that the core wrote as text, in any locale.
    init?(exact text: String?) {
        guard let text else { return nil }
        self.init(string: text, locale: Locale(identifier: "en_US_POSIX"))
    }
}
