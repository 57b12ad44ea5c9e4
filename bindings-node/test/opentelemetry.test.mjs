// Spans and metrics, with the official SDK and its exporters that keep everything in memory.

import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { test } from 'node:test';
import { propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { Pipevideo } from 'pipevideo';
import { instrument } from 'pipevideo/opentelemetry';
import { collector, folder, MODEL, options, polls, started, until } from './common.mjs';

const PROMPT = 'A cat that must stay private';
const spanExporter = new InMemorySpanExporter();
const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spanExporter)] });
// The context of the caller and the propagation of it, as a program has them.
tracerProvider.register();
const tracer = trace.getTracer('test');

/** Instruments, and makes an emulator with a client. */
async function instrumented(context, given, more) {
  spanExporter.reset();
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const stop = instrument({ meterProvider });
  context.after(stop);
  context.after(() => meterProvider.shutdown());
  const emulator = await started(context, given);
  const client = new Pipevideo(options(emulator, more));
  context.after(() => client.close());
  /** The metrics by their names: unit and points. */
  const collected = async () => {
    await reader.forceFlush();
    const [{ scopeMetrics }] = metricExporter.getMetrics().slice(-1);
    const metrics = scopeMetrics.flatMap(({ metrics }) => metrics);
    return new Map(metrics.map(({ descriptor, dataPoints }) => [descriptor.name, { ...descriptor, points: dataPoints }]));
  };
  return { client, emulator, stop, collected };
}

const spans = () => spanExporter.getFinishedSpans();
const named = (name) => spans().filter((span) => span.name === name);
const childrenOf = (parent) => spans().filter((span) => span.parentSpanContext?.spanId === parent.spanContext().spanId);
const rejection = (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error);

test('a generation is one span, with its requests as children', async (context) => {
  const { client, emulator } = await instrumented(context);
  const generation = await tracer.startActiveSpan('caller', async (caller) => {
    const generation = await client.generate({ model: MODEL, input: PROMPT });
    caller.end();
    return generation;
  });
  const [caller] = named('caller');
  const [span] = childrenOf(caller);
  assert.equal(span.name, `generate_content ${MODEL}`);
  assert.equal(span.kind, SpanKind.CLIENT);
  assert.equal(span.status.code, SpanStatusCode.UNSET);
  const { hostname, port } = new URL(emulator.baseURL);
  const { 'pipevideo.queue.duration': queue, ...attributes } = span.attributes;
  assert.deepEqual(attributes, {
    'gen_ai.operation.name': 'generate_content',
    'gen_ai.provider.name': 'pipevideo',
    'gen_ai.output.type': 'video',
    'gen_ai.request.model': MODEL,
    'gen_ai.response.id': generation.id,
    'gen_ai.response.model': MODEL,
    'gen_ai.usage.input_tokens': generation.usage.inputTokens,
    'gen_ai.usage.output_tokens': generation.usage.outputTokens,
    'server.address': hostname,
    'server.port': Number(port),
    'pipevideo.generation.status': 'completed',
    'pipevideo.engine': 'hyperframes',
    'pipevideo.provider': 'framerate',
    'pipevideo.cost': generation.usage.costUsd,
    'pipevideo.latency': generation.latencyMs / 1000,
  });
  assert.ok(queue >= 0 && queue < 60);
  const requests = childrenOf(span);
  const sent = emulator.requests().map(({ method }) => method);
  assert.deepEqual(requests.map(({ attributes }) => attributes['http.request.method']), sent);
  assert.deepEqual([...new Set(requests.map(({ name }) => name))], ['POST /v1/responses', 'GET /v1/responses/{id}']);
  assert.equal(requests[1].attributes['url.template'], '/v1/responses/{id}');
  assert.ok(requests.every(({ attributes }) => attributes['http.response.status_code'] === 200));
  assert.equal(spans().length, 2 + requests.length);
});

test('requests carry the context of their call, and the polls of a wait do not', async (context) => {
  const { client, emulator } = await instrumented(context, { polls: ['completed'] });
  const { id } = await client.generate({ model: MODEL, input: PROMPT }, { headers: { 'x-own': '1' } });
  const { traceId, spanId } = named(`generate_content ${MODEL}`)[0].spanContext();
  for (const { headers } of emulator.requests()) {
    assert.equal(headers.traceparent, `00-${traceId}-${spanId}-01`);
    assert.equal(headers['x-own'], '1');
  }
  emulator.clearRequests();
  await client.responses.wait(id);
  assert.deepEqual(emulator.requests().map(({ headers }) => headers.traceparent), [undefined]);
  const other = new Pipevideo(options(emulator));
  propagation.disable();
  await other.responses.retrieve(id);
  assert.equal(emulator.requests().at(-1).headers.traceparent, undefined);
  tracerProvider.register();
});

