'use strict';

// Spans and metrics for OpenTelemetry, made of what `lib/diagnostics.js` publishes. docs/opentelemetry.md has their
// names.

const { tracingChannel } = require('node:diagnostics_channel');
const { context, metrics, propagation, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { records } = require('./lib/diagnostics.js');
const { Instruments } = require('./lib/opentelemetry/instruments.js');
const { errorType, eventAttributes, ofGeneration, ofServer, splitRoute, word } = require('./lib/opentelemetry/attributes.js');
const { version } = require('./package.json');

/** The operations that wait for a generation, of which polls are the children, and those that poll for themselves. */
const WAITS = ['generate', 'wait', 'watch'];
/** The names of operations that differ from those of their methods. */
const NAMES = { generate: 'generate_content', stream: 'download', bytes: 'download' };
/** What happens to a request, as an event of the span of its call. */
const EVENTS = ['retry', 'hold.begun', 'hold.ended', 'uncertain'];

class Tracing {
  /** The calls in progress, by their contexts, by their numbers in the log, and by the ids of their generations. */
  #byContext = new Map();
  #byNumber = new Map();
  #byId = new Map();
  #tracer;
  #instruments;

  constructor(tracer, meter) {
    this.#tracer = tracer;
    this.#instruments = new Instruments(meter);
  }

  /** The subscribers of the calls. The native call begins between `start` and `end`. */
  subscribers = {
    start: (published) => this.#start(published),
    end: (published) => this.#begun(published),
    asyncEnd: (published) => this.#ended(published),
  };

  #start(published) {
    const { operation, generationId } = published;
    const model = word(published.model);
    const name = NAMES[operation] ?? operation;
    const parent = context.active();
    const attributes = {
      'gen_ai.operation.name': name,
      'gen_ai.provider.name': 'pipevideo',
      'gen_ai.request.model': model,
    };
    const call = { operation, parent, attributes, began: performance.now(), id: word(generationId) };
    // A retrieve is one request, which has a span of its own.
    if (operation !== 'retrieve') {
      const more = { 'gen_ai.output.type': 'video', 'gen_ai.response.id': call.id };
      const options = { kind: SpanKind.CLIENT, attributes: { ...attributes, ...more } };
      call.span = this.#tracer.startSpan(model === undefined ? name : `${name} ${model}`, options, parent);
      call.parent = trace.setSpan(parent, call.span);
    }
    // One poll may serve several waits.
    if (!['wait', 'watch'].includes(operation)) propagate(published, call.parent);
    if (WAITS.includes(operation)) published.onUpdate = (update) => observe(call, update);
    this.#byContext.set(published, call);
    this.#note(call, call.id);
  }

  #begun(published) {
    const call = this.#byContext.get(published);
    if (call === undefined || published.baseURL === undefined) return;
    call.number = published.call;
    if (typeof call.number === 'number') this.#byNumber.set(call.number, call);
    call.server = ofServer(published.baseURL);
    call.span?.setAttributes(call.server);
  }

  #ended(published) {
    const call = this.#byContext.get(published);
    if (call === undefined) return;
    this.#byContext.delete(published);
    this.#byNumber.delete(call.number);
    this.#byId.get(call.id)?.delete(call);
    if (this.#byId.get(call.id)?.size === 0) this.#byId.delete(call.id);
    if (call.span === undefined) return;
    const { error, result } = published;
    const generation = error?.generation ?? error?.last ?? (typeof result === 'object' ? result : undefined);
    const seen = ofGeneration(generation, call);
    const type = errorType(published);
    call.span.setAttributes({ ...seen, 'error.type': type, 'pipevideo.request.id': error?.requestId ?? undefined });
    if (type !== undefined && type !== 'cancelled') {
      // Only this library's messages are known to have no prompt.
      const message = error?.kind === type ? error.message : undefined;
      call.span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    call.span.end();
    const attributes = { ...call.attributes, ...call.server };
    this.#instruments.onCall(call, { ...attributes, 'error.type': type }, generation);
  }

  /** A record of the log. */
  onRecord({ event, time, fields }) {
    const call = this.#callOf(fields);
    if (event === 'request') this.#request(call, time, fields);
    if (event === 'hold.ended') this.#instruments.onHold(fields);
    if (event === 'create' && call !== undefined) {
      this.#note(call, fields.generationId);
      call.span?.setAttribute('gen_ai.response.id', fields.generationId);
    }
    if (EVENTS.includes(event)) call?.span?.addEvent(event, eventAttributes(fields), time);
  }

  #request(call, time, fields) {
    const { route, httpStatus, error, attempt, durationMs } = fields;
    const [method, template] = splitRoute(route);
    // The host of a video is another one, and its URLs are secrets.
    if (template === undefined) return;
    const attributes = {
      'http.request.method': method,
      'url.template': template,
      'http.response.status_code': httpStatus,
      'error.type': httpStatus >= 400 ? String(httpStatus) : error,
      ...call?.server,
    };
    this.#instruments.onRequest(durationMs / 1000, attributes);
    if (call === undefined) return;
    const more = {
      'http.request.resend_count': attempt > 1 ? attempt - 1 : undefined,
      'gen_ai.response.id': fields.generationId,
      'pipevideo.request.id': fields.requestId,
      'pipevideo.budget.left': fields.budgetLeft,
    };
    const startTime = new Date(time.getTime() - durationMs);
    const options = { kind: SpanKind.CLIENT, attributes: { ...attributes, ...more }, startTime };
    const span = this.#tracer.startSpan(route, options, call.parent);
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(time);
  }

  /** The call that a record is about: that of its number; else the oldest one for its generation that sends such
   * requests. */
  #callOf({ call: number, generationId }) {
    const known = this.#byNumber.get(number);
    if (known !== undefined) return known;
    const isPoll = number === undefined;
    return [...(this.#byId.get(generationId) ?? [])].find(({ operation }) => WAITS.includes(operation) === isPoll);
  }

  #note(call, id) {
    if (id === undefined) return;
    call.id = id;
    if (!this.#byId.has(id)) this.#byId.set(id, new Set());
    this.#byId.get(id).add(call);
  }
}

/** Has the call send the context of its span, if the program has a propagator. */
function propagate(published, parent) {
  const headers = {};
  propagation.inject(parent, headers);
  if (Object.keys(headers).length > 0) published.headers = headers;
}

/** Notes how long a generation was queued, if it was seen queued. */
function observe(call, { generation, elapsed }) {
  if (generation.status === 'queued') call.wasQueued = true;
  if (generation.status === 'in_progress' && call.wasQueued) call.queue ??= elapsed / 1000;
}

function instrument({ tracerProvider = trace, meterProvider = metrics } = {}) {
  const tracing = new Tracing(
    tracerProvider.getTracer('pipevideo', version),
    meterProvider.getMeter('pipevideo', version),
  );
  const calls = tracingChannel('pipevideo:call');
  const onRecord = (record) => tracing.onRecord(record);
  calls.subscribe(tracing.subscribers);
  records.subscribe(onRecord);
  return () => {
    calls.unsubscribe(tracing.subscribers);
    records.unsubscribe(onRecord);
  };
}

module.exports = { instrument };
