'use strict';

// The metrics.

const { splitRoute } = require('./attributes.js');

/** The boundaries of the conventions for requests and tokens. */
const REQUESTS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const TOKENS = Array.from({ length: 14 }, (_, power) => 4 ** power);
/** A generation takes from half a minute to several minutes. */
const GENERATIONS = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200];

/** The number of ended generations that are remembered: several calls may see one end. */
const MAX_ENDED = 10_000;

class Instruments {
  #ended = new Set();

  constructor(meter) {
    const histogram = (name, unit, boundaries, description) =>
      meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: boundaries } });
    this.calls = histogram('gen_ai.client.operation.duration', 's', GENERATIONS, 'How long a call took.');
    this.tokens = histogram('gen_ai.client.token.usage', '{token}', TOKENS, 'The tokens of a generation.');
    this.requests = histogram('http.client.request.duration', 's', REQUESTS, 'How long a request took.');
    this.queues = histogram('pipevideo.client.queue.duration', 's', GENERATIONS, 'How long it was queued.');
    this.generations = histogram(
      'pipevideo.client.generation.duration',
      's',
      GENERATIONS,
      'The latency of a generation.',
    );
    this.holds = histogram('pipevideo.client.hold.duration', 's', GENERATIONS, 'How long the budget held a request.');
    this.cost = meter.createCounter('pipevideo.client.cost', { unit: '{USD}', description: 'What was paid.' });
  }

  onRequest(seconds, attributes) {
    this.requests.record(seconds, attributes);
  }

  onHold({ route, waitedMs }) {
    this.holds.record(waitedMs / 1000, { 'url.template': splitRoute(route)[1] });
  }

  /** A call has ended, with a generation if it has seen one. */
  onCall(call, attributes, generation) {
    const model = generation?.model ?? undefined;
    const named = { ...attributes, 'gen_ai.response.model': model };
    this.calls.record((performance.now() - call.began) / 1000, named);
    if (!generation?.isFinal || this.#ended.has(generation.id)) return;
    this.#ended.add(generation.id);
    if (this.#ended.size > MAX_ENDED) this.#ended.delete(this.#ended.values().next().value);
    const { usage, status, engine, latencyMs } = generation;
    const ofTokens = { ...named, 'error.type': undefined };
    const counts = { input: usage?.inputTokens, output: usage?.outputTokens };
    for (const [type, count] of Object.entries(counts)) {
      if (typeof count === 'number') this.tokens.record(count, { ...ofTokens, 'gen_ai.token.type': type });
    }
    const made = { 'gen_ai.response.model': model, 'pipevideo.engine': engine ?? undefined };
    const ended = { ...made, 'pipevideo.generation.status': status };
    if (typeof usage?.costUsd === 'number') this.cost.add(usage.costUsd, ended);
    if (latencyMs !== null) this.generations.record(latencyMs / 1000, ended);
    if (call.queue !== undefined) this.queues.record(call.queue, made);
  }
}

module.exports = { Instruments };
