import Foundation
import Pipevideo

// Results as the scenarios write them, from the face's own properties.

extension Shown {
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
        self = .error(shown(error), text: text.joined(separator: "\n"))
    }
}

private func json(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
private func json(_ number: Int?) -> JSONValue { number.map { .number(Decimal($0)) } ?? .null }
private func json(_ number: Decimal?) -> JSONValue { number.map(JSONValue.number) ?? .null }
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

/// The wire JSON, by Codable.
func wire(_ value: some Encodable) -> JSONValue {
    let data = (try? JSONEncoder().encode(value)) ?? Data()
    return (try? JSONDecoder().decode(JSONValue.self, from: data)) ?? .null
}

func shown(_ generation: Generation) -> JSONValue {
    var shown = wire(generation).members
    shown["id"] = json(generation.id)
    shown["status"] = json(generation.status.rawValue)
    shown["model"] = json(generation.model)
    shown["engine"] = json(generation.engine)
    shown["provider"] = json(generation.provider)
    shown["created_at"] = generation.createdAt.map(json) ?? shown["created_at"]
    shown["output_video_url"] =
        generation.outputVideoURL.map { json($0.absoluteString) } ?? shown["output_video_url"]
    shown["latency_ms"] = millis(generation.latency)
    shown["output"] = generation.output ?? .null
    shown["is_final"] = .bool(generation.isFinal)
    shown.merge(generation.extra) { _, extra in extra }
    if let usage = generation.usage {
        shown["usage"] = .object(
            wire(usage).members.merging([
                "input_tokens": json(usage.inputTokens), "output_tokens": json(usage.outputTokens),
                "total_tokens": json(usage.totalTokens), "cost_usd": json(usage.costUSD),
            ]) { _, typed in typed }
        )
    }
    if let error = generation.error {
        shown["error"] = .object(
            wire(error).members.merging([
                "code": json(error.code), "message": json(error.message),
                "category": json(error.category.rawValue),
            ]) { _, typed in typed }
        )
    }
    return .object(shown)
}

func shown(_ update: Update) -> JSONValue {
    [
        "generation": shown(update.generation), "elapsed": json(update.elapsed),
        "expected": json(update.expected), "via": json(update.via.rawValue),
    ]
}

func shown(_ catalog: EngineCatalog) -> JSONValue {
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

func shown(_ usage: AccountUsage) -> JSONValue {
    [
        "credit_balance": json(usage.creditBalance),
        "totals": [
            "total_requests": json(usage.totals.totalRequests),
            "completed_requests": json(usage.totals.completedRequests),
            "failed_requests": json(usage.totals.failedRequests),
            "total_cost_cents": json(usage.totals.totalCostCents),
        ],
        "daily_usage": .array(usage.dailyUsage.map(shown)),
        "daily_usage_by_route": .array(
            usage.dailyUsageByRoute.map { day in
                ["date": json(day.date), "routes": .array(day.routes.map(shown))]
            }
        ),
        "recent_requests": .array(usage.recentRequests.map(shown)),
    ]
}

private func shown(_ day: DailyUsage) -> JSONValue {
    [
        "date": json(day.date), "request_count": json(day.requestCount),
        "completed_count": json(day.completedCount), "failed_count": json(day.failedCount),
        "total_cost_cents": json(day.totalCostCents),
        "total_duration_seconds": json(day.totalDurationSeconds),
    ]
}

private func shown(_ route: RouteUsage) -> JSONValue {
    [
        "engine": json(route.engine), "model": json(route.model), "provider": json(route.provider),
        "request_count": json(route.requestCount), "completed_count": json(route.completedCount),
        "failed_count": json(route.failedCount), "total_cost_cents": json(route.totalCostCents),
        "total_prompt_tokens": json(route.totalPromptTokens),
        "total_completion_tokens": json(route.totalCompletionTokens),
        "avg_latency_ms": json(route.avgLatencyMs),
    ]
}

func shown(_ request: RecentRequest) -> JSONValue {
    [
        "id": json(request.id), "status": json(request.status?.rawValue),
        "model_name": json(request.modelName), "engine": json(request.engine),
        "cost_cents": json(request.costCents), "latency_ms": millis(request.latency),
        "created_at": millis(request.createdAt), "completed_at": millis(request.completedAt),
    ]
}

func shown(_ event: WebhookEvent) -> JSONValue {
    let shown: [String: JSONValue] = [
        "id": json(event.id), "timestamp": json(event.timestamp), "type": json(event.type),
        "generation_id": json(event.generationID), "status": json(event.status?.rawValue),
        "output_video_url": json(event.outputVideoURL?.absoluteString),
        "error_message": json(event.errorMessage), "duplicate": .bool(event.duplicate),
    ]
    return .object(shown.merging(event.extra) { typed, _ in typed })
}

func shown(_ error: PipevideoError) -> JSONValue {
    [
        "kind": json(error.kind.rawValue), "message": json(error.message),
        "status": json(error.status),
        "code": json(error.code), "request_id": json(error.requestID),
        "generation_id": json(error.generationID), "retryable": .bool(error.retryable),
        "retry_after": error.retryAfter.map { json($0) } ?? .null, "attempts": json(error.attempts),
        "model": json(error.model), "sent_at": json(error.sentAt),
        "generation": error.generation.map { shown($0) } ?? .null,
        "category": json(error.category?.rawValue), "last": error.last.map { shown($0) } ?? .null,
        "polls": json(error.polls), "reason": json(error.reason?.rawValue),
    ]
}
