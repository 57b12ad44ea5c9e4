// Uses of the types of `pipevideo/opentelemetry`.

import { metrics, trace } from '@opentelemetry/api';
import { instrument } from 'pipevideo/opentelemetry';

const stop: () => void = instrument();
instrument({ tracerProvider: trace.getTracerProvider(), meterProvider: metrics.getMeterProvider() });
// @ts-expect-error: there is no such option
instrument({ tracer: trace.getTracer('mine') });
stop();
