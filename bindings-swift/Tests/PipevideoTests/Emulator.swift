import Foundation
import Pipevideo

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What the tests find in the repository.
enum Repository {
    static let root: URL = {
        var folder = URL(filePath: #filePath).deletingLastPathComponent()
        let mark = "conformance/surface.json"
        while !FileManager.default.fileExists(atPath: folder.appending(path: mark).path) {
            precondition(folder.path != "/", "the tests run in the repository")
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    static func data(_ path: String) throws -> Data {
        try Data(contentsOf: root.appending(path: path))
    }

    static func json(_ path: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: data(path))
    }
}

/// A model that the emulator knows.
let kimi = "moonshotai/kimi-k2.5"

struct Broken: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// The emulator's program. It ends with this value.
final class Emulator: Sendable {
    let baseURL: String
    let apiKey: String
    private let process: Process
    private let input: Pipe

    /// An emulator on a free port, with the scenarios' defaults.
    static func start(_ options: [String: JSONValue] = [:]) async throws -> Emulator {
        let defaults: [String: JSONValue] = [
            "rate_limit": .null, "polls": ["queued", "in_progress", "completed"],
        ]
        let all = JSONValue.object(defaults.merging(options) { _, own in own })
        let text = String(decoding: try JSONEncoder().encode(all), as: UTF8.self)
        return try await withCheckedThrowingContinuation { continuation in
            // To start a program, and to read its line, blocks.
            DispatchQueue.global().async {
                continuation.resume(with: Result { try Emulator(options: text) })
            }
        }
    }

    private init(options: String) throws {
        guard let program = ProcessInfo.processInfo.environment["PIPEVIDEO_EMULATOR"] else {
            throw Broken("PIPEVIDEO_EMULATOR has to say where the emulator's program is")
        }
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = ["--options", options]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        self.process = process
        self.input = input
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Broken("the emulator has not started: \(options)") }
            line += more
        }
        let address = try JSONDecoder().decode([String: String].self, from: line)
        baseURL = address["base_url"] ?? ""
        apiKey = address["api_key"] ?? ""
    }

    deinit {
        // Closing its input would end it too, but for the copies of that end that programs started
        // meanwhile have inherited; and to wait here would hold one of the few threads of all tests.
        process.terminate()
        try? input.fileHandleForWriting.close()
    }

    /// A client of it that polls without pauses.
    func client(deadline: Duration? = nil, polling: Polling? = nil) throws -> Pipevideo {
        try Pipevideo(
            apiKey: apiKey, baseURL: baseURL, rateLimit: nil,
            polling: polling ?? Polling(minInterval: .zero, maxInterval: .zero), deadline: deadline
        )
    }

    /// The requests that have arrived.
    func requests() async throws -> [JSONValue] {
        guard case .array(let requests) = try await control("GET", "requests") else { return [] }
        return requests
    }

    /// How many requests have arrived.
    func count() async throws -> Int {
        try await requests().count
    }

    @discardableResult
    func addGeneration(_ generation: JSONValue = [:]) async throws -> String {
        let added = try await control("POST", "generations", generation)
        return added["id"]?.stringValue ?? ""
    }

    func settle(_ id: String, _ state: JSONValue) async throws {
        try await control("POST", "generations/\(id)/settle", state)
    }

    func fault(_ fault: JSONValue) async throws {
        try await control("POST", "faults", fault)
    }

    @discardableResult
    func control(
        _ method: String, _ path: String, _ body: JSONValue? = nil
    ) async throws -> JSONValue {
        var request = URLRequest(url: URL(string: "\(baseURL)/_emulator/\(path)")!)
        request.httpMethod = method
        request.httpBody = try body.map { try JSONEncoder().encode($0) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        guard (200..<300).contains(status) else {
            throw Broken("\(method) \(path): \(status) \(String(decoding: data, as: UTF8.self))")
        }
        return data.isEmpty ? .null : try JSONDecoder().decode(JSONValue.self, from: data)
    }
}
