// Uses of the types. They must compile, except for each line after `@ts-expect-error`, which must not.

import { createWriteStream } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import Default, {
  APIStatusError,
  type BatchItem,
  type BatchRequest,
  type BatchSummary,
  type CostEstimate,
  type Generation,
  GenerationFailedError,
  type GenerationHandle,
  generationSchema,
  type GenerationRequest,
  image,
  type LogRecord,
  NotFoundError,
  Pipevideo,
  PipevideoError,
  readJournal,
  SubmissionUncertainError,
  text,
  type Update,
  video,
  WaitTimeoutError,
  Webhook,
  type WebhookEvent,
} from 'pipevideo';
import { Emulator } from 'pipevideo/testing';

export async function everything(signal: AbortSignal, headers: Headers): Promise<string | null> {
  await using client = new Pipevideo({
    apiKey: async () => 'token',
    baseURL: process.env['SOMEWHERE'],
    rateLimit: null,
    polling: { minIntervalMs: 0, typicalMs: 1000 },
    webhookSecrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    app: { url: 'https://example.com', title: 'Example' },
    headers: { 'x-team': 'video' },
    spendLimit: '25.00',
    redis: 'rediss://user:password@redis.example:6380/1',
    caFile: new URL('file:///ca.pem'),
  });
  new Default({ apiKey: process.env.SOME_KEY, rateLimit: { requests: 50, perMs: 60_000 } });

  const request: GenerationRequest = {
    model: 'moonshotai/kimi-k2.5',
    input: [
      text('Make it walk'),
      image(new Uint8Array(), { detail: 'high' }),
      video('https://example.com/a.mp4'),
    ],
    aspectRatio: '16:9',
    provider: ['framerate'],
    extraBody: { seed: 1 },
  };
  const created: Generation = await client.responses.create(request, { signal, timeoutMs: 1000 });
  await client.generate({ model: 'm', input: [{ role: 'user', content: 'A cat' }] });
  const done = await client.generate(request, {
    deadlineMs: 1000,
    onUpdate: ({ generation, elapsed, expected, progress, via }: Update) => {
      const times: number[] = [elapsed, expected, progress];
      const how: 'poll' | 'webhook' = via;
      return [generation.status, times, how];
    },
  });
  const saved: string = await client.responses.download(done, new URL('file:///cat.mp4'), { signal });
  await client.responses.download(saved, createWriteStream(saved), { onProgress: ({ total }) => total });
  await client.responses.download(saved, new ServerResponse(new IncomingMessage(new Socket())));
  await client.responses.download(saved, new WritableStream<Uint8Array>());
  // @ts-expect-error a number is neither a path nor a writable
  await client.responses.download(saved, 1);
  const stream: ReadableStream<Uint8Array> = client.responses.stream(done, { signal, maxBytes: 1000 });
  await pipeline(Readable.fromWeb(stream), createWriteStream(saved));
  for await (const chunk of client.responses.stream(done)) chunk satisfies Uint8Array;
  new Response(client.responses.stream(done));
  const bytes: Uint8Array = await client.responses.bytes(done, { maxBytes: 1000 });
  // @ts-expect-error progress is that of a download
  client.responses.stream(saved, { onProgress: () => bytes });
  const completed: 'completed' = done.status;
  const handle: GenerationHandle = client.generate(request);
  const early: Promise<string> = handle.id;
  (await handle).id satisfies Awaited<typeof early>;
  // @ts-expect-error: the id is read-only
  handle.id = early;

  for await (const { generation } of client.responses.watch(created.id, { signal })) {
    if (!generation.isFinal) continue;
    // A final generation has completed or failed.
    if (generation.status === 'failed') return generation.error?.category ?? null;
    const end: 'completed' = generation.status;
    console.log(end, completed);
  }
  const path: string = await client.responses.download(done, 'cat.mp4', {
    onProgress: ({ downloaded, total }) => console.log(total === null ? downloaded : downloaded / total),
  });
  const rate: number | null | undefined = (await client.engines.list()).engines[0]?.models[0]
    ?.inputPerMillionUsd;
  const estimate: CostEstimate = await client.estimate({ model: 'm', engine: 'lottie', count: 3 }, { signal });
  const source: 'seen' | 'account' | 'rates' | null = estimate.basedOn;
  const peers: number = client.peers();
  const costs: (number | null)[] = [peers, estimate.costUsd, client.spend().spent, client.spend().remaining];
  await client.responses.create({ ...request, maxCostUsd: '0.50' });
  await client.responses.create({ ...request, maxCostUsd: 0.5 });
  console.log(source, costs);
  async function* requests(): AsyncGenerator<BatchRequest> {
    yield { ...request, key: 'cat' };
    yield { model: 'm', input: 'A cat' };
  }
  await using run = client.batch(requests(), {
    journal: new URL('file:///run.jsonl'),
    downloadTo: 'videos/',
    maxInFlight: 20,
    spendLimit: '25.00',
    deadlineMs: 1000,
    retries: 1,
    retryCategories: ['provider'],
    retryUncertain: false,
    stopAfterFailures: 3,
    keepPrompts: true,
    onEvent: ({ kind, counts, spend, total, endsInMs }) => {
      const numbers: (number | null)[] = [counts.inFlight, spend.spent, total, endsInMs];
      if (kind === 'stopped') console.log(numbers);
    },
    signal,
  });
  for await (const item of run) {
    const end: 'completed' | 'failed' | undefined = item.generation?.status;
    if (item.status === 'uncertain') console.log(item.key, item.error?.kind, item.candidates[0]?.sameModel, end);
  }
  const { stoppedBy, failures, errors }: BatchSummary = run.summary();
  console.log(stoppedBy === 'spend_limit', failures.provider, errors.spend_limit);
  client.batch([{ model: 'm', input: 'A cat' }]);
  const journal: AsyncIterable<BatchItem> = readJournal('run.jsonl');
  for await (const { path } of journal) console.log(path);
  const balance: number | null = (await client.usage.retrieve()).creditBalance;
  const event: WebhookEvent = client.webhooks.unwrap(await new Request('http://a').text(), headers);
  client.webhooks.wake(event.generationId ?? '');
  event.acknowledge();
  const signed = new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').sign('{}', {
    id: 'msg_1',
    timestamp: new Date(),
  });
  new Webhook(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']).unwrap(Buffer.from('{}'), signed);

  await using emulator = await Emulator.start({ polls: ['queued', 'completed'], rateLimit: null });
  emulator.settle(created.id, 'failed');
  emulator.fault({ match: { method: 'POST' }, drop: 'after_reading' });
  console.log(path, rate, balance, emulator.requests()[0]?.path);

  try {
    await client.responses.wait(created.id);
  } catch (error) {
    if (error instanceof GenerationFailedError) return error.generation.error?.message ?? error.category;
    if (error instanceof SubmissionUncertainError)
      return (await client.responses.reconcile(error))[0]?.id ?? null;
    if (error instanceof WaitTimeoutError) return error.last?.status ?? null;
    if (error instanceof NotFoundError) return error.generationId;
    if (error instanceof APIStatusError && error.status !== null && error.status >= 500)
      return error.requestId;
    if (error instanceof PipevideoError && error.kind === 'rate_limited') return String(error.retryAfterMs);
    if (error instanceof PipevideoError) return error.serviceMessage;
    throw error;
  }
  return null;
}

