import sdk from './opentelemetry.js';

export const { instrument } = sdk;
