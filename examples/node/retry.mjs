// Retries with p-retry, and pays once.
//
//     node retry.mjs "A cat walking on a beach at sunset"

import pRetry from 'p-retry';
import { Pipevideo, PipevideoError, SubmissionUncertainError } from 'pipevideo';
import { service } from './service.mjs';

const [prompt = 'A cat walking on a beach at sunset'] = process.argv.slice(2);
// An error is retryable only if the same call, made again, cannot be charged twice.
const options = { retries: 5, shouldRetry: ({ error }) => error.retryable === true };
const client = new Pipevideo(await service());
try {
  // Two steps: once the generation exists, only the wait is repeated.
  const { id } = await pRetry(() => client.responses.create({ model: 'moonshotai/kimi-k2.5', input: prompt }), options);
  const generation = await pRetry(() => client.responses.wait(id), options);
  console.log(await client.responses.download(generation, 'generation.mp4'));
} catch (error) {
  if (!(error instanceof PipevideoError)) throw error;
  console.error(`error: ${error.message}`);
  if (error instanceof SubmissionUncertainError) {
    for (const { id } of await client.responses.reconcile(error)) console.error(`it may be ${id}`);
  }
  process.exitCode = 1;
}
