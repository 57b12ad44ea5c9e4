// The option `redis`, and how many processes share a key over it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Pipevideo } from 'pipevideo';

// Nothing listens on the port.
const URL = 'redis://user:hunter2@127.0.0.1:1/0';

test('a client is made without a server', (context) => {
  for (const redis of [URL, 'rediss://redis.example/1', 'unix:///run/redis.sock?db=1', '', null, undefined]) {
    assert.equal(new Pipevideo({ apiKey: 'pv_x', redis }).peers(), 1);
  }
  process.env.PIPEVIDEO_REDIS_URL = URL;
  context.after(() => delete process.env.PIPEVIDEO_REDIS_URL);
  assert.equal(new Pipevideo({ apiKey: 'pv_x' }).peers(), 1);
});

test('an error does not show the password of a wrong URL', () => {
  for (const redis of ['http://:hunter2@127.0.0.1', 'redis://:hunter2@127.0.0.1:port', 'hunter2']) {
    assert.throws(
      () => new Pipevideo({ apiKey: 'pv_x', redis }),
      (error) => error.kind === 'configuration' && !inspect(error).includes('hunter2'),
    );
  }
});
