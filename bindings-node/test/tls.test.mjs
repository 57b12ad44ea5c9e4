import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folder } from './common.mjs';

const CA = fileURLToPath(new URL('tls/ca.pem', import.meta.url));
const read = (name) => readFileSync(new URL(`tls/${name}`, import.meta.url));
const generation = JSON.stringify({ id: 'gen_1', status: 'completed' });

describe('TLS', () => {
  let server;
  let baseURL;

  before(async () => {
    server = createServer({ cert: read('server.pem'), key: read('server.key') }, (_, response) =>
      response.end(generation),
    );
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    baseURL = `https://localhost:${server.address().port}`;
  });

  after(() => {
    server.close();
    server.closeAllConnections();
  });

  /** Retrieves a generation in another process, and returns its status or the error's kind. */
  async function retrieve(options = {}, env = {}) {
    const body = `
      import { Pipevideo } from '${new URL('../index.mjs', import.meta.url).href}';
      try {
        const client = new Pipevideo({ apiKey: 'pv_x', maxRetries: 0, ...${JSON.stringify({ baseURL, ...options })} });
        console.log((await client.responses.retrieve('gen_1')).status);
      } catch (error) {
        console.log(error.kind);
      }`;
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(SSL_CERT|NODE_EXTRA)|proxy$/i.test(name)),
    );
    const child = spawn(process.execPath, ['--input-type=module', '-e', body], {
      env: { ...inherited, ...env },
    });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    await once(child, 'close');
    return output.trim();
  }

  test('an unknown certificate authority is not trusted', async () => {
    assert.equal(await retrieve(), 'connection');
  });

  test('caFile and NODE_EXTRA_CA_CERTS are trusted', async () => {
    assert.equal(await retrieve({ caFile: CA }), 'completed');
    assert.equal(await retrieve({}, { NODE_EXTRA_CA_CERTS: CA }), 'completed');
    // Both are used. Of a missing extra file Node itself only warns, so it must not be an error.
    assert.equal(await retrieve({ caFile: CA }, { NODE_EXTRA_CA_CERTS: CA }), 'completed');
    assert.equal(await retrieve({ caFile: CA }, { NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' }), 'completed');
    assert.equal(await retrieve({}, { NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' }), 'connection');
  });

  test('a broken extra file is ignored, as in Node, and a broken caFile is an error', async (context) => {
    const path = join(await folder(context), 'broken.pem');
    for (const text of ['', 'no PEM', read('ca.pem').subarray(0, 200), read('server.key')]) {
      await writeFile(path, text);
      assert.equal(await retrieve({ caFile: CA }, { NODE_EXTRA_CA_CERTS: path }), 'completed');
      assert.equal(await retrieve({}, { NODE_EXTRA_CA_CERTS: path }), 'connection');
      assert.equal(await retrieve({ caFile: path }, { NODE_EXTRA_CA_CERTS: CA }), 'configuration');
    }
  });

  test('a machine without certificates uses the built-in ones', async (context) => {
    // As in a slim container image.
    const none = { SSL_CERT_FILE: '/nowhere/ca.pem', SSL_CERT_DIR: await folder(context) };
    assert.equal(await retrieve({}, none), 'connection');
    assert.equal(await retrieve({ caFile: CA }, none), 'completed');
    assert.equal(await retrieve({}, { ...none, NODE_EXTRA_CA_CERTS: CA }), 'completed');
  });
});
