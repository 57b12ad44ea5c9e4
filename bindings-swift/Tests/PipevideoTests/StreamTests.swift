import Foundation
import Pipevideo
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Videos as chunks and as data. The scenarios show what interrupts them.
@Suite(.timeLimit(.minutes(1))) struct StreamTests {
    private func completed(_ emulator: Emulator) async throws -> String {
        try await emulator.addGeneration(["polls": ["completed"]])
    }

    @Test func chunksAndDataAreTheVideo() async throws {
        let emulator = try await Emulator.start(["video_bytes": 1_000_000])
        let client = try emulator.client()
        let id = try await completed(emulator)
        let stream = client.responses.stream(try await client.responses.retrieve(id))
        for _ in 1...2 {
            var received = Data()
            for try await chunk in stream { received += chunk }
            #expect(received.count == 1_000_000)
            #expect(try await client.responses.data(id) == received)
        }
        let error = await failure { _ = try await client.responses.data(id, maxBytes: 999_999) }
        #expect(error?.kind == .download && error?.isRetryable == false)
    }

    @Test func nothingIsRequestedBeforeTheFirstChunk() async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        var iterator = client.responses.stream("gen_1").makeAsyncIterator()
        #expect(try await emulator.requestCount() == 0)
        let error = await failure { _ = try await iterator.next() }
        #expect(error?.kind == .notFound)
        #expect(try await iterator.next() == nil)
    }

    @Test(arguments: [false, true])
    func leavingTheLoopOrCancellingClosesTheConnection(cancels: Bool) async throws {
        let emulator = try await Emulator.start()
        let client = try emulator.client()
        let host = try HalfHost()
        try await emulator.addFault([
            "match": ["path": "/v1/responses/*"], "patch": ["output_video_url": .string(host.url)],
        ])
        let stream = client.responses.stream(try await completed(emulator))
        let task = Task {
            for try await chunk in stream {
                #expect(chunk == Data("half".utf8))
                if !cancels { break }
                host.events.add(.chunk)
            }
        }
        if cancels {
            #expect(await host.events.first(1) == [.chunk])
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        } else {
            try await task.value
        }
        #expect(await host.events.first(cancels ? 2 : 1).last == .closed)
    }
}

/// A video host that sends half of a video, and then waits until the connection is closed.
private final class HalfHost: Sendable {
    enum Event { case chunk, closed }

    let events = Collected<Event>()
    let url: String
    private let listener: Listener

    init() throws {
        let events = events
        listener = try Listener { connection in
            Thread.detachNewThread {
                var buffer = [UInt8](repeating: 0, count: 65536)
                guard recv(connection, &buffer, buffer.count, 0) > 0 else { return }
                let half = Array("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf".utf8)
                send(connection, half, half.count, 0)
                while recv(connection, &buffer, buffer.count, 0) > 0 {}
                close(connection)
                events.add(.closed)
            }
        }
        url = "http://127.0.0.1:\(listener.port)/video.mp4"
    }
}
