import Foundation
import Pipevideo

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Files of the repository that the tests read.
enum Repository {
    static let root: URL = {
        var folder = URL(filePath: #filePath).deletingLastPathComponent()
        let marker = "conformance/surface.json"
        while !FileManager.default.fileExists(atPath: folder.appending(path: marker).path) {
            precondition(folder.path != "/", "the tests are not inside the repository")
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

/// A model that the emulator has.
let kimi = "moonshotai/kimi-k2.5"

/// A test's own error, with a text.
struct TestFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A running emulator. The process ends when this is deallocated.
final class Emulator: Sendable {
    let baseURL: String
    let apiKey: String
    private let process: Process
    private let input: Pipe

    /// Starts an emulator on a free port, with the defaults of the scenarios.
    static func start(_ options: [String: JSONValue] = [:]) async throws -> Emulator {
        let defaults: [String: JSONValue] = [
            "rate_limit": .null, "polls": ["queued", "in_progress", "completed"],
        ]
        let all = JSONValue.object(defaults.merging(options) { _, given in given })
        let text = String(decoding: try JSONEncoder().encode(all), as: UTF8.self)
        return try await withCheckedThrowingContinuation { continuation in
            // Starting a process and reading its output block, so not on a thread of the tests.
            DispatchQueue.global().async {
                continuation.resume(with: Result { try Emulator(options: text) })
            }
        }
    }

    private init(options: String) throws {
        guard let program = ProcessInfo.processInfo.environment["PIPEVIDEO_EMULATOR"] else {
            throw TestFailure("set PIPEVIDEO_EMULATOR to the path of the emulator's program")
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
            guard !more.isEmpty else {
                throw TestFailure("the emulator did not start with the options \(options)")
            }
            line += more
        }
        let started = try JSONDecoder().decode([String: String].self, from: line)
        baseURL = started["base_url"] ?? ""
        apiKey = started["api_key"] ?? ""
    }

    deinit {
        // The emulator also ends when its standard input is closed, but processes that were started
        // meanwhile may have inherited a copy of the pipe. Waiting for the end would block one of the
        // few threads that all tests share.
        process.terminate()
        try? input.fileHandleForWriting.close()
    }

    /// A client of the emulator that polls without pauses and without a rate limit.
    func client(
        _ configure: (inout PipevideoClient.Configuration) -> Void = { _ in }
    ) throws -> PipevideoClient {
        var configuration = configuration()
        configure(&configuration)
        return try PipevideoClient(apiKey: apiKey, configuration: configuration)
    }

    /// The configuration of a client of the emulator that polls without pauses and without a rate
    /// limit.
    func configuration() -> PipevideoClient.Configuration {
        PipevideoClient.Configuration(
            baseURL: baseURL, rateLimit: .unlimited,
            polling: Polling(minInterval: .zero, maxInterval: .zero)
        )
    }

    /// The requests that have arrived.
    func requests() async throws -> [JSONValue] {
        guard case .array(let requests) = try await control("GET", "requests") else { return [] }
        return requests
    }

    /// The number of requests that have arrived.
    func requestCount() async throws -> Int {
        try await requests().count
    }

    /// Adds a generation and returns its id.
    @discardableResult
    func addGeneration(_ generation: JSONValue = [:]) async throws -> String {
        let added = try await control("POST", "generations", generation)
        return added["id"]?.stringValue ?? ""
    }

    /// Ends a generation in this state.
    func settle(_ id: String, _ state: JSONValue) async throws {
        try await control("POST", "generations/\(id)/settle", state)
    }

    func addFault(_ fault: JSONValue) async throws {
        try await control("POST", "faults", fault)
    }

    /// Makes a request to the emulator's control interface.
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
            let text = String(decoding: data, as: UTF8.self)
            throw TestFailure("\(method) \(path): \(status) \(text)")
        }
        return data.isEmpty ? .null : try JSONDecoder().decode(JSONValue.self, from: data)
    }
}