export function mistakes(client: Pipevideo, generation: Generation): void {
  // @ts-expect-error: input is required
  client.responses.create({ model: 'm' });
  // @ts-expect-error: it is spelled aspectRatio
  client.responses.create({ model: 'm', input: 'A cat', aspect_ratio: '16:9' });
  // @ts-expect-error: create takes no onUpdate
  client.responses.create({ model: 'm', input: 'A cat' }, { onUpdate: () => {} });
  // @ts-expect-error: a request of a batch is an object
  client.batch(['A cat']);
  // @ts-expect-error: there is no such category
  client.batch([], { retryCategories: ['weather'] });
  // @ts-expect-error: it is spelled downloadTo
  client.batch([], { download_to: 'videos/' });
  new Pipevideo({ logger: console, logLevel: 'debug' });
  new Pipevideo({ logger: ({ level, event, time, fields }: LogRecord) => [level, event, time.getTime(), fields.route] });
  // @ts-expect-error: there is no such level
  new Pipevideo({ logLevel: 'loud' });
  // @ts-expect-error: a logger has a function for each level
  new Pipevideo({ logger: { info: console.info } });
  // @ts-expect-error: there is no such option
  new Pipevideo({ baseUrl: 'https://example.com' });
  // @ts-expect-error: milliseconds are a number
  new Pipevideo({ deadlineMs: '900' });
  // @ts-expect-error: an amount is a string or a number
  new Pipevideo({ spendLimit: true });
  // @ts-expect-error: the server is a URL
  new Pipevideo({ redis: 6379 });
  // @ts-expect-error: an estimate needs a model
  client.estimate({ count: 3 });
  // @ts-expect-error: the spend is read-only
  client.spend().spent = 0;
  // @ts-expect-error: a generation is read-only
  generation.status = 'completed';
  // @ts-expect-error: a parsed body cannot be verified
  client.webhooks.unwrap({ eventType: 'video.generation.completed' }, {});
  // @ts-expect-error: there is no such detail
  image('cat.png', { detail: 'sharp' });
  const parsed = generationSchema['~standard'].validate(JSON.parse(JSON.stringify(generation)));
  const status: string = parsed.issues ? parsed.issues[0]!.message : parsed.value.status;
  const again: PipevideoError = PipevideoError.fromJSON(JSON.parse(JSON.stringify(new Error(status))));
  again.toJSON().kind satisfies string;
  // @ts-expect-error: only the library makes errors
  new PipevideoError('message');
}
