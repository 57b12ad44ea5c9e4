import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A TCP listener on a free port of 127.0.0.1, which handles one connection after another.
final class Listener: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init(_ handle: @escaping @Sendable (_ connection: Int32) -> Void) throws {
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
        guard let port else { throw TestFailure("no port of 127.0.0.1 is free") }
        self.port = port
        self.descriptor = descriptor
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                handle(connection)
            }
        }
    }

    deinit {
        // `accept` returns only after a shutdown; closing alone does not wake it.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

/// A loopback address that refuses connections.
func refusedAddress() throws -> String {
    let listener = try Listener { close($0) }
    return "http://127.0.0.1:\(listener.port)"
}
