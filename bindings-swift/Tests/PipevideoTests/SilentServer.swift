import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server that reads requests and never responds. It records when a request arrived and when its
/// connection was closed.
final class SilentServer: Sendable {
    enum Event { case request, closed }

    let events = Collected<Event>()
    let url: String
    private let listener: Listener

    init() throws {
        let events = events
        listener = try Listener { connection in
            Thread.detachNewThread {
                var buffer = [UInt8](repeating: 0, count: 65536)
                guard recv(connection, &buffer, buffer.count, 0) > 0 else { return }
                events.add(.request)
                while recv(connection, &buffer, buffer.count, 0) > 0 {}
                close(connection)
                events.add(.closed)
            }
        }
        url = "http://127.0.0.1:\(listener.port)"
    }
}
