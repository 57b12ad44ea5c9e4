import Foundation
internal import PipevideoFFI

/// What a video is made from: one text, parts of one message, or messages.
///
/// ```swift
/// let text: Input = "A cat walking on a beach"
/// let parts: Input = ["Let it walk", .image(url: "https://example.com/cat.png")]
/// let items: Input = .items([InputItem(role: .system, content: [.text("Keep it calm.")])])
/// ```
public struct Input: Hashable, Sendable {
    private enum Form: Hashable {
        case text(String)
        case parts([InputPart])
        case items([InputItem])
    }

    private let form: Form

    /// One text.
    public static func text(_ text: String) -> Input { Input(form: .text(text)) }

    /// The parts of one message of the user.
    public static func parts(_ parts: [InputPart]) -> Input { Input(form: .parts(parts)) }

    /// Messages, in order.
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
    /// One text.
    public init(stringLiteral text: String) {
        self.init(form: .text(text))
    }

    /// The parts of one message of the user.
    public init(arrayLiteral parts: InputPart...) {
        self.init(form: .parts(parts))
    }
}

/// One message of the input.
public struct InputItem: Hashable, Sendable {
    /// Who speaks.
    public var role: Role
    /// What is said, in order.
    public var content: [InputPart]

    /// A message of several parts.
    public init(role: Role, content: [InputPart]) {
        self.role = role
        self.content = content
    }

    var core: Item { Item(role: role.rawValue, content: content.map(\.core)) }
}

/// One part of a message: a text, an image or a video.
///
/// Files and data travel inside the request. They are read when it is made, their type is taken from
/// their first bytes, and at most 20 MB are taken of each.
public struct InputPart: Hashable, Sendable, ExpressibleByStringInterpolation {
    let core: Part
    /// Why the call that it is for will be refused.
    private let fault: String?

    private init(_ core: Part, fault: String? = nil) {
        self.core = core
        self.fault = fault
    }

    func check() throws {
        if let fault { throw PipevideoError(.invalidRequest, fault) }
    }

    private static func from(
        _ file: URL, _ what: String, _ part: (Source) -> Part
    ) -> InputPart {
        // The path of any other URL may be that of a file here, which nobody meant to send.
        let fault =
            "\(what)(file:) takes a file's URL, from URL(filePath:); \(what)(url:), any other."
        return InputPart(part(.file(path: file.path)), fault: file.isFileURL ? nil : fault)
    }

    private static func bytes(_ data: Data) -> Source {
        // One byte too many is enough for the core to refuse it; not all sizes cross the border.
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

    /// An image by its address: an HTTPS URL or a `data:image/…` URI.
    public static func image(url: String, detail: Detail? = nil) -> InputPart {
        InputPart(.image(source: .url(url: url), detail: detail?.rawValue))
    }

    /// An image by its address: an HTTPS URL or a `data:image/…` URI.
    public static func image(url: URL, detail: Detail? = nil) -> InputPart {
        image(url: url.absoluteString, detail: detail)
    }

    /// An image in a file.
    public static func image(file: URL, detail: Detail? = nil) -> InputPart {
        from(file, "image") { .image(source: $0, detail: detail?.rawValue) }
    }

    /// An image's content.
    public static func image(data: Data, detail: Detail? = nil) -> InputPart {
        InputPart(.image(source: bytes(data), detail: detail?.rawValue))
    }

    /// A video by its address: an HTTPS URL or a `data:video/…` URI.
    public static func video(url: String) -> InputPart {
        InputPart(.video(source: .url(url: url)))
    }

    /// A video by its address: an HTTPS URL or a `data:video/…` URI.
    public static func video(url: URL) -> InputPart {
        video(url: url.absoluteString)
    }

    /// A video in a file.
    public static func video(file: URL) -> InputPart {
        from(file, "video") { .video(source: $0) }
    }

    /// A video's content.
    public static func video(data: Data) -> InputPart {
        InputPart(.video(source: bytes(data)))
    }
}

/// Which providers may render a generation.
public struct ProviderPreference: Hashable, Sendable, ExpressibleByArrayLiteral {
    let core: Provider

    /// Slugs by preference; the first that supports the engine and model is taken.
    public static func order(_ slugs: [String]) -> ProviderPreference {
        ProviderPreference(core: .order(slugs: slugs))
    }

    /// The service's own object.
    public static func object(_ object: [String: JSONValue]) -> ProviderPreference {
        ProviderPreference(core: .object(json: JSONValue.object(object).text))
    }

    private init(core: Provider) {
        self.core = core
    }

    /// Slugs by preference.
    public init(arrayLiteral slugs: String...) {
        self.init(core: .order(slugs: slugs))
    }
}

extension Arguments {
    init(
        model: String, input: Input, instructions: String?, width: Int?, height: Int?,
        aspectRatio: String?, provider: ProviderPreference?, engine: String?, expandPrompt: Bool?,
        extraBody: [String: JSONValue]
    ) throws {
        try input.check()
        self.init(
            model: model, input: input.core, instructions: instructions,
            width: width.map(Int64.init), height: height.map(Int64.init),
            aspectRatio: aspectRatio, provider: provider?.core, engine: engine,
            expandPrompt: expandPrompt,
            extraBody: extraBody.isEmpty ? nil : JSONValue.object(extraBody).text
        )
    }
}
