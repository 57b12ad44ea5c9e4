import Foundation
internal import PipevideoFFI

/// What a video is made from: a text, the parts of one message, or several messages.
///
/// ```swift
/// let text: Input = "A cat walking on a beach"
/// let parts: Input = ["Make the cat walk", .image(url: "https://example.com/cat.png")]
/// let items: Input = .items([InputItem(role: .system, content: [.text("Keep it calm.")])])
/// ```
public struct Input: Hashable, Sendable {
    private enum Form: Hashable {
        case text(String)
        case parts([InputPart])
        case items([InputItem])
    }

    private let form: Form

    /// A text.
    public static func text(_ text: String) -> Input { Input(form: .text(text)) }

    /// The parts of one message by the user.
    public static func parts(_ parts: [InputPart]) -> Input { Input(form: .parts(parts)) }

    /// Several messages, in order.
    public static func items(_ items: [InputItem]) -> Input { Input(form: .items(items)) }

    private init(form: Form) {
        self.form = form
    }

    func check() throws {
        switch form {
        case .text: break
        case .parts(let parts): for part in parts { try part.check() }
        case .items(let items): for part in items.flatMap(\.content) { try part.check() }
        }
    }

    var core: PipevideoFFI.Input {
        switch form {
        case .text(let text): .text(text: text)
        case .parts(let parts): .parts(parts: parts.map(\.core))
        case .items(let items): .items(items: items.map(\.core))
        }
    }
}

extension Input: ExpressibleByStringInterpolation, ExpressibleByArrayLiteral {
    /// A text.
    public init(stringLiteral text: String) {
        self.init(form: .text(text))
    }

    /// The parts of one message by the user.
    public init(arrayLiteral parts: InputPart...) {
        self.init(form: .parts(parts))
    }
}

extension GenerationRequest {
    /// Creates a request for a text.
    public init(model: String, prompt: String) {
        self.init(model: model, input: .text(prompt))
    }

    /// Creates a request for the parts of one message, such as a text and an image.
    public init(model: String, parts: [InputPart]) {
        self.init(model: model, input: .parts(parts))
    }
}

/// One message of the input.
public struct InputItem: Hashable, Sendable {
    /// The author of the message.
    public var role: Role
    /// The parts of the message, in order.
    public var content: [InputPart]

    /// Creates a message.
    public init(role: Role, content: [InputPart]) {
        self.role = role
        self.content = content
    }

    var core: Item { Item(role: role.rawValue, content: content.map(\.core)) }
}

/// One part of a message: a text, an image or a video.
///
/// Files and data are sent inside the request, so each may have at most 20 MB. A file is read when the
/// request is made. The media type is recognised from the first bytes.
public struct InputPart: Hashable, Sendable, ExpressibleByStringInterpolation {
    let core: Part
    /// Why this part is invalid. The call that it is passed to throws it, since a part is created
    /// without `try`.
    private let problem: String?

    private init(_ core: Part, problem: String? = nil) {
        self.core = core
        self.problem = problem
    }

    func check() throws {
        if let problem { throw PipevideoError(.invalidRequest, problem) }
    }

    private static func part(
        _ function: String, file: URL, _ part: (Source) -> Part
    ) -> InputPart {
        // The path of a remote URL may be that of a local file, which must not be sent by mistake.
        let problem =
            "\(function)(file:) takes a file URL, from URL(filePath:). "
            + "For a remote URL call \(function)(url:)."
        return InputPart(part(.file(path: file.path)), problem: file.isFileURL ? nil : problem)
    }

    private static func bytes(_ data: Data) -> Source {
        // The core refuses data above the limit, so one byte more than that is enough. UniFFI could
        // not pass more than 2 GB.
        .bytes(bytes: data.prefix(Int(maxMediaBytes()) + 1))
    }

    /// A text.
    public init(stringLiteral text: String) {
        self.init(.text(text: text))
    }

    /// A text.
    public static func text(_ text: String) -> InputPart {
        InputPart(.text(text: text))
    }

    /// An image at an address: an HTTPS URL or a `data:image/…` URI.
    public static func image(url: String, detail: Detail? = nil) -> InputPart {
        InputPart(.image(source: .url(url: url), detail: detail?.rawValue))
    }

    /// An image at an address: an HTTPS URL or a `data:image/…` URI.
    public static func image(url: URL, detail: Detail? = nil) -> InputPart {
        image(url: url.absoluteString, detail: detail)
    }

    /// An image in a file.
    public static func image(file: URL, detail: Detail? = nil) -> InputPart {
        part("image", file: file) { .image(source: $0, detail: detail?.rawValue) }
    }

    /// An image as data.
    public static func image(data: Data, detail: Detail? = nil) -> InputPart {
        InputPart(.image(source: bytes(data), detail: detail?.rawValue))
    }

    /// A video at an address: an HTTPS URL or a `data:video/…` URI.
    public static func video(url: String) -> InputPart {
        InputPart(.video(source: .url(url: url)))
    }

    /// A video at an address: an HTTPS URL or a `data:video/…` URI.
    public static func video(url: URL) -> InputPart {
        video(url: url.absoluteString)
    }

    /// A video in a file.
    public static func video(file: URL) -> InputPart {
        part("video", file: file) { .video(source: $0) }
    }

    /// A video as data.
    public static func video(data: Data) -> InputPart {
        InputPart(.video(source: bytes(data)))
    }
}

/// The providers that may render a generation.
public struct ProviderPreference: Hashable, Sendable, ExpressibleByArrayLiteral {
    let core: Provider

    /// Providers by their slugs, in order of preference. The service chooses the first one that
    /// supports the engine and the model.
    public static func order(_ slugs: [String]) -> ProviderPreference {
        ProviderPreference(core: .order(slugs: slugs))
    }

    /// The service's own JSON object for this option.
    public static func object(_ object: [String: JSONValue]) -> ProviderPreference {
        ProviderPreference(core: .object(json: JSONValue.object(object).text))
    }

    private init(core: Provider) {
        self.core = core
    }

    /// Providers by their slugs, in order of preference.
    public init(arrayLiteral slugs: String...) {
        self.init(core: .order(slugs: slugs))
    }
}

/// The author of a message.
public struct Role: RawRepresentable, Hashable, Sendable, Codable {
    /// The service's literal.
    public let rawValue: String

    /// Creates a role from the service's literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The person who wants the video.
    public static let user = Role(rawValue: "user")
    /// Guidance that takes precedence over the user's.
    public static let system = Role(rawValue: "system")
    /// The model, in an earlier turn.
    public static let assistant = Role(rawValue: "assistant")
    /// Guidance by the developer of the program.
    public static let developer = Role(rawValue: "developer")
}

/// The resolution at which the model sees an image.
public struct Detail: RawRepresentable, Hashable, Sendable, Codable {
    /// The service's literal.
    public let rawValue: String

    /// Creates a detail from the service's literal.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The service chooses.
    public static let auto = Detail(rawValue: "auto")
    /// A low resolution, for fewer tokens.
    public static let low = Detail(rawValue: "low")
    /// A high resolution.
    public static let high = Detail(rawValue: "high")
    /// The image's own resolution.
    public static let original = Detail(rawValue: "original")
}

// Left out: the prompt, and images and videos of up to 20 MB.
extension Input: CustomReflectable {
    /// Shows the input as `hidden`.
    public var customMirror: Mirror { Mirror(self, showing: ["form": Hidden()]) }
}

extension InputPart: CustomReflectable {
    /// Shows the part as `hidden`.
    public var customMirror: Mirror { Mirror(self, showing: ["content": Hidden()]) }
}
