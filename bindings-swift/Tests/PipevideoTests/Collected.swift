import Foundation

/// Collects elements from any thread, and lets a test wait for a number of them.
final class Collected<Element: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var elements: [Element] = []
    private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    var count: Int { lock.withLock { elements.count } }

    func add(_ element: Element) {
        let ready = lock.withLock {
            elements.append(element)
            return takeReady { $0 <= elements.count }
        }
        for continuation in ready { continuation.resume() }
    }

    /// Waits until there are this many elements, or for the given time, and returns all. On a busy
    /// machine it takes seconds.
    func first(_ count: Int, within time: Duration = .seconds(50)) async -> [Element] {
        let timeout = Task {
            try await Task.sleep(for: time)
            for continuation in lock.withLock({ takeReady { _ in true } }) { continuation.resume() }
        }
        await withCheckedContinuation { continuation in
            let isReady = lock.withLock {
                if elements.count < count { waiting.append((count, continuation)) }
                return elements.count >= count
            }
            if isReady { continuation.resume() }
        }
        timeout.cancel()
        return lock.withLock { elements }
    }

    private func takeReady(_ isReady: (Int) -> Bool) -> [CheckedContinuation<Void, Never>] {
        let ready = waiting.filter { isReady($0.count) }.map(\.continuation)
        waiting.removeAll { isReady($0.count) }
        return ready
    }
}
