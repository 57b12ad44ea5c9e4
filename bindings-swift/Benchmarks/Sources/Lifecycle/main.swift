// What calls cost: the CPU of a create and four retrieves, each awaited, and of one generate, beside
// the same with bare URLSession. The server is another process; what it uses is not counted.

import Foundation
import Pipevideo

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

let model = "moonshotai/kimi-k2.5"
let baseURL = ProcessInfo.processInfo.environment["PIPEVIDEO_BASE_URL"]!
let key = ProcessInfo.processInfo.environment["PIPEVIDEO_API_KEY"]!
let atOnce = 50
let lifecycles = 1000
let rounds = 5

/// Seconds of CPU that this process has used, all threads.
func cpu() -> Double {
    Double(clock()) / Double(CLOCKS_PER_SEC)
}

/// Milliseconds of CPU for one lifecycle, with so many at once: the best of several rounds.
func cost(_ lifecycle: @escaping @Sendable () async throws -> Void) async throws -> Double {
    func round(_ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<atOnce {
                group.addTask { for _ in 0..<count { try await lifecycle() } }
            }
            try await group.waitForAll()
        }
    }
    try await round(2)
    var best = Double.infinity
    for _ in 0..<rounds {
        let begun = cpu()
        try await round(lifecycles / atOnce)
        best = min(best, (cpu() - begun) / Double(lifecycles) * 1000)
    }
    return best
}

struct Answer: Codable, Sendable {
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
configuration.httpMaximumConnectionsPerHost = atOnce
let session = URLSession(configuration: configuration)

@Sendable func bare(_ method: String, _ path: String, _ body: [String: String]?) async throws
    -> Answer
{
    var request = URLRequest(url: URL(string: "\(baseURL)/v1/responses\(path)")!)
    request.httpMethod = method
    request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization")
    if let body {
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONEncoder().encode(body)
    }
    let (data, _) = try await session.data(for: request)
    return try JSONDecoder().decode(Answer.self, from: data)
}

let client = try Pipevideo(
    rateLimit: nil, polling: Polling(minInterval: .zero, maxInterval: .zero)
)

let urlSession = try await cost {
    let id = try await bare("POST", "", ["model": model, "input": "A cat"]).id
    for _ in 0..<4 { _ = try await bare("GET", "/\(id)", nil) }
}
let calls = try await cost {
    let id = try await client.responses.create(model: model, input: "A cat").id
    for _ in 0..<4 { _ = try await client.responses.retrieve(id) }
}
let generate = try await cost { _ = try await client.generate(model: model, input: "A cat") }

func show(_ what: String, _ milliseconds: Double) {
    let shown = String(
        format: "%.3f ms, %.3f of URLSession", milliseconds, milliseconds / urlSession)
    print("\(what): \(shown)")
}
show("bare URLSession, create and four retrieves", urlSession)
show("Pipevideo, create and four retrieves", calls)
show("Pipevideo, one generate (create and four polls)", generate)
