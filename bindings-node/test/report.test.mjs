// The report of a batch's journal.

/* global document, window -- of the browser, in functions that are evaluated there */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Pipevideo, writeReport } from 'pipevideo';
import { launch, skip } from './browser.mjs';
import { folder, MODEL, options, started } from './common.mjs';

const HOSTILE = '<img src=x onerror="window.hacked = true">';

/** Runs a batch of two requests that complete and one that fails. Returns its folder and the paths in it. */
async function written(context) {
  const emulator = await started(context, { polls: ['queued', 'completed'] });
  const client = new Pipevideo(options(emulator));
  const files = await folder(context);
  const [journal, report] = [join(files, 'run.jsonl'), join(files, 'report.html')];
  const error = { code: 'provider_error', message: HOSTILE };
  // Its last poll: the third create has the third id.
  emulator.fault({ match: { method: 'POST' }, nth: 3, patch: { status: 'failed', error } });
  const requests = ['A cat', 'A dog', 'A fox'].map((input, n) => ({ key: `${HOSTILE} #${n}`, model: MODEL, input }));
  const given = { journal, downloadTo: join(files, 'videos'), maxInFlight: 1, keepPrompts: true };
  for await (const { status } of client.batch(requests, given)) assert.ok(status);
  await writeReport(journal, pathToFileURL(report));
  return { journal, report };
}

test('a report has the items of a journal, escaped', async (context) => {
  const { journal, report } = await written(context);
  const page = await readFile(report, 'utf8');
  assert.match(page, /<dt>requests<\/dt><dd>3<\/dd>/);
  assert.match(page, /<video src="videos\//);
  assert.doesNotMatch(page, /<img|<script|https?:/);
  await assert.rejects(writeReport(`${journal}.missing`, report), { kind: 'configuration' });
  await assert.rejects(writeReport(journal, 7), { name: 'TypeError', message: /'report' must be a string/ });
});

test('a browser shows it without a network, and runs nothing in it', { skip }, async (context) => {
  const { report } = await written(context);
  const browser = await launch();
  context.after(() => browser.close());
  const page = await browser.newPage();
  const [problems, urls] = [[], []];
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('request', (request) => urls.push(request.url()));
  await page.goto(pathToFileURL(report).href);
  await page.waitForFunction(() => [...document.querySelectorAll('video')].every((video) => video.videoWidth > 0));
  assert.ok((await page.locator('video').count()) >= 2);
  assert.equal(await page.locator('svg').count(), 3);
  assert.ok((await page.locator('td').getByText(`${HOSTILE} #0`, { exact: true }).count()) >= 1);
  assert.equal(await page.locator('img, script').count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.ok(urls.every((url) => url.startsWith('file:')), urls.join('\n'));
  assert.deepEqual(problems, []);
  await page.screenshot({ path: process.env.PIPEVIDEO_TEST_REPORT_PICTURE, fullPage: true });
});
