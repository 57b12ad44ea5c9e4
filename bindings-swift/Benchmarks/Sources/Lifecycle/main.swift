// Measures the CPU time of a create and four retrieves, each awaited, and of one generate, and compares
// it with bare URLSession. The three take turns, so that other work on the machine meets all of them. The
// server is another process and does not count.

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
let rounds = 20

/// The CPU time of this process in seconds, all threads.
func cpuTime() -> Double {
    Double(clock()) / Double(CLOCKS_PER_SEC)
}

/// The CPU time of one lifecycle in milliseconds, in a round of concurrent ones.
func measure(
    _ count: Int, _ lifecycle: @escaping @Sendable () async throws -> Void
) async throws -> Double {
    let start = cpuTime()
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<concurrency {
            group.addTask { for _ in 0..<count / concurrency { try await lifecycle() } }
        }
        try await group.waitForAll()
    }
    return (cpuTime() - start) / Double(count) * 1000
}

/// The mean of the values, and its standard error.
func mean(_ values: [Double]) -> (Double, error: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    return (mean, (variance / count).squareRoot())
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

let variants: [(name: String, lifecycle: @Sendable () async throws -> Void)] = [
    (
        "bare URLSession, create and four retrieves",
        {
            let id = try await bare("POST", "", ["model": model, "input": "A cat"]).id
            for _ in 0..<4 { _ = try await bare("GET", "/\(id)", nil) }
        }
    ),
    (
        "Pipevideo, create and four retrieves",
        {
            let id = try await client.responses.create(model: model, input: "A cat").id
            for _ in 0..<4 { _ = try await client.responses.retrieve(id) }
        }
    ),
    (
        "Pipevideo, one generate (create and four polls)",
        { _ = try await client.generate(model: model, input: "A cat") }
    ),
]
var times = variants.map { _ in [Double]() }
for variant in variants { _ = try await measure(2 * concurrency, variant.lifecycle) }
for _ in 0..<rounds {
    for (index, variant) in variants.enumerated() {
        times[index].append(try await measure(lifecycles, variant.lifecycle))
    }
}
for (index, variant) in variants.enumerated() {
    let (milliseconds, _) = mean(times[index])
    let (ratio, error) = mean(zip(times[index], times[0]).map { $0 / $1 })
    print(
        variant.name,
        String(format: "%.3f ms, %.3f ± %.3f of URLSession", milliseconds, ratio, error),
        separator: ": ")
}
