// Builds the example for Next.js with the packages as npm packs them, and runs its standalone output.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'pipevideo';
import { folder, started } from './common.mjs';
import { install } from './packing.mjs';

const EXAMPLES = realpathSync(fileURLToPath(new URL('../../examples/node', import.meta.url)));
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
/** Makes a project of the example in which pipevideo is installed. It is beside the example, where Next.js is. */
function makeProject(context) {
  const project = mkdtempSync(join(EXAMPLES, '.test-next-'));
  context.after(() => rmSync(project, { recursive: true, force: true }));
  cpSync(join(EXAMPLES, 'webhook-next'), project, { recursive: true });
  install(project);
  // Next.js takes the folder of some lock file for the root otherwise.
  renameSync(join(project, 'next.config.mjs'), join(project, 'example.config.mjs'));
  const root = JSON.stringify(EXAMPLES);
  writeFileSync(
    join(project, 'next.config.mjs'),
    `import config from './example.config.mjs';
     export default { ...config, outputFileTracingRoot: ${root}, turbopack: { root: ${root} } };`,
  );
  return project;
}

function build(project, bundler) {
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
  delete env.PIPEVIDEO_API_KEY;
  const next = join(EXAMPLES, 'node_modules/next/dist/bin/next');
  execFileSync(process.execPath, [next, 'build', `--${bundler}`], { cwd: project, env, encoding: 'utf8', stdio: 'pipe' });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the standalone server and returns its URL. */
async function serve(context, output, environment) {
  const server = readdirSync(output, { recursive: true }).find((file) => /^(?!.*node_modules).*server\.js$/.test(file));
  const port = await freePort();
  const env = { ...process.env, ...environment, HOSTNAME: '127.0.0.1', PORT: String(port) };
  const child = spawn(process.execPath, [join(output, server)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => child.kill());
  await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the server has ended')));
    child.stdout.on('data', (data) => String(data).includes('Ready') && resolve());
  });
  return `http://127.0.0.1:${port}`;
}

async function testStandalone(context, bundler) {
  const emulator = await started(context, { polls: ['completed'] });
  const project = makeProject(context);
  build(project, bundler);
  // Elsewhere, so that it finds nothing but what was copied.
  const output = await folder(context);
  cpSync(join(project, '.next/standalone'), output, { recursive: true, verbatimSymlinks: true });
  const url = await serve(context, output, {
    PIPEVIDEO_API_KEY: emulator.apiKey,
    PIPEVIDEO_BASE_URL: emulator.baseURL,
    PIPEVIDEO_WEBHOOK_SECRET: SECRET,
  });
  const body = JSON.stringify({
    eventType: 'video.generation.completed',
    generationId: 'gen_1',
    status: 'completed',
  });
  const post = (headers) => fetch(`${url}/webhooks`, { method: 'POST', headers, body });
  assert.equal((await post(new Webhook(SECRET).sign(body))).status, 204);
  assert.equal((await post({})).status, 400);
}

for (const bundler of ['turbopack', 'webpack']) {
  test(`the standalone output of Next.js with ${bundler} has the native module`, { timeout: 900_000 }, (context) =>
    testStandalone(context, bundler),
  );
}
