// Helpers that several tests use.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Emulator } from 'pipevideo/testing';

export const MODEL = 'moonshotai/kimi-k2.5';

/** Starts an emulator that stops when the test ends. */
export async function started(context, options = {}) {
  const emulator = await Emulator.start({
    rateLimit: null,
    polls: ['queued', 'in_progress', 'completed'],
    ...options,
  });
  context.after(() => emulator.stop());
  return emulator;
}

/** Makes a folder that is removed when the test ends. */
export async function folder(context) {
  const path = await mkdtemp(join(tmpdir(), 'pipevideo-'));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Options of a client that polls without pauses. */
export function options(emulator, more = {}) {
  const polling = { minIntervalMs: 2, maxIntervalMs: 2 };
  return { baseURL: emulator.baseURL, apiKey: emulator.apiKey, polling, rateLimit: null, ...more };
}

/** Waits until a condition holds, or the limit has passed, and returns whether it holds. */
export async function until(condition, limit = 20_000) {
  const end = Date.now() + limit;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
  return condition();
}

/** Counts the polls of a generation. */
export function polls(emulator, id) {
  return emulator.requests().filter((request) => request.path.endsWith(id)).length;
}
