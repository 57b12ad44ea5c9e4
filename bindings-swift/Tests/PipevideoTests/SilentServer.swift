import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server that reads requests and never answers. It tells when one came, and when its connection was
/// closed again.
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

/// A free port of 127.0.0.1, and what is done with each connection, one after another.
final class Listener: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init(_ serve: @escaping @Sendable (Int32) -> Void) throws {
        #if canImport(Glibc)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> UInt16? in
                guard bind(descriptor, pointer, length) == 0, listen(descriptor, 16) == 0,
                    getsockname(descriptor, pointer, &length) == 0
                else { return nil }
                let bound = UnsafeRawPointer(pointer).load(as: sockaddr_in.self)
                return UInt16(bigEndian: bound.sin_port)
            }
        }
        guard let port else { throw Broken("there is no free port") }
        self.port = port
        self.descriptor = descriptor
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                serve(connection)
            }
        }
    }

    deinit {
        // Wakes `accept`.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
