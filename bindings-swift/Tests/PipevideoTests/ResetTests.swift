import Foundation
import Pipevideo
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Connections that the other side resets.
@Suite(.timeLimit(.minutes(1))) struct ResetTests {
    /// The system may send SIGPIPE then, which would end this process: it is at its default here, as
    /// in any Swift program.
    @Test func aResetAmidACreateIsAnErrorAndNoSignal() async throws {
        let listener = try Listener { connection in
            var buffer = [UInt8](repeating: 0, count: 1000)
            _ = recv(connection, &buffer, buffer.count, 0)
            var reset = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout<linger>.size)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, size)
            close(connection)
        }
        let client = try Pipevideo(
            apiKey: "pv_test", baseURL: "http://127.0.0.1:\(listener.port)", rateLimit: nil
        )
        let image = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) + Data(count: 5_000_000)
        // Which call meets the reset depends on how far the system's buffers were.
        for _ in 0..<20 {
            let error = await failure {
                try await client.responses.create(
                    model: kimi, input: ["Let it walk", .image(data: image)])
            }
            #expect(error?.kind == .submissionUncertain)
        }
    }
}
