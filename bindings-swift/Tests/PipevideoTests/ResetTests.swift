import Foundation
import Pipevideo
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Connections that the server resets.
@Suite(.timeLimit(.minutes(1))) struct ResetTests {
    /// Writing to a reset connection may raise SIGPIPE, which ends a process that has not changed
    /// the default action. Swift programs do not change it.
    @Test func resetDuringACreateIsAnErrorAndNotASignal() async throws {
        let listener = try Listener { connection in
            var buffer = [UInt8](repeating: 0, count: 1000)
            _ = recv(connection, &buffer, buffer.count, 0)
            var reset = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout<linger>.size)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, size)
            close(connection)
        }
        let client = try PipevideoClient(
            apiKey: "pv_test",
            configuration: .init(
                baseURL: "http://127.0.0.1:\(listener.port)", maxRetries: 0,
                rateLimit: .unlimited
            )
        )
        let image = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) + Data(count: 5_000_000)
        // Whether the reset meets a read or a write depends on the system's buffers.
        for _ in 0..<20 {
            let error = await failure {
                try await client.responses.create(
                    model: kimi, input: ["Make the cat walk", .image(data: image)])
            }
            // Most of the request was never sent, so it was certainly not processed.
            #expect(error?.kind == .connection)
        }
    }
}
