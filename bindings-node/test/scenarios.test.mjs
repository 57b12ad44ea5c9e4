// Runs the shared scenarios. `SCENARIO=download node --test test/scenarios.test.mjs` runs those with names that begin
// with `download`.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as pipevideo from 'pipevideo';
import { folder, until } from './common.mjs';
import { camel, EXCUSED, load, Matcher, Receiver, ROOT, Run, SURFACE } from './scenarios.mjs';

for (const name of [
  'PIPEVIDEO_API_KEY',
  'PIPEVIDEO_BASE_URL',
  'PIPEVIDEO_WEBHOOK_SECRET',
  'NODE_EXTRA_CA_CERTS',
]) {
  delete process.env[name];
}
for (const name of ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy']) {
  delete process.env[name];
  delete process.env[name.toUpperCase()];
}

const names = readdirSync(new URL('scenarios', ROOT))
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length))
  .filter((name) => name.startsWith(process.env.SCENARIO ?? ''));
assert.ok(names.length > 0, 'no scenario has that name');

async function outcome(run, client, call) {
  try {
    return await run.call(client, call);
  } catch (error) {
    return error;
  }
}

async function play(scenario, files) {
  const run = await Run.start(scenario, files);
  const matcher = new Matcher();
  let receiver;
  try {
    let client;
    try {
      client = new pipevideo.Pipevideo(await run.options());
    } catch (error) {
      return matcher.outcome(scenario.outcome, error);
    }
    if (scenario.events !== undefined) {
      receiver = await Receiver.start(client, scenario.handler_failures);
      run.emulator.setWebhook(receiver.url);
    }
    for (const first of scenario.first ?? []) {
      const result = await outcome(run, client, first);
      matcher.outcome(first.outcome ?? {}, result);
      if (first.as !== undefined) run.results.set(first.as, result);
    }
    matcher.outcome(scenario.outcome, await outcome(run, client, scenario.call));
    if (scenario.requests !== undefined) {
      matcher.requests(scenario.requests, run.emulator.requests(), run.emulator.apiKey);
    }
    if (receiver !== undefined) {
      await until(() => receiver.events.length >= scenario.events.length, 10_000);
      assert.equal(receiver.events.length, scenario.events.length, 'the number of events');
      for (const [index, expected] of scenario.events.entries()) {
        matcher.outcome(expected, receiver.events[index]);
      }
    }
    await run.checkFiles();
    if (scenario.logs !== undefined) matcher.value(scenario.logs, run.logs(), 'logs');
  } finally {
    receiver?.stop();
    await run.emulator.stop();
  }
}

describe('scenarios', { concurrency: 16 }, () => {
  for (const name of names) {
    const scenario = load(name);
    const excuse = EXCUSED[name] ?? EXCUSED[scenario.call.operation];
    const skip = excuse && `excused: ${excuse}`;
    test(`${name}: ${scenario.about}`, { skip, timeout: 60_000 }, async (context) => {
      await play(scenario, await folder(context));
    });
  }
});

test('every error kind has a class', () => {
  const classes = Object.values(pipevideo).filter(
    (value) => value.prototype instanceof pipevideo.PipevideoError,
  );
  const kinds = SURFACE.error_kinds.map(({ name }) => name);
  assert.deepEqual(classes.map((Class) => Class.kind).sort(), kinds.sort());
});

test('every operation and option exists or is excused', async () => {
  const client = new pipevideo.Pipevideo({ apiKey: 'pv_example' });
  const webhook = new pipevideo.Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const event = webhook.unwrap('{"eventType":"e"}', webhook.sign('{"eventType":"e"}'));
  for (const operation of Object.keys(SURFACE.operations).filter((name) => !EXCUSED[name])) {
    const target = { event, webhook, generate: client.generate, ...client };
    target.estimate = client.estimate;
    target.get = client.get;
    target.post = client.post;
    target.batch = client.batch;
    target.spend = client.spend;
    const found = operation.split('.').reduce((object, name) => object?.[name], target);
    assert.equal(typeof found, 'function', operation);
  }
  const spelled = {
    base_url: 'baseURL',
    request_timeout: 'requestTimeoutMs',
    connect_timeout: 'connectTimeoutMs',
    deadline: 'deadlineMs',
  };
  for (const { name, type } of SURFACE.batch_options) {
    const given = { [type === 'duration' ? `${camel(name)}Ms` : camel(name)]: Symbol('not a valid value') };
    assert.throws(() => client.batch([], given), { name: 'TypeError', message: /^option '\w+' must be/ });
  }
  for (const { name: option } of SURFACE.options.filter(({ name }) => !EXCUSED[name])) {
    const name = spelled[option] ?? camel(option);
    // The error of a known option is about its value; that of an unknown one is about its name.
    const given = Symbol('not a valid value');
    assert.throws(() => new pipevideo.Pipevideo({ [name]: given }), {
      name: 'TypeError',
      message: new RegExp(`^option '${name}' must be`),
    });
  }
});
