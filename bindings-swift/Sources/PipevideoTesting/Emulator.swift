#if os(macOS) || os(Linux)
    import Foundation
    import Pipevideo

    #if canImport(FoundationNetworking)
        import FoundationNetworking
    #endif

    /// A running emulator of the service, in a process of its own, which ends when this is deallocated.
    ///
    /// ```swift
    /// let emulator = try await Emulator.start(["polls": ["queued", "completed"]])
    /// let client = try emulator.client()
    /// let generation = try await client.generate(model: "moonshotai/kimi-k2.5", input: "A cat")
    /// ```
    ///
    /// The program is `pipevideo-emulator`, which `cargo install pipevideo-emulator` builds: at the path in
    /// the environment variable `PIPEVIDEO_EMULATOR`, or in a folder of `PATH`.
    public final class Emulator: Sendable {
        /// The address, such as `http://127.0.0.1:49152`.
        public let baseURL: String
        /// The API key that it accepts.
        public let apiKey: String
        private let process: Process
        private let input: Pipe

        /// Starts an emulator on a free port.
        ///
        /// - Parameter options: The emulator's options, in its JSON. By default it has no rate limit, and a
        ///   generation is queued, in progress and completed, one after another with each poll.
        /// - Throws: `PipevideoError` of kind `configuration` if the program is not found or does not
        ///   start.
        public static func start(_ options: [String: JSONValue] = [:]) async throws -> Emulator {
            let defaults: [String: JSONValue] = [
                "rate_limit": .null, "polls": ["queued", "in_progress", "completed"],
            ]
            let all = JSONValue.object(defaults.merging(options) { _, given in given })
            let text = String(decoding: try JSONEncoder().encode(all), as: UTF8.self)
            let program = try program()
            return try await withCheckedThrowingContinuation { continuation in
                // Starting a process and reading its output block, so not on a thread of the tests.
                DispatchQueue.global().async {
                    continuation.resume(with: Result { try Emulator(program, options: text) })
                }
            }
        }

        private static func program() throws -> URL {
            let environment = ProcessInfo.processInfo.environment
            if let path = environment["PIPEVIDEO_EMULATOR"] { return URL(filePath: path) }
            let folders = (environment["PATH"] ?? "").split(separator: ":")
            let found = folders.map { URL(filePath: "\($0)/pipevideo-emulator") }
                .first { FileManager.default.isExecutableFile(atPath: $0.path) }
            guard let found else {
                throw PipevideoError(
                    .configuration, "the emulator's program is not installed.",
                    recoverySuggestion:
                        "Install it with `cargo install pipevideo-emulator`, or set "
                        + "PIPEVIDEO_EMULATOR to its path.")
            }
            return found
        }

        private init(_ program: URL, options: String) throws {
            let process = Process()
            let input = Pipe()
            let output = Pipe()
            process.executableURL = program
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
                    throw PipevideoError(
                        .configuration, "the emulator did not start with the options \(options).",
                        recoverySuggestion: "It has printed the reason to the standard error.")
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
        ///
        /// - Parameter configure: Changes the ``configuration()``.
        public func client(
            _ configure: (inout PipevideoClient.Configuration) -> Void = { _ in }
        ) throws -> PipevideoClient {
            var configuration = configuration()
            configure(&configuration)
            return try PipevideoClient(apiKey: apiKey, configuration: configuration)
        }

        /// The configuration of a client of the emulator that polls without pauses and without a rate
        /// limit.
        public func configuration() -> PipevideoClient.Configuration {
            PipevideoClient.Configuration(
                baseURL: baseURL, rateLimit: .unlimited,
                polling: Polling(minInterval: .zero, maxInterval: .zero)
            )
        }

        /// The requests that have arrived.
        public func requests() async throws -> [JSONValue] {
            guard case .array(let requests) = try await control("GET", "requests") else {
                return []
            }
            return requests
        }

        /// Adds a generation and returns its id.
        @discardableResult
        public func addGeneration(_ generation: JSONValue = [:]) async throws -> String {
            let added = try await control("POST", "generations", generation)
            return added["id"]?.stringValue ?? ""
        }

        /// Ends a generation in this state, such as `["status": "completed"]`.
        public func settle(_ id: String, _ state: JSONValue) async throws {
            try await control("POST", "generations/\(id)/settle", state)
        }

        /// Moves the service's time forward, so that a test need not wait: generations are where they would
        /// be after so much more time at a `speed` of 1, signed URLs are that much closer to their end, and
        /// webhooks that failed are sent again when they are due. The rate limit is in real time.
        public func advance(by time: Duration) async throws {
            try await control(
                "POST", "advance", ["seconds": JSONValue(floatLiteral: time / .seconds(1))])
        }

        /// Adds a fault, such as `["match": ["method": "POST"], "drop": "after_reading"]`, which loses the
        /// response to the next create.
        public func addFault(_ fault: JSONValue) async throws {
            try await control("POST", "faults", fault)
        }

        /// Makes a request to the emulator's control interface.
        @discardableResult
        public func control(
            _ method: String, _ path: String, _ body: JSONValue? = nil
        ) async throws -> JSONValue {
            var request = URLRequest(url: URL(string: "\(baseURL)/_emulator/\(path)")!)
            request.httpMethod = method
            request.httpBody = try body.map { try JSONEncoder().encode($0) }
            let (data, response) = try await URLSession.shared.data(for: request)
            let status = (response as? HTTPURLResponse)?.statusCode ?? 0
            guard (200..<300).contains(status) else {
                let text = String(decoding: data, as: UTF8.self)
                throw PipevideoError(
                    .invalidRequest, "the emulator refused \(method) \(path): \(text)",
                    status: status)
            }
            return data.isEmpty ? .null : try JSONDecoder().decode(JSONValue.self, from: data)
        }
    }
#endif