test('create, wait, retrieve and download have spans of their own', async (context) => {
  const { client } = await instrumented(context, { polls: ['queued', 'completed'] });
  const { id } = await client.responses.create({ model: MODEL, input: PROMPT });
  await client.responses.retrieve(id);
  const generation = await client.responses.wait(id);
  await client.responses.download(generation, join(await folder(context), 'cat.mp4'));
  const [create] = named(`create ${MODEL}`);
  assert.equal(create.attributes['gen_ai.response.id'], id);
  assert.deepEqual(childrenOf(create).map(({ name }) => name), ['POST /v1/responses']);
  const [wait] = named('wait');
  assert.equal(wait.attributes['gen_ai.response.id'], id);
  assert.deepEqual(childrenOf(wait).map(({ name }) => name), ['GET /v1/responses/{id}']);
  const alone = named('GET /v1/responses/{id}').filter(({ parentSpanContext }) => parentSpanContext === undefined);
  assert.equal(alone.length, 1);
  assert.equal(named('download')[0].attributes['gen_ai.operation.name'], 'download');
});

test('a watch is one span until its updates end', async (context) => {
  const { client, emulator, collected } = await instrumented(context);
  const id = emulator.addGeneration({ polls: ['queued', 'in_progress', 'completed'] });
  const current = [];
  await tracer.startActiveSpan('caller', async (caller) => {
    for await (const { progress } of client.responses.watch(id)) {
      current.push(progress >= 0 && trace.getActiveSpan() === caller);
    }
    caller.end();
  });
  assert.ok(current.length >= 3 && current.every(Boolean), 'the span is not active in the loop');
  const [watch] = childrenOf(named('caller')[0]);
  assert.equal(watch.name, 'watch');
  assert.equal(watch.status.code, SpanStatusCode.UNSET);
  assert.equal(watch.attributes['gen_ai.response.id'], id);
  assert.equal(watch.attributes['pipevideo.generation.status'], 'completed');
  assert.equal(watch.attributes['error.type'], undefined);
  assert.ok(watch.attributes['pipevideo.queue.duration'] >= 0);
  assert.equal(childrenOf(watch).length, polls(emulator, id));
  assert.deepEqual([...new Set(emulator.requests().map(({ headers }) => headers.traceparent))], [undefined]);
  const [cost] = (await collected()).get('pipevideo.client.cost').points;
  assert.equal(cost.value, watch.attributes['pipevideo.cost']);
});

test('a download is one span, to wherever it goes', async (context) => {
  const { client, emulator } = await instrumented(context);
  const id = emulator.addGeneration({ polls: ['completed'] });
  const to = () => new WritableStream();
  await client.responses.download(id, to());
  await client.responses.bytes(id);
  await client.responses.stream(id).pipeTo(to());
  await client.responses.stream(id).cancel();
  const left = client.responses.stream(id).getReader();
  await left.read();
  await left.cancel();
  const failing = emulator.addGeneration({ polls: ['failed'] });
  await rejection(client.responses.stream(failing).pipeTo(to()));
  const types = named('download').map(({ attributes }) => attributes['error.type']);
  assert.deepEqual(types, [undefined, undefined, undefined, 'cancelled', 'cancelled', 'generation_failed']);
  const children = named('download').map((download) => childrenOf(download).map(({ name }) => name));
  const retrieve = ['GET /v1/responses/{id}'];
  assert.deepEqual(children, [retrieve, retrieve, retrieve, [], retrieve, retrieve]);
  const [request] = emulator.requests();
  assert.ok(request.headers.traceparent.includes(named('download')[0].spanContext().spanId));
});

