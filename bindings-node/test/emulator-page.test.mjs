// The emulator's page, in a real browser: what it shows, its buttons, and who cannot press them.

/* global document, window -- of the browser, in functions that are evaluated there */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Pipevideo } from 'pipevideo';
import { Emulator } from 'pipevideo/testing';
import { launch, skip } from './browser.mjs';
import { MODEL } from './common.mjs';

/** Where to write the picture, which takes a few seconds longer. */
const PICTURE = process.env.PIPEVIDEO_TEST_PICTURE;
const HOSTILE = '<img src=x onerror="window.hacked = true"><script>window.hacked = true</script>';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Starts an emulator and a client, and opens the page. What goes wrong in the page fails the test. */
async function opened(context, given = {}) {
  const emulator = await Emulator.start({ speed: 0, sigma: 0, ...given });
  const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey, maxRetries: 0 });
  const page = await browser.newPage({ viewport: { width: 1180, height: 620 } });
  page.setDefaultTimeout(20_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  context.after(async () => {
    await page.close();
    client.close();
    await emulator.stop();
    assert.deepEqual(problems, []);
  });
  await page.goto(`${emulator.baseURL}/_emulator/`);
  await page.getByText('live', { exact: true }).waitFor();
  const create = async (input, more) => (await client.responses.create({ model: MODEL, input, ...more })).id;
  const row = (id) => page.locator(`[data-id="${id}"]`);
  return { emulator, client, page, create, row };
}

test('generations, requests, webhooks and spend are shown as they come', { skip }, async (context) => {
  const receiver = createServer((request, response) => response.writeHead(204).end()).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  context.after(() => receiver.close());
  const { emulator, page, create, row } = await opened(context);
  emulator.setWebhook(`http://127.0.0.1:${receiver.address().port}/webhooks`);
  const id = await create('A cat walking on a beach', { aspectRatio: '16:9' });
  await row(id).getByText('A cat walking on a beach').waitFor();
  await row(id).getByText('queued').waitFor();
  await page.locator('#requests').getByText('POST /v1/responses').click();
  await page.locator('#requests pre').getByText('"aspectRatio":"16:9"').waitFor();
  await page.locator('#requests pre').getByText('"status":"queued"').waitFor();
  await page.getByText('1 of 100 requests in 60 s').waitFor();
  await page.getByRole('button', { name: '+1 min' }).click();
  await row(id).getByText('in_progress').waitFor();
  await page.getByRole('button', { name: '+1 min' }).click();
  await row(id).getByText('completed').waitFor();
  await page.locator('#deliveries').getByText(`completed ${id}`).waitFor();
  await page.locator('#spent').getByText(/^\$0\.0[0-9]+$/).waitFor();
  assert.notEqual(await page.locator('#spent').textContent(), '$0.0000');
  const video = row(id).locator('video');
  await page.waitForFunction((id) => document.querySelector(`[data-id="${id}"] video`).videoWidth > 0, id);
  assert.deepEqual(await video.evaluate((shown) => [shown.videoWidth, shown.videoHeight]), [640, 360]);
  assert.equal((await page.content()).includes(emulator.apiKey), false);
  assert.ok(emulator.requests().every(({ origin }) => origin === 'api'), 'the page is no client');
});

test('its buttons settle generations, add faults and set the balance', { skip }, async (context) => {
  const { emulator, client, page, create, row } = await opened(context);
  const [first, second] = [await create('One'), await create('Two')];
  await row(first).getByRole('button', { name: 'Complete' }).click();
  await row(first).getByText('completed').waitFor();
  await row(second).getByRole('button', { name: 'Fail' }).click();
  await row(second).getByText('provider_error').waitFor();
  assert.equal((await client.responses.retrieve(second)).status, 'failed');
  await page.locator('#cents').fill('0');
  await page.locator('#balance').getByRole('button', { name: 'Set' }).click();
  await page.locator('#credit').getByText('$0.0000').waitFor();
  await assert.rejects(create('Three'), { kind: 'insufficient_credits' });
  await page.getByLabel('Fault').selectOption('The next request is answered with 429');
  await page.locator('#faults').getByRole('button', { name: 'Add' }).click();
  await page.getByText('1 to come').waitFor();
  await assert.rejects(client.usage.retrieve(), { kind: 'rate_limited' });
  await page.getByText('none to come').waitFor();
  await page.locator('#faults').getByRole('button', { name: 'Add' }).click();
  await page.getByText('1 to come').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByText('none to come').waitFor();
  await client.usage.retrieve();
  assert.ok(emulator.requests().length > 4);
});

