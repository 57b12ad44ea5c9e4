// Measures the CPU time of a create and four retrieves, each awaited, and of one generate, and compares
// it with bare URLSession. The server is another process and does not count.

import Foundation
import Pipevideo

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

let model = "moonshotai/kimi-k2.5"
let baseURL = ProcessInfo.processInfo.environment["PIPEVIDEO_BASE_URL"]!
let key = ProcessInfo.processInfo.environment["PIPEVIDEO_API_KEY"]!
let concurrency = 50
let lifecycles = 1000
let rounds = 5

/// The CPU time of this process in seconds, all threads.
func cpuTime() -> Double {
    Double(clock()) / Double(CLOCKS_PER_SEC)
}

/// The CPU time of one lifecycle in milliseconds: the best of several rounds of concurrent ones.
func measure(_ lifecycle: @escaping @Sendable () async throws -> Void) async throws -> Double {
    func round(_ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask { for _ in 0..<count { try await lifecycle() } }
            }
            try await group.waitForAll()
        }
    }
    try await round(2)
    var best = Double.infinity
    for _ in 0..<rounds {
        let start = cpuTime()
        try await round(lifecycles / concurrency)
        best = min(best, (cpuTime() - start) / Double(lifecycles) * 1000)
    }
    return best
}

struct Response: Codable, Sendable {
    struct Usage: Codable {
        let cost: Decimal?

        enum CodingKeys: String, CodingKey {
            case cost = "cost_usd"
        }
    }

    let id: String
    let status: String
    let model: String
    let createdAt: Int
    let outputVideoURL: String?
    let usage: Usage?

    enum CodingKeys: String, CodingKey {
        case id, status, model, usage
        case createdAt = "created_at"
        case outputVideoURL = "output_video_url"
    }
}

let configuration = URLSessionConfiguration.ephemeral
configuration.httpMaximumConnectionsPerHost = concurrency
let session = URLSession(configuration: configuration)

@Sendable func bare(_ method: String, _ path: String, _ body: [String: String]?) async throws
    -> Response
{
    var request = URLRequest(url: URL(string: "\(baseURL)/v1/responses\(path)")!)
    request.httpMethod = method
    request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization")
    if let body {
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONEncoder().encode(body)
    }
    let (data, _) = try await session.data(for: request)
    return try JSONDecoder().decode(Response.self, from: data)
}

let client = try PipevideoClient(
    configuration: .init(
        rateLimit: .unlimited, polling: Polling(minInterval: .zero, maxInterval: .zero)
    )
)

let urlSession = try await measure {
    let id = try await bare("POST", "", ["model": model, "input": "A cat"]).id
    for _ in 0..<4 { _ = try await bare("GET", "/\(id)", nil) }
}
let calls = try await measure {
    let id = try await client.responses.create(model: model, input: "A cat").id
    for _ in 0..<4 { _ = try await client.responses.retrieve(id) }
}
let generate = try await measure { _ = try await client.generate(model: model, input: "A cat") }

func report(_ name: String, _ milliseconds: Double) {
    let figures = String(
        format: "%.3f ms, %.3f of URLSession", milliseconds, milliseconds / urlSession)
    print("\(name): \(figures)")
}
report("bare URLSession, create and four retrieves", urlSession)
report("Pipevideo, create and four retrieves", calls)
report("Pipevideo, one generate (create and four polls)", generate)
