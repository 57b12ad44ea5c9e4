import Pipevideo
import PipevideoTesting
import XCTest

/// The same with XCTest: a fake client for what an app does, the emulator for the whole way.
final class XCTestExample: XCTestCase {
    private let request = GenerationRequest(model: kimi, prompt: "A cat")

    func testAFailedGenerationIsAnError() async throws {
        let client = FakeVideoGenerator([.fails(GenerationError(code: "invalid_prompt"))])
        do {
            _ = try await client.generate(request)
            XCTFail("it succeeded")
        } catch let error as PipevideoError {
            XCTAssertEqual(error.kind, .generationFailed)
            XCTAssertEqual(error.category, .invalidPrompt)
        }
    }

    func testALostResponseIsNotSentAgain() async throws {
        let emulator = try await Emulator.start()
        try await emulator.addFault(["match": ["method": "POST"], "drop": "after_reading"])
        do {
            _ = try await emulator.client().generate(request)
            XCTFail("it succeeded")
        } catch let error as PipevideoError {
            XCTAssertEqual(error.kind, .submissionUncertain)
        }
        let requests = try await emulator.requests()
        XCTAssertEqual(requests.filter { $0["method"] == "POST" }.count, 1)
    }
}