test('bars grow with time towards their forecast', { skip }, async (context) => {
  const { page, create, row } = await opened(context, { speed: 1 });
  const id = await create('A cat');
  await row(id).getByText('expected at 90.0 s').waitFor();
  const width = () => row(id).locator('.bar').evaluate((bar) => Number.parseFloat(bar.style.width));
  const before = await width();
  await page.waitForFunction(
    ([id, before]) => Number.parseFloat(document.querySelector(`[data-id="${id}"] .bar`).style.width) > before,
    [id, before],
  );
  const forecast = await row(id).locator('.forecast').evaluate((bar) => Number.parseFloat(bar.style.width));
  assert.ok(forecast > 50, `${forecast} %`);
});

test('hostile prompts, ids and messages are shown as text', { skip }, async (context) => {
  const { emulator, page, create, row } = await opened(context);
  const id = await create(HOSTILE);
  emulator.settle(id, { status: 'failed', error: { code: HOSTILE, message: HOSTILE } });
  emulator.addGeneration({ id: `gen_"]${HOSTILE}`, polls: [HOSTILE] });
  await row(id).getByText(`${HOSTILE}: ${HOSTILE}`).waitFor();
  await row(id).getByText(HOSTILE, { exact: true }).waitFor();
  await page.getByText(`gen_"]${HOSTILE}`).waitFor();
  const hostile = page.locator('[data-id]').filter({ hasText: `gen_"]${HOSTILE}` });
  await hostile.getByRole('button', { name: 'Complete' }).click();
  await hostile.getByText('completed').waitFor();
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('#generations img, #requests img, main script').count(), 0);
  const { headers } = await page.request.get(page.url()).then((response) => ({ headers: response.headers() }));
  const policy = headers['content-security-policy'];
  for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", 'trusted-types']) {
    assert.ok(policy.includes(part), policy);
  }
  assert.doesNotMatch(policy, /unsafe/);
});

test('another page, also on this machine, cannot press its buttons or read', { skip }, async (context) => {
  const { emulator } = await opened(context);
  const other = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<iframe id="frame"></iframe>');
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const page = await browser.newPage();
  context.after(async () => {
    await page.close();
    other.close();
  });
  const { port } = other.address();
  const attack = async ([base, fault]) => {
    const send = (path, init) => fetch(`${base}/_emulator/${path}`, { mode: 'no-cors', ...init }).catch(() => {});
    await send('faults', { method: 'POST', body: fault });
    await send('advance', { method: 'POST', body: '{"seconds": 9}' });
    const read = (path) =>
      fetch(`${base}/_emulator/${path}`).then(
        (response) => response.status,
        () => 'refused',
      );
    return [await read('requests'), await read('events'), await read('')];
  };
  const fault = JSON.stringify({ status: 500, times: null });
  for (const host of ['127.0.0.1', 'localhost', 'evil.example']) {
    await page.goto(`http://${host}:${port}/`);
    const read = await page.evaluate(attack, [emulator.baseURL, fault]);
    assert.deepEqual(read, ['refused', 'refused', 'refused'], host);
    await page.locator('#frame').evaluate((frame, url) => {
      frame.src = url;
      return new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }));
    }, `${emulator.baseURL}/_emulator/`);
    assert.equal(await page.frames()[1].locator('button').count(), 0, 'it is not shown in a frame');
  }
  const rebound = emulator.baseURL.replace('127.0.0.1', 'evil.example');
  assert.equal((await page.goto(`${rebound}/_emulator/`)).status(), 403);
  assert.deepEqual(await page.evaluate(attack, [rebound, fault]), [403, 403, 403]);
  const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey, maxRetries: 0 });
  await client.usage.retrieve();
});

test('the picture of the documents can be made again', { skip }, async (context) => {
  const { emulator, client, page, create, row } = await opened(context, { speed: 30, sigma: 0.4, seed: 3 });
  const prompts = ['A cat walking on a beach', 'Snow in a small town', 'A paper boat on a river', 'City lights', 'A fox'];
  const ids = [];
  for (const [n, prompt] of prompts.entries()) {
    ids.push(await create(prompt, { aspectRatio: n % 2 ? '1:1' : '16:9' }));
    if (PICTURE) await page.waitForTimeout(900);
  }
  emulator.settle(ids[1], 'failed');
  emulator.fault({ match: { method: 'GET', path: '/v1/usage' }, status: 503 });
  await client.usage.retrieve().catch(() => {});
  await client.responses.retrieve(ids[0]);
  emulator.settle(ids[0]);
  await row(ids[0]).locator('video').waitFor();
  await page.waitForFunction((id) => document.querySelector(`[data-id="${id}"] video`).readyState > 1, ids[0]);
  const picture = await page.screenshot({ path: PICTURE });
  assert.deepEqual([...picture.subarray(1, 4)], [...Buffer.from('PNG')]);
});
