// Measures what many waits with an update function cost: the threads of this process at 1,000 of them,
// how long another call takes meanwhile, and the memory over 40,000. The resident memory is mostly what
// malloc keeps of earlier rounds, and varies by tens of megabytes; a leak would show in what is allocated.
// Linux only: it reads /proc and asks glibc.

import CMalloc
import Foundation
import Pipevideo

let model = "moonshotai/kimi-k2.5"
let concurrency = 1000
let rounds = 40

/// A line of /proc/self/status, such as `Threads`.
func status(_ name: String) throws -> Int {
    let lines = try String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(
        separator: "\n")
    let line = lines.first { $0.hasPrefix("\(name):") } ?? ""
    return Int(line.split(whereSeparator: \.isWhitespace).dropFirst().first ?? "") ?? 0
}

/// Prints at once, also into a pipe.
func report(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

func client(interval: Duration) throws -> PipevideoClient {
    try PipevideoClient(
        configuration: .init(
            rateLimit: .unlimited, polling: Polling(minInterval: interval, maxInterval: interval)
        )
    )
}

/// Counts the waits that have had their first update.
actor Counter {
    private var count = 0

    func add() { count += 1 }

    func wait(for wanted: Int) async {
        while count < wanted { await Task.yield() }
    }
}

let patient = try client(interval: .seconds(3600))
let waits = Task {
    let counter = Counter()
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<concurrency {
            group.addTask {
                _ = try await patient.generate(model: model, input: "A cat") { _ in
                    Task { await counter.add() }
                }
            }
        }
        await counter.wait(for: concurrency)
        let clock = ContinuousClock()
        let took = try await clock.measure { _ = try await patient.engines.list() }
        report("\(concurrency) waits: \(try status("Threads")) threads; another call took \(took)")
        group.cancelAll()
    }
}
_ = await waits.result

let quick = try client(interval: .zero)
for round in 1...rounds {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<concurrency {
            group.addTask { _ = try await quick.generate(model: model, input: "A cat") { _ in } }
        }
        try await group.waitForAll()
    }
    if round % 8 == 0 {
        let malloc = mallinfo2()
        let allocated = Int(malloc.uordblks + malloc.hblkhd) >> 20
        let resident = try status("VmRSS") >> 10
        report(
            "\(round * concurrency) generations: \(allocated) MB allocated, "
                + "\(resident) MB resident")
    }
}
