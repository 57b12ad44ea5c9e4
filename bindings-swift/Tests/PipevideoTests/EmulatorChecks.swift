import Pipevideo
import Testing

extension Emulator {
    /// Checks that no requests arrive but those that this function makes.
    func expectNoMoreRequests(at location: SourceLocation = #_sourceLocation) async throws {
        let client = try client()
        let own = try await addGeneration()
        func others() async throws -> Int {
            _ = try await client.responses.retrieve(own)
            let path = JSONValue.string("/v1/responses/\(own)")
            return try await requests().filter { $0["path"] != path }.count
        }
        let before = try await others()
        // The clients of the tests poll without pauses, so they would poll many times meanwhile.
        for _ in 0..<20 { _ = try await others() }
        #expect(try await others() == before, sourceLocation: location)
    }
}
