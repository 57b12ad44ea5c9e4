import type { MeterProvider, TracerProvider } from '@opentelemetry/api';

/**
 * Makes spans and metrics of the calls of all clients, and returns the function that ends this.
 *
 * Call it before the clients are made: a client that is older has the spans of its calls, but not those of its
 * requests. The providers are the global ones by default. If the program has a propagator, a create, its polls, a
 * retrieve and a download send the context of their span, as `traceparent`. No attribute has a key, a prompt or a URL.
 *
 * @example
 * import { instrument } from 'pipevideo/opentelemetry';
 *
 * instrument();
 * const client = new Pipevideo();
 */
export function instrument(options?: {
  tracerProvider?: TracerProvider | undefined;
  meterProvider?: MeterProvider | undefined;
}): () => void;