test('a watch that is left is cancelled', async (context) => {
  const { client, emulator } = await instrumented(context);
  const id = emulator.addGeneration({ polls: ['queued'] });
  const watch = (given) => client.responses.watch(id, given)[Symbol.asyncIterator]();
  for await (const { generation } of client.responses.watch(id)) if (generation.id === id) break;
  const controller = new AbortController();
  const aborted = watch({ signal: controller.signal });
  await aborted.next();
  controller.abort();
  await rejection(aborted.next());
  await (async () => {
    const updates = watch();
    await updates.next();
    assert.equal(named('watch').length, 2, 'it has not ended');
  })();
  const gc = await collector();
  assert.ok(await until(() => (gc(), named('watch').length === 3)), 'it ends when it is collected');
  for (const { attributes, status } of named('watch')) {
    assert.equal(attributes['error.type'], 'cancelled');
    assert.equal(attributes['gen_ai.response.id'], id);
    assert.equal(attributes['pipevideo.generation.status'], 'queued');
    assert.equal(status.code, SpanStatusCode.UNSET);
  }
});

test('a watch that fails has a type, and one of a failed generation has none', async (context) => {
  const { client, emulator } = await instrumented(context);
  const id = emulator.addGeneration({ polls: ['queued'] });
  const all = async (given) => {
    for await (const { generation } of client.responses.watch(id, given)) assert.equal(generation.id, id);
  };
  await rejection(all({ deadlineMs: 30 }));
  emulator.settle(id, 'failed');
  await all();
  assert.throws(() => client.responses.watch(id, { unknown: 1 }));
  assert.throws(() => client.responses.watch(id, 'no options'));
  const types = named('watch').map(({ attributes, status }) => [attributes['error.type'], status.code]);
  assert.deepEqual(types, [
    ['wait_timeout', SpanStatusCode.ERROR],
    [undefined, SpanStatusCode.UNSET],
    ['TypeError', SpanStatusCode.ERROR],
    ['TypeError', SpanStatusCode.ERROR],
  ]);
  assert.equal(named('watch')[1].attributes['pipevideo.generation.status'], 'failed');
});

test('options that are not valid are an error of the call', async (context) => {
  const { client } = await instrumented(context);
  const request = { model: MODEL, input: PROMPT };
  const error = await rejection(client.generate(request, { headers: 'none' }));
  assert.match(error.message, /'headers' must be/);
  assert.equal(named(`generate_content ${MODEL}`)[0].attributes['error.type'], 'TypeError');
});

test('failures have a type', async (context) => {
  const { client, emulator } = await instrumented(context, { polls: ['queued'] });
  const request = { model: MODEL, input: PROMPT };
  const types = () => spans().filter(({ name }) => !name.includes('/v1')).map(({ attributes, status }) => [
    attributes['error.type'],
    status.code,
  ]);
  emulator.fault({ match: { method: 'POST' }, status: 400 });
  await rejection(client.responses.create(request));
  assert.deepEqual(types(), [['bad_request', SpanStatusCode.ERROR]]);
  assert.equal(named('POST /v1/responses')[0].attributes['error.type'], '400');
  assert.equal(named('POST /v1/responses')[0].status.code, SpanStatusCode.ERROR);

  spanExporter.reset();
  emulator.fault({ match: { method: 'POST' }, drop: 'after_reading' });
  await rejection(client.responses.create(request));
  assert.deepEqual(types(), [['submission_uncertain', SpanStatusCode.ERROR]]);
  const [{ events, status }] = named(`create ${MODEL}`);
  assert.deepEqual(events.map(({ name }) => name), ['uncertain']);
  assert.equal(events[0].attributes['pipevideo.model'], MODEL);
  assert.match(status.message, /outcome is unknown/);
  assert.equal(named('POST /v1/responses')[0].attributes['error.type'], 'connection');

  spanExporter.reset();
  const { id } = await client.responses.create(request);
  const controller = new AbortController();
  const waiting = rejection(client.responses.wait(id, { signal: controller.signal }));
  controller.abort();
  await waiting;
  emulator.settle(id, 'failed');
  await rejection(client.responses.wait(id));
  assert.deepEqual(types(), [
    [undefined, SpanStatusCode.UNSET],
    ['cancelled', SpanStatusCode.UNSET],
    ['generation_failed', SpanStatusCode.ERROR],
  ]);
  assert.equal(named('wait')[1].attributes['pipevideo.generation.status'], 'failed');
  assert.ok(named('wait')[1].attributes['pipevideo.generation.category']);
});

