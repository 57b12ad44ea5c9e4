// Handles errors by class, in TypeScript.
//
//     npm install typescript @types/node
//     npx tsc typed.mts --module node16 --target es2022 --types node
//     node typed.mjs "A cat walking on a beach"

import {
  type CompletedGeneration,
  GenerationFailedError,
  type GenerationRequest,
  Pipevideo,
  SubmissionUncertainError,
  WaitTimeoutError,
} from 'pipevideo';
import { service } from './service.mjs';

/** Makes a video without paying for it twice. */
async function make(client: Pipevideo, request: GenerationRequest): Promise<CompletedGeneration> {
  try {
    return await client.generate(request);
  } catch (error) {
    if (error instanceof SubmissionUncertainError) {
      // The service may have processed the create, and then this generation is already paid for.
      const [candidate] = await client.responses.reconcile(error);
      if (candidate !== undefined) return await client.responses.wait(candidate.id);
    }
    if (error instanceof WaitTimeoutError && error.generationId !== null) {
      return await client.responses.wait(error.generationId);
    }
    if (error instanceof GenerationFailedError && error.category === 'provider') {
      return await client.generate({ ...request, engine: 'auto' });
    }
    throw error;
  }
}

const [prompt = 'A cat walking on a beach at sunset'] = process.argv.slice(2);
const client = new Pipevideo(await service());
const generation = await make(client, { model: 'moonshotai/kimi-k2.5', input: prompt });
const seconds = (generation.latencyMs ?? 0) / 1000;
console.log(`${generation.id} ${generation.status} after ${seconds.toFixed(1)} s`);
