import Foundation
import Pipevideo
import Testing

/// Runs the scenarios that every language runs, each against its own emulator.
@Suite struct ScenarioTests {
    static let surface = try! Repository.json("conformance/surface.json")
    static let excuses = surface["excuses"]?["swift"]?.members ?? [:]
    static let names: [String] = {
        let folder = Repository.root.appending(path: "conformance/scenarios").path
        let files = try! FileManager.default.contentsOfDirectory(atPath: folder)
        let names = files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
        let prefix = ProcessInfo.processInfo.environment["SCENARIO"] ?? ""
        return names.filter { $0.hasPrefix(prefix) }.sorted()
    }()
    /// Limits how many emulators run at once. The machines that run the tests have few cores.
    static let slots = Slots(8)

    init() {
        clearEnvironment()
    }

    @Test(.timeLimit(.minutes(5)), arguments: names)
    func scenario(_ name: String) async throws {
        let scenario = try Repository.json("conformance/scenarios/\(name).json")
        let operation = scenario["call"]?["operation"]?.stringValue ?? ""
        if let reason = Self.excuses[name] ?? Self.excuses[operation] {
            print("EXCUSED \(name): \(reason)")
            return
        }
        await Self.slots.acquire()
        do {
            try await ScenarioRun.run(scenario)
        } catch {
            Issue.record("\(name): \(scenario["about"]?.stringValue ?? "")\n    \(error)")
        }
        await Self.slots.release()
    }

    @Test func scenariosAreFound() {
        #expect(Self.names.count > 200 || ProcessInfo.processInfo.environment["SCENARIO"] != nil)
    }
}

/// Unsets the environment variables that a client reads. The scenarios expect none of them.
func clearEnvironment() {
    for name in [
        "PIPEVIDEO_API_KEY", "PIPEVIDEO_BASE_URL", "PIPEVIDEO_WEBHOOK_SECRET", "PIPEVIDEO_LOG",
    ] {
        unsetenv(name)
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        unsetenv(name)
        unsetenv(name.uppercased())
    }
}

/// An asynchronous semaphore.
actor Slots {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ free: Int) {
        self.free = free
    }

    func acquire() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func release() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