test('an attempt after a failure says which one it is', async (context) => {
  const { client, emulator } = await instrumented(context);
  emulator.fault({ match: { method: 'POST' }, status: 429, body: { message: 'wait', data: { retry_after: 0 } } });
  await client.responses.create({ model: MODEL, input: PROMPT });
  const [create] = named(`create ${MODEL}`);
  const resends = childrenOf(create).map(({ attributes }) => attributes['http.request.resend_count']);
  assert.deepEqual(resends, [undefined, 1]);
  const [retry] = create.events;
  assert.equal(retry.name, 'retry');
  assert.equal(retry.attributes['pipevideo.http_status'], 429);
  assert.equal(typeof retry.attributes['pipevideo.pause'], 'number');
});

test('metrics count a generation once', async (context) => {
  const { client, emulator, collected } = await instrumented(context, { polls: ['queued', 'in_progress', 'completed'] });
  const generation = await client.generate({ model: MODEL, input: PROMPT });
  await Promise.all([client.responses.wait(generation.id), client.responses.wait(generation.id)]);
  const metrics = await collected();
  const units = [...metrics].map(([name, { unit }]) => [name, unit]).sort();
  assert.deepEqual(units, [
    ['gen_ai.client.operation.duration', 's'],
    ['gen_ai.client.token.usage', '{token}'],
    ['http.client.request.duration', 's'],
    ['pipevideo.client.cost', '{USD}'],
    ['pipevideo.client.generation.duration', 's'],
    ['pipevideo.client.queue.duration', 's'],
  ]);
  const [cost] = metrics.get('pipevideo.client.cost').points;
  assert.equal(cost.value, generation.usage.costUsd);
  assert.equal(cost.attributes['pipevideo.generation.status'], 'completed');
  const tokens = metrics.get('gen_ai.client.token.usage').points;
  const byType = Object.fromEntries(tokens.map(({ attributes, value }) => [attributes['gen_ai.token.type'], value.sum]));
  assert.deepEqual(byType, { input: generation.usage.inputTokens, output: generation.usage.outputTokens });
  const calls = metrics.get('gen_ai.client.operation.duration').points;
  const byName = Object.fromEntries(
    calls.map(({ attributes, value }) => [attributes['gen_ai.operation.name'], value.count]),
  );
  assert.deepEqual(byName, { generate_content: 1, wait: 2 });
  const requests = metrics.get('http.client.request.duration').points;
  const count = requests.reduce((sum, { value }) => sum + value.count, 0);
  assert.equal(count, emulator.requests().length);
});

test('a request that the budget holds is measured', async (context) => {
  const rateLimit = { requests: 2, perMs: 1_000 };
  const { client, collected } = await instrumented(context, {}, { rateLimit });
  const id = 'gen_1';
  await Promise.all(Array.from({ length: 4 }, () => client.responses.retrieve(id).catch(() => {})));
  const [held] = (await collected()).get('pipevideo.client.hold.duration').points;
  assert.equal(held.attributes['url.template'], '/v1/responses/{id}');
  assert.ok(held.value.count > 0);
});

test('no span has a prompt or a key, and a logger gets the records of its own level', async (context) => {
  const levels = new Set();
  const logger = ({ level }) => levels.add(level);
  const { client, emulator } = await instrumented(context, {}, { logger });
  await client.generate({ model: MODEL, input: PROMPT });
  await rejection(client.generate({ model: PROMPT, input: PROMPT }, { deadlineMs: 'soon' }));
  emulator.fault({ match: { method: 'POST' }, status: 400, body: { message: PROMPT } });
  await rejection(client.generate({ model: MODEL, input: PROMPT }));
  const all = JSON.stringify(spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]));
  assert.ok(all.includes('generate_content'));
  for (const secret of [PROMPT, emulator.apiKey, 'signature']) assert.ok(!all.includes(secret), secret);
  assert.deepEqual([...levels], ['info']);
});

test('it ends, and without it nothing is published', async (context) => {
  const { emulator, stop } = await instrumented(context);
  stop();
  const client = new Pipevideo(options(emulator));
  const published = [];
  await client.generate({ model: MODEL, input: PROMPT });
  const onRecord = (record) => published.push(record);
  channel('pipevideo:record').subscribe(onRecord);
  context.after(() => channel('pipevideo:record').unsubscribe(onRecord));
  await client.generate({ model: MODEL, input: PROMPT });
  assert.deepEqual([spans(), published], [[], []]);
  const later = new Pipevideo(options(emulator));
  await later.generate({ model: MODEL, input: PROMPT });
  assert.ok(await until(() => published.some(({ event }) => event === 'request')));
});
