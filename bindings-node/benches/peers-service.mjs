// A loopback service that speaks the dialects of several video APIs, with the faults that peers.mjs asks for.
//
// It has Pipevideo's limit. Only the paths and the JSON are those that each client expects.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** Pipevideo's documented limit for each key: so many requests in so many milliseconds. */
export const LIMIT = 100;
export const WINDOW_MS = 60_000;
/**
 * Durations are log-normal, as the emulator's are, with 30 s in place of 90 s at the median: the shortest that the
 * service's guide names, so that a run ends within two minutes.
 */
const MEDIAN_MS = 30_000;
const SIGMA = 0.5;

/** What a proxy in front of a service sends. */
const NGINX_PAGE = '<html><body><h1>503 Service Temporarily Unavailable</h1><hr>nginx</body></html>';

/** The JSON of a generation, for each client. */
const DIALECTS = {
  pipevideo: (id, isFinal) => ({
    id,
    object: 'response',
    status: isFinal ? 'completed' : 'in_progress',
    model: 'moonshotai/kimi-k2.5',
    engine: 'hyperframes',
    provider: 'framerate',
    created_at: 1709827200,
    output: [],
    output_video_url: isFinal ? 'https://videos.example/cat.mp4' : null,
  }),
  openai: (id, isFinal) => ({
    id,
    object: 'video',
    status: isFinal ? 'completed' : 'in_progress',
    model: 'sora-2',
    progress: isFinal ? 100 : 0,
  }),
  '@fal-ai/client': (id, isFinal) => ({ request_id: id, status: isFinal ? 'COMPLETED' : 'IN_PROGRESS' }),
  replicate: (id, isFinal) => ({ id, status: isFinal ? 'succeeded' : 'starting' }),
  '@runwayml/sdk': (id, isFinal) => ({ id, status: isFinal ? 'SUCCEEDED' : 'RUNNING' }),
};
DIALECTS.fetch = DIALECTS.pipevideo;

export const CLIENTS = Object.keys(DIALECTS);

/** Returns a function that yields the same numbers from 0 to 1 for each service: the mulberry32 generator. */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Counts the requests of one client. */
export class Service {
  posts = 0;
  polls = 0;
  denied = 0;
  idempotencyKeys = 0;
  #options;
  #server;
  #ends = new Map();
  #admitted = [];
  #random = seeded(1);

  /**
   * Starts a service. Its options:
   *
   * - `client`: the client, for its dialect.
   * - `lost`: so many creates are processed, and the connection is then closed without a response.
   * - `unavailable`: so many polls after the first fail with 503, as JSON or, with `page`, as a proxy's page.
   * - `limited`: beyond the limit it answers 429, with Pipevideo's `data.retry_after` and, with `retryAfter`, also
   *   the header.
   * - `endless`: no generation ends.
   */
  static async start(options) {
    const service = new Service();
    service.#options = options;
    service.#server = createServer((request, response) => {
      request.resume().on('end', () => service.#respond(request, response));
    });
    await once(service.#server.listen(0, '127.0.0.1'), 'listening');
    return service;
  }

  get baseURL() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  stop() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #respond(request, response) {
    const { client, lost = 0, unavailable = 0, page, limited, retryAfter } = this.#options;
    const isCreate = request.method === 'POST';
    const now = performance.now();
    if (isCreate) this.posts += 1;
    else this.polls += 1;
    if (isCreate && 'idempotency-key' in request.headers) this.idempotencyKeys += 1;
    const send = (status, body, headers = {}) => {
      const isPage = typeof body === 'string';
      response.writeHead(status, { 'content-type': isPage ? 'text/html' : 'application/json', ...headers });
      response.end(isPage ? body : JSON.stringify(body));
    };
    const wait = limited ? this.#limit(now) : 0;
    if (wait > 0) {
      this.denied += 1;
      const seconds = Math.ceil(wait / 1000);
      const body = { message: 'Rate limit exceeded', data: { retry_after: seconds } };
      send(429, body, retryAfter ? { 'retry-after': seconds } : {});
    } else if (isCreate) {
      const id = `gen_${this.posts}`;
      this.#ends.set(id, now + this.#duration());
      if (this.posts <= lost) request.socket.destroy();
      else send(200, DIALECTS[client](id, false));
    } else if (this.polls > 1 && this.polls <= 1 + unavailable) {
      send(503, page ? NGINX_PAGE : { message: 'Service unavailable' });
    } else {
      const [id] = /gen_\d+/.exec(request.url);
      send(200, DIALECTS[client](id, now >= this.#ends.get(id)));
    }
  }

  #duration() {
    if (this.#options.endless) return Infinity;
    // The Box-Muller transform makes a normal number of two even ones.
    const [first, second] = [1 - this.#random(), this.#random()];
    return MEDIAN_MS * Math.exp(SIGMA * Math.sqrt(-2 * Math.log(first)) * Math.cos(2 * Math.PI * second));
  }

  /** Returns how long a request has to wait. Denied requests do not count, as in the emulator. */
  #limit(now) {
    while (this.#admitted.length > 0 && this.#admitted[0] <= now - WINDOW_MS) this.#admitted.shift();
    if (this.#admitted.length >= LIMIT) return this.#admitted[0] + WINDOW_MS - now;
    this.#admitted.push(now);
    return 0;
  }
}
