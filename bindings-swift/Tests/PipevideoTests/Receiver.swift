import Foundation
import Pipevideo

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A receiver of webhooks as small as can be: HTTP/1.1 on loopback, one delivery after another. What
/// its handler answers with is the status.
final class Receiver: Sendable {
    typealias Handler = @Sendable (_ body: Data, _ headers: [(String, String)]) -> Int

    let url: String
    private let listener: Listener

    init(_ handler: @escaping Handler) throws {
        listener = try Listener { connection in
            Self.serve(connection, handler)
            close(connection)
        }
        url = "http://127.0.0.1:\(listener.port)/webhooks"
    }

    private static func serve(_ connection: Int32, _ handler: Handler) {
        var received = Data()
        let end = Data("\r\n\r\n".utf8)
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            if let head = received.range(of: end) {
                let lines = String(decoding: received[..<head.lowerBound], as: UTF8.self)
                    .components(separatedBy: "\r\n")
                let headers = lines.dropFirst().compactMap { line -> (String, String)? in
                    guard let colon = line.firstIndex(of: ":") else { return nil }
                    let value = line[line.index(after: colon)...]
                    return (String(line[..<colon]), value.trimmingCharacters(in: .whitespaces))
                }
                let length = headers.first { $0.0.lowercased() == "content-length" }
                let body = received[head.upperBound...]
                if body.count >= length.flatMap({ Int($0.1) }) ?? 0 {
                    let status = handler(Data(body), headers)
                    let answer =
                        "HTTP/1.1 \(status) -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    _ = send(connection, answer, answer.utf8.count, 0)
                    return
                }
            }
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            received += buffer[..<count]
        }
    }
}

/// A loopback address where nothing listens.
func refused() throws -> String {
    let closed = try Listener { close($0) }
    return "http://127.0.0.1:\(closed.port)"
}

/// Results as they come, and who waits for so many of them.
final class Collected<Element: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var elements: [Element] = []
    private var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    func add(_ element: Element) {
        let ready = lock.withLock {
            elements.append(element)
            return takeReady { $0 <= elements.count }
        }
        for continuation in ready { continuation.resume() }
    }

    /// What has come when it is so many, or after the time.
    func first(_ count: Int, within time: Duration = .seconds(10)) async -> [Element] {
        let late = Task {
            try await Task.sleep(for: time)
            for continuation in lock.withLock({ takeReady { _ in true } }) { continuation.resume() }
        }
        await withCheckedContinuation { continuation in
            let there = lock.withLock {
                if elements.count < count { waiting.append((count, continuation)) }
                return elements.count >= count
            }
            if there { continuation.resume() }
        }
        late.cancel()
        return lock.withLock { elements }
    }

    private func takeReady(_ isReady: (Int) -> Bool) -> [CheckedContinuation<Void, Never>] {
        let ready = waiting.filter { isReady($0.count) }.map(\.continuation)
        waiting.removeAll { isReady($0.count) }
        return ready
    }
}
