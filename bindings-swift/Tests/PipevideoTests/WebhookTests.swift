import Foundation
import Pipevideo
import Testing

/// Webhooks: public test vectors, headers, and the waits that a delivery wakes.
@Suite(.timeLimit(.minutes(1))) struct WebhookTests {
    static let vectors = try! Repository.json("core/tests/vectors/svix.json")
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    static let body = Data(
        #"{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}"#
            .utf8
    )

    /// Why a delivery of a vector's body is refused. The bodies are not events of this service.
    func reason(
        _ vector: JSONValue, timestamp: String, signature: String, now: Double,
        family: String = "svix"
    ) throws -> PipevideoError.Reason? {
        let webhook = try Webhook(secrets: [vector["secret"]!.stringValue!])
        let headers = [
            ("\(family)-Id", vector["id"]!.stringValue!), ("\(family)-Timestamp", timestamp),
            ("\(family)-Signature", signature),
        ]
        let error = failure {
            try webhook.unwrap(
                vector["body"]!.stringValue!.utf8, headers: headers,
                now: Date(timeIntervalSince1970: now)
            )
        }
        #expect(error?.kind == .webhookVerification)
        return error?.reason
    }

    @Test func validVectorsVerify() throws {
        let valid = Self.vectors["valid"]!.elements
        #expect(!valid.isEmpty)
        for vector in valid {
            let signature = vector["signature"]!.stringValue!
            let time = vector["timestamp"]!.doubleValue!
            // A signature that verifies is followed by the check of the body, which fails.
            for now in [time, time - 300, time + 300] {
                for family in ["svix", "WEBHOOK"] {
                    let found = try reason(
                        vector, timestamp: "\(Int(time))", signature: signature, now: now,
                        family: family
                    )
                    #expect(found == .badPayload)
                }
            }
            let webhook = try Webhook(secrets: [vector["secret"]!.stringValue!])
            let signed = webhook.sign(
                vector["body"]!.stringValue!.utf8, id: vector["id"]!.stringValue!,
                timestamp: Date(timeIntervalSince1970: time)
            )
            #expect(signature.contains(signed["svix-signature"]!))
            #expect(signed["svix-timestamp"] == "\(Int(time))")
        }
    }

    @Test func invalidVectorsAreRefused() throws {
        let first = Self.vectors["valid"]!.elements[0]
        let time = first["timestamp"]!.doubleValue!
        for signature in strings(Self.vectors["invalid_signatures_of_the_first"]) {
            let found = try reason(
                first, timestamp: "\(Int(time))", signature: signature, now: time
            )
            #expect(found == (signature.isEmpty ? .missingHeader : .noMatch), "\(signature)")
        }
        let timestamps = strings(Self.vectors["invalid_timestamps"])
        #expect(!timestamps.isEmpty)
        for timestamp in timestamps {
            let (sent, expected): (String, PipevideoError.Reason) =
                switch timestamp {
                case "now-301": ("\(Int(time) - 301)", .tooOld)
                case "now+301": ("\(Int(time) + 301)", .tooNew)
                case "": ("", .missingHeader)
                default: (timestamp, .badTimestamp)
                }
            let found = try reason(
                first, timestamp: sent, signature: first["signature"]!.stringValue!, now: time
            )
            #expect(found == expected, "\(timestamp)")
        }
    }

    @Test func headersAreTakenInAnyForm() throws {
        let webhook = try Webhook(secrets: [Self.secret])
        let signed = webhook.sign(Self.body, id: "msg_1")
        let upper = Dictionary(uniqueKeysWithValues: signed.map { ($0.key.uppercased(), $0.value) })
        let labelled = signed.map { (name: $0.key, value: $0.value) }
        for event in [
            try webhook.unwrap(Self.body, headers: signed),
            try webhook.unwrap(Array(Self.body), headers: upper),
            try webhook.unwrap(Self.body[...], headers: labelled.map { ($0.name, $0.value) }),
            try webhook.unwrap(Self.body, headers: labelled),
            try webhook.unwrap(Self.body, headers: labelled, now: Date()),
        ] {
            #expect(
                event.id == "msg_1" && event.generationID == "gen_1" && event.status == .completed)
            #expect(event.type == "video.generation.completed" && !event.isDuplicate)
            let data = try JSONEncoder().encode(event)
            #expect(try JSONDecoder().decode(WebhookEvent.self, from: data) == event)
        }
        let error = failure { try webhook.unwrap(Self.body, headers: [:]) }
        #expect(error?.reason == .missingHeader)
    }

    @Test func laterDeliveryOfAnAcknowledgedEventIsADuplicate() throws {
        let webhook = try Webhook(secrets: [Self.secret])
        let clients = try (0..<2).map { _ in
            try PipevideoClient(
                apiKey: "pv_acknowledges", configuration: .init(webhookSecrets: [Self.secret]))
        }
        let signed = webhook.sign(Self.body, id: "msg_1")
        for unwrap in [
            { _ in try webhook.unwrap(Self.body, headers: signed) },
            { try clients[$0].webhooks.unwrap(Self.body, headers: signed) },
        ] as [(Int) throws -> WebhookEvent] {
            let first = try unwrap(0)
            // The first handler failed, or is still running.
            let second = try unwrap(0)
            #expect(!first.isDuplicate && !second.isDuplicate && first == second)
            try first.acknowledge()
            try second.acknowledge()
            #expect(!first.isDuplicate)
            #expect(try unwrap(0).isDuplicate)
            #expect(try unwrap(1).isDuplicate)
        }
        let other = try Webhook(secrets: [Self.secret])
        #expect(try !other.unwrap(Self.body, headers: signed).isDuplicate)
    }

    @Test func decodedEventCannotBeAcknowledged() throws {
        let webhook = try Webhook(secrets: [Self.secret])
        let event = try webhook.unwrap(Self.body, headers: webhook.sign(Self.body))
        let decoded = try JSONDecoder().decode(
            WebhookEvent.self, from: JSONEncoder().encode(event))
        #expect(failure { try decoded.acknowledge() }?.kind == .invalidRequest)
    }

    @Test func printingAnEventShowsNoSecret() throws {
        let webhook = try Webhook(secrets: [Self.secret])
        let body = Data(
            """
            {"eventType":"e","generationId":"gen_1","outputUrl":"https://v.example/1?sig=SECRET",\
            "errorMessage":"SECRET prompt","colour":"SECRET"}
            """.utf8
        )
        let event = try webhook.unwrap(body, headers: webhook.sign(body, id: "msg_1"))
        #expect(event.outputVideoURL?.query == "sig=SECRET" && event.errorMessage != nil)
        #expect("\(event)".contains(#"generationID: "gen_1", outputVideoURL: hidden"#))
        expectNoSecret(in: event)
    }

    @Test func invalidSecretsAreRefused() {
        for secrets in [[], [""], ["whsec_"], ["not base64!"], [Self.secret, ""]] {
            let error = failure { _ = try Webhook(secrets: secrets) }
            #expect(error?.kind == .configuration)
        }
    }

    /// Starts a wait that relies on webhooks, for a generation that the test ends, and returns after
    /// the first poll.
    private func startWait(
        _ emulator: Emulator
    ) async throws -> (client: PipevideoClient, id: String, wait: Task<Generation, any Error>) {
        let client = try emulator.client {
            $0.polling.safetyInterval = .seconds(3600)
            $0.webhookSecrets = [Self.secret]
        }
        let seen = Collected<GenerationUpdate>()
        let id = try await emulator.addGeneration(["polls": ["in_progress"]])
        let wait = Task { try await client.responses.wait(for: id) { seen.add($0) } }
        _ = await seen.first(1)
        return (client, id, wait)
    }

    @Test func deliveryWakesTheWait() async throws {
        let emulator = try await Emulator.start(["webhook_secrets": [.string(Self.secret)]])
        let (client, id, wait) = try await startWait(emulator)
        let events = Collected<WebhookEvent>()
        let receiver = try Receiver { body, headers in
            guard let event = try? client.webhooks.unwrap(body, headers: headers) else {
                return 400
            }
            events.add(event)
            return 204
        }
        try await emulator.control("PUT", "webhook", ["url": .string(receiver.url)])
        try await emulator.settle(id, ["status": "completed"])
        #expect(try await wait.value.status == .completed)
        #expect(await events.first(1).map(\.generationID) == [id])
        let polls = try await emulator.requests().filter { $0["method"] == "GET" }
        #expect(polls.count == 2)
    }

    @Test func wakeMakesTheWaitPoll() async throws {
        let emulator = try await Emulator.start()
        let (client, id, wait) = try await startWait(emulator)
        try await emulator.settle(id, ["status": "completed"])
        client.webhooks.wake(generationID: id)
        #expect(try await wait.value.status == .completed)
    }

    @Test func clientWithoutSecretsCannotVerify() throws {
        let client = try PipevideoClient(apiKey: "k")
        let signed = try Webhook(secrets: [Self.secret]).sign(Self.body)
        let error = failure {
            try client.webhooks.unwrap(Self.body, headers: signed)
        }
        #expect(error?.kind == .configuration)
    }
}
