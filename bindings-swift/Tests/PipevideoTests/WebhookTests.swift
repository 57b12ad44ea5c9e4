import Foundation
import Pipevideo
import Testing

/// Webhooks: the public vectors, and what a server hands over.
@Suite(.timeLimit(.minutes(1))) struct WebhookTests {
    static let vectors = try! Repository.json("core/tests/vectors/svix.json")
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    static let body = Data(
        #"{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}"#
            .utf8
    )

    /// Why a delivery of a vector's body, which is genuine but no event, is refused.
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

    @Test func everyValidVectorVerifies() throws {
        let valid = Self.vectors["valid"]!.elements
        #expect(!valid.isEmpty)
        for vector in valid {
            let signature = vector["signature"]!.stringValue!
            let time = vector["timestamp"]!.doubleValue!
            // The vectors' bodies are no events of this service: that is found wrong last.
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

    @Test func noInvalidVectorDoes() throws {
        let first = Self.vectors["valid"]!.elements[0]
        let time = first["timestamp"]!.doubleValue!
        for signature in texts(Self.vectors["invalid_signatures_of_the_first"]) {
            let found = try reason(
                first, timestamp: "\(Int(time))", signature: signature, now: time
            )
            #expect(found == (signature.isEmpty ? .missingHeader : .noMatch), "\(signature)")
        }
        let timestamps = texts(Self.vectors["invalid_timestamps"])
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

    @Test func headersMayBeAnything() throws {
        let webhook = try Webhook(secrets: [Self.secret])
        let signed = webhook.sign(Self.body, id: "msg_1")
        let upper = Dictionary(uniqueKeysWithValues: signed.map { ($0.key.uppercased(), $0.value) })
        let labelled = signed.map { (name: $0.key, value: $0.value) }
        for event in [
            try webhook.unwrap(Self.body, headers: signed),
            try webhook.unwrap(Array(Self.body), headers: upper),
            try webhook.unwrap(Self.body[...], headers: labelled.map { ($0.name, $0.value) }),
        ] {
            #expect(
                event.id == "msg_1" && event.generationID == "gen_1" && event.status == .completed)
            #expect(event.type == "video.generation.completed" && !event.duplicate)
            let data = try JSONEncoder().encode(event)
            #expect(try JSONDecoder().decode(WebhookEvent.self, from: data) == event)
        }
        let error = failure { try webhook.unwrap(Self.body, headers: [:]) }
        #expect(error?.reason == .missingHeader)
    }

    @Test func whatIsPrintedShowsNoSecret() throws {
        let webhook = try Webhook(secrets: [Self.secret])
        let body = Data(
            """
            {"eventType":"e","generationId":"gen_1","outputUrl":"https://v.example/1?sig=SECRET",\
            "errorMessage":"SECRET prompt","colour":"SECRET"}
            """.utf8
        )
        let event = try webhook.unwrap(body, headers: webhook.sign(body, id: "msg_1"))
        #expect(event.outputVideoURL?.query == "sig=SECRET" && event.errorMessage != nil)
        #expect("\(event)" == "WebhookEvent(id: msg_1, type: e, generationID: gen_1)")
        try expectNoSecret(in: event)
    }

    @Test func secretsThatAreNoneAreRefused() {
        for secrets in [[], [""], ["whsec_"], ["not base64!"], [Self.secret, ""]] {
            let error = failure { _ = try Webhook(secrets: secrets) }
            #expect(error?.kind == .configuration)
        }
    }

    /// Creates one that ends only by hand, and whose wait rests on webhooks; waits until it was seen.
    private func resting(
        _ emulator: Emulator, _ secrets: [String]
    ) async throws -> (client: Pipevideo, id: String, wait: Task<Generation, any Error>) {
        let client = try Pipevideo(
            apiKey: emulator.apiKey, baseURL: emulator.baseURL,
            polling: Polling(
                minInterval: .zero, maxInterval: .zero, safetyInterval: .seconds(3600)),
            webhookSecrets: secrets
        )
        let seen = Collected<Update>()
        let id = try await emulator.addGeneration(["polls": ["in_progress"]])
        let wait = Task { try await client.responses.wait(for: id) { seen.add($0) } }
        _ = await seen.first(1)
        return (client, id, wait)
    }

    @Test func aDeliveryWakesItsWait() async throws {
        let emulator = try await Emulator.start(["webhook_secrets": [.string(Self.secret)]])
        let (client, id, wait) = try await resting(emulator, [Self.secret])
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

    @Test func anotherProcessWakesIt() async throws {
        let emulator = try await Emulator.start()
        let (client, id, wait) = try await resting(emulator, [Self.secret])
        try await emulator.settle(id, ["status": "completed"])
        client.webhooks.wake(id)
        #expect(try await wait.value.status == .completed)
    }

    @Test func aClientWithoutSecretsSaysSo() throws {
        let client = try Pipevideo(apiKey: "k")
        let signed = try Webhook(secrets: [Self.secret]).sign(Self.body)
        let error = failure {
            try client.webhooks.unwrap(Self.body, headers: signed)
        }
        #expect(error?.kind == .configuration)
    }
}
