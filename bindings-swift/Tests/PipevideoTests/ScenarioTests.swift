import Foundation
import Pipevideo
import Testing

/// The scenarios that every language runs, each with an emulator of its own.
@Suite struct ScenarioTests {
    static let surface = try! Repository.json("conformance/surface.json")
    static let excused = surface["excuses"]?["swift"]?.members ?? [:]
    static let names: [String] = {
        let folder = Repository.root.appending(path: "conformance/scenarios").path
        let files = try! FileManager.default.contentsOfDirectory(atPath: folder)
        let names = files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
        let wanted = ProcessInfo.processInfo.environment["SCENARIO"] ?? ""
        return names.filter { $0.hasPrefix(wanted) }.sorted()
    }()
    /// So many at once.
    static let places = Places(8)

    init() {
        cleanEnvironment()
    }

    @Test(.timeLimit(.minutes(5)), arguments: names)
    func scenario(_ name: String) async throws {
        let scenario = try Repository.json("conformance/scenarios/\(name).json")
        let operation = scenario["call"]?["operation"]?.stringValue ?? ""
        if let reason = Self.excused[name] ?? Self.excused[operation] {
            print("EXCUSED \(name): \(reason)")
            return
        }
        await Self.places.take()
        do {
            try await ScenarioRun.run(scenario)
        } catch {
            Issue.record("\(name): \(scenario["about"]?.stringValue ?? "")\n    \(error)")
        }
        await Self.places.leave()
    }

    @Test func thereAreScenarios() {
        #expect(Self.names.count > 200 || ProcessInfo.processInfo.environment["SCENARIO"] != nil)
    }
}

/// The scenarios say what the client's variables are: nothing.
func cleanEnvironment() {
    for name in ["PIPEVIDEO_API_KEY", "PIPEVIDEO_BASE_URL", "PIPEVIDEO_WEBHOOK_SECRET"] {
        unsetenv(name)
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        unsetenv(name)
        unsetenv(name.uppercased())
    }
}

/// Room for so many at once.
actor Places {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ free: Int) {
        self.free = free
    }

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
