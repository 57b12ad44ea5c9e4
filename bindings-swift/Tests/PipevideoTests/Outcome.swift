import Foundation
import Pipevideo

// Results in the scenarios' JSON, built from the public properties.

/// The outcome of a call.
enum Outcome {
    case value(JSONValue)
    /// An error's fields, and all texts that Swift prints for it.
    case error(JSONValue, text: String)

    init(_ error: any Error) {
        guard let error = error as? PipevideoError else {
            self = .error(["kind": .string("\(type(of: error)): \(error)")], text: "\(error)")
            return
        }
        var dumped = ""
        dump(error, to: &dumped)
        let text = [
            error.message, error.localizedDescription, "\(error)", String(reflecting: error),
            dumped,
        ]
        self = .error(json(of: error), text: text.joined(separator: "\n"))
    }
}

private func json(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
private func json(_ number: Int?) -> JSONValue { number.map { .number(Decimal($0)) } ?? .null }
private func json(_ number: Decimal?) -> JSONValue { number.map(JSONValue.number) ?? .null }
private func cents(_ dollars: Decimal?) -> JSONValue { json(dollars.map { $0 * 100 }) }
private func json(_ time: Duration) -> JSONValue { .number(Decimal(time / .seconds(1))) }
private func json(_ date: Date?) -> JSONValue {
    date.map { .number(Decimal($0.timeIntervalSince1970)) } ?? .null
}
private func millis(_ time: Duration?) -> JSONValue {
    time.map { .number(Decimal($0 / .milliseconds(1))) } ?? .null
}
private func millis(_ date: Date?) -> JSONValue {
    date.map { .number(Decimal(($0.timeIntervalSince1970 * 1000).rounded())) } ?? .null
}

/// The service's JSON, by `Codable`.
func wireJSON(_ value: some Encodable) -> JSONValue {
    let data = (try? JSONEncoder().encode(value)) ?? Data()
    return (try? JSONDecoder().decode(JSONValue.self, from: data)) ?? .null
}

func json(of generation: Generation) -> JSONValue {
    var fields = wireJSON(generation).members
    fields["id"] = json(generation.id)
    fields["status"] = json(generation.status.rawValue)
    fields["model"] = json(generation.model)
    fields["engine"] = json(generation.engine)
    fields["provider"] = json(generation.provider)
    fields["created_at"] = generation.createdAt.map(json) ?? fields["created_at"]
    fields["output_video_url"] =
        generation.outputVideoURL.map { json($0.absoluteString) } ?? fields["output_video_url"]
    fields["latency_ms"] = millis(generation.latency)
    fields["output"] = generation.output ?? .null
    fields["is_final"] = .bool(generation.isFinal)
    fields.merge(generation.extra) { _, extra in extra }
    if let usage = generation.usage {
        fields["usage"] = .object(
            wireJSON(usage).members.merging([
                "input_tokens": json(usage.inputTokens), "output_tokens": json(usage.outputTokens),
                "total_tokens": json(usage.totalTokens), "cost_usd": json(usage.costUSD),
            ]) { _, typed in typed }
        )
    }
    if let error = generation.error {
        fields["error"] = .object(
            wireJSON(error).members.merging([
                "code": json(error.code), "message": json(error.message),
                "category": json(error.category.rawValue),
            ]) { _, typed in typed }
        )
    }
    return .object(fields)
}

func json(of update: GenerationUpdate) -> JSONValue {
    [
        "generation": json(of: update.generation), "elapsed": json(update.elapsed),
        "expected": json(update.expected), "progress": .number(Decimal(update.progress)),
        "via": json(update.via.rawValue),
    ]
}

/// A record with the names that `surface.json` has.
func json(of record: LogRecord) -> JSONValue {
    let snakeCase = { (name: String) in
        name.map { $0.isUppercase ? "_\($0.lowercased())" : String($0) }.joined()
    }
    var members = Dictionary(uniqueKeysWithValues: record.fields.map { (snakeCase($0), $1) })
    members["level"] = json(record.level.rawValue)
    members["event"] = json(record.event)
    members["message"] = json(record.message)
    return .object(members)
}

func json(of response: APIResponse) -> JSONValue {
    [
        "status": .number(Decimal(response.status)), "request_id": json(response.requestID),
        "headers": .object(response.headers.mapValues { json($0) }), "json": response.json ?? .null,
    ]
}

func json(of catalog: EngineCatalog) -> JSONValue {
    .array(
        catalog.engines.map { engine in
            let models = engine.models.map { model -> JSONValue in
                [
                    "id": json(model.id), "input_per_million_usd": json(model.inputPerMillionUSD),
                    "output_per_million_usd": json(model.outputPerMillionUSD),
                ]
            }
            return ["id": json(engine.id), "models": .array(models)]
        }
    )
}

func json(of usage: AccountUsage) -> JSONValue {
    [
        "credit_balance": cents(usage.creditBalanceUSD),
        "totals": [
            "total_requests": json(usage.totals.totalRequests),
            "completed_requests": json(usage.totals.completedRequests),
            "failed_requests": json(usage.totals.failedRequests),
            "total_cost_cents": cents(usage.totals.totalCostUSD),
        ],
        "daily_usage": .array(usage.dailyUsage.map { json(of: $0) }),
        "daily_usage_by_route": .array(
            usage.dailyUsageByRoute.map { day in
                ["date": json(day.date), "routes": .array(day.routes.map { json(of: $0) })]
            }
        ),
        "recent_requests": .array(usage.recentRequests.map { json(of: $0) }),
    ]
}

private func json(of day: DailyUsage) -> JSONValue {
    [
        "date": json(day.date), "request_count": json(day.requestCount),
        "completed_count": json(day.completedCount), "failed_count": json(day.failedCount),
        "total_cost_cents": cents(day.totalCostUSD),
        "total_duration_seconds": day.totalDuration.map { json($0) } ?? .null,
    ]
}

private func json(of route: RouteUsage) -> JSONValue {
    [
        "engine": json(route.engine), "model": json(route.model), "provider": json(route.provider),
        "request_count": json(route.requestCount), "completed_count": json(route.completedCount),
        "failed_count": json(route.failedCount), "total_cost_cents": cents(route.totalCostUSD),
        "total_prompt_tokens": json(route.totalPromptTokens),
        "total_completion_tokens": json(route.totalCompletionTokens),
        "avg_latency_ms": millis(route.averageLatency),
    ]
}

func json(of estimate: CostEstimate) -> JSONValue {
    [
        "cost_usd": json(estimate.costUSD), "low": json(estimate.low), "high": json(estimate.high),
        "based_on": json(estimate.basedOn?.rawValue), "samples": json(estimate.samples),
    ]
}

func json(of spend: Spend) -> JSONValue {
    [
        "spent": json(spend.spent), "failed_but_charged": json(spend.failedButCharged),
        "in_flight": json(spend.inFlight), "uncertain": json(spend.uncertain),
        "limit": json(spend.limit), "remaining": json(spend.remaining),
        "in_flight_count": json(spend.inFlightCount),
        "uncertain_count": json(spend.uncertainCount), "unknown_count": json(spend.unknownCount),
    ]
}

func json(of request: RecentRequest) -> JSONValue {
    [
        "id": json(request.id), "status": json(request.status?.rawValue),
        "model_name": json(request.modelName), "engine": json(request.engine),
        "cost_cents": cents(request.costUSD), "latency_ms": millis(request.latency),
        "created_at": millis(request.createdAt), "completed_at": millis(request.completedAt),
    ]
}

func json(of candidate: Candidate) -> JSONValue {
    [
        "id": json(candidate.id), "model_name": json(candidate.modelName),
        "same_model": candidate.isSameModel.map { .bool($0) } ?? .null,
        "known_before": .bool(candidate.wasKnownBefore),
    ]
}

func json(of event: WebhookEvent) -> JSONValue {
    let fields: [String: JSONValue] = [
        "id": json(event.id), "timestamp": json(event.timestamp), "type": json(event.type),
        "generation_id": json(event.generationID), "status": json(event.status?.rawValue),
        "output_video_url": json(event.outputVideoURL?.absoluteString),
        "error_message": json(event.errorMessage), "duplicate": .bool(event.isDuplicate),
    ]
    return .object(fields.merging(event.extra) { typed, _ in typed })
}

func json(of error: PipevideoError) -> JSONValue {
    [
        "kind": json(error.kind.rawValue), "message": json(error.message),
        "service_message": json(error.serviceMessage), "status": json(error.status),
        "code": json(error.code), "request_id": json(error.requestID),
        "generation_id": json(error.generationID), "retryable": .bool(error.isRetryable),
        "retry_after": error.retryAfter.map { json($0) } ?? .null, "attempts": json(error.attempts),
        "model": json(error.model), "sent_at": json(error.sentAt),
        "generation": error.generation.map { json(of: $0) } ?? .null,
        "category": json(error.category?.rawValue),
        "last": error.last.map { json(of: $0) } ?? .null,
        "polls": json(error.polls), "reason": json(error.reason?.rawValue),
    ]
}
