// Pays for each order at most once, however often its job runs, and wherever it is killed.

import { InternalError, PipevideoError, SubmissionUncertainError } from 'pipevideo';

const MODEL = 'moonshotai/kimi-k2.5';
// The create that is being sent, or has an unknown outcome: at most one at a time, so that it is clear to which order
// the generation of a lost create belongs.
const ATTEMPT = 'video:attempt';
// A hash with the generation of each order, or UNKNOWN.
const GENERATIONS = 'video:generations';
const UNKNOWN = 'unknown';
// How long after a create the account's list certainly has it.
const LISTED_AFTER_MS = Number(process.env.LISTED_AFTER_MS ?? 30_000);

// Ends an attempt, with the generation of its order if that is known. What was found out counts only as long as the
// attempt is open: another process may have found it out before.
const END = `
local is_open = redis.call('GET', KEYS[1]) == ARGV[1]
if ARGV[3] ~= '' and (is_open or ARGV[4] == 'certain') then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
if is_open then redis.call('DEL', KEYS[1]) end
`;

/** The outcome of a create is not known yet, of this order or of another one. */
export class TryAgainLater extends Error {}

/** A create may have been processed, and no generation was found. A person has to decide. */
export class OutcomeUnknown extends Error {}

/** Returns the id of the order's generation, which it creates if that was not attempted before. */
export async function createOnce(client, redis, order, prompt) {
  await settle(client, redis);
  const attempt = JSON.stringify({ order, begun: Date.now() });
  if ((await redis.set(ATTEMPT, attempt, 'NX')) === null) throw new TryAgainLater('another create is being sent');
  // Read after the attempt was recorded: from here on no other process changes it.
  let id = await redis.hget(GENERATIONS, order);
  if (id !== null) await end(redis, attempt, order);
  else {
    id = await create(client, redis, attempt, order, prompt);
    await end(redis, attempt, order, id, 'certain');
  }
  if (id === UNKNOWN) throw new OutcomeUnknown(`To create order ${order} again, delete its field in ${GENERATIONS}.`);
  return id;
}

async function create(client, redis, attempt, order, prompt) {
  try {
    return (await client.responses.create({ model: MODEL, input: prompt })).id;
  } catch (error) {
    if (error instanceof SubmissionUncertainError || error instanceof InternalError) {
      if (error.generationId !== null) return error.generationId;
      // The attempt stays recorded, and the next run settles it.
      throw new TryAgainLater('the create may have been processed', { cause: error });
    }
    // Every other error of the library means that the service has made nothing.
    if (error instanceof PipevideoError) await end(redis, attempt, order);
    throw error;
  }
}

/**
 * Finds out what the create of a killed process, or one with a lost response, has made. It is never sent again, not
 * even if nothing was found.
 */
async function settle(client, redis) {
  const attempt = await redis.get(ATTEMPT);
  if (attempt === null) return;
  const { order, begun } = JSON.parse(attempt);
  // Its process was killed before it had read that the order has a generation, and has sent nothing.
  if ((await redis.hexists(GENERATIONS, order)) === 1) return await end(redis, attempt, order);
  const found = await client.responses.reconcile({ model: MODEL, sentAt: begun });
  const taken = new Set(await redis.hvals(GENERATIONS));
  const free = found.filter(({ id }) => !taken.has(id));
  if (free.length === 1 && free[0].id !== null) await end(redis, attempt, order, free[0].id);
  else if (Date.now() < begun + LISTED_AFTER_MS) throw new TryAgainLater('the service may not have listed it yet');
  else await end(redis, attempt, order, UNKNOWN);
}

async function end(redis, attempt, order, id = '', source = 'found') {
  await redis.eval(END, 2, ATTEMPT, GENERATIONS, attempt, order, id, source);
}
