// Bundles a program, and runs the bundle in a folder of its own.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build as esbuild } from 'esbuild';
import { rolldown } from 'rolldown';
import webpack from 'webpack';
import { install } from './packing.mjs';

const project = mkdtempSync(join(tmpdir(), 'pipevideo-'));
after(() => rmSync(project, { recursive: true, force: true }));
install(project);
const entry = join(project, 'program.mjs');
writeFileSync(
  entry,
  `import { Pipevideo } from 'pipevideo';
   import { Emulator } from 'pipevideo/testing';
   (async () => {
     const emulator = await Emulator.start({ polls: ['completed'] });
     const polling = { minIntervalMs: 0, maxIntervalMs: 0 };
     const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey, polling });
     console.log((await client.generate({ model: 'moonshotai/kimi-k2.5', input: 'A cat' })).status);
     await emulator.stop();
   })();`,
);

const EXTERNAL = ['pipevideo', 'pipevideo/testing'];
/** Node has no `require` in an ES module, and bundlers translate CommonJS to calls of it. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Runs a bundle: with the package's folder, or where it finds nothing but itself. */
function run(output, file, withPackages) {
  const kept = join(project, 'node_modules');
  const hidden = join(project, 'hidden');
  if (!withPackages) renameSync(kept, hidden);
  try {
    return execFileSync(process.execPath, [join(output, file)], { encoding: 'utf8', stdio: 'pipe', timeout: 60_000 });
  } finally {
    if (!withPackages) renameSync(hidden, kept);
  }
}

const folder = () => mkdtempSync(join(project, 'output-'));

/** Bundles by esbuild in a format, and runs the bundle. */
async function byEsbuild(format, more) {
  const output = folder();
  const file = format === 'esm' ? 'program.mjs' : 'program.cjs';
  const common = { entryPoints: [entry], bundle: true, platform: 'node', logLevel: 'silent' };
  const { warnings } = await esbuild({ ...common, format, outfile: join(output, file), ...more });
  assert.deepEqual(warnings, []);
  return run(output, file, more.external !== undefined);
}

test('esbuild copies the native module', async () => {
  const loader = { '.node': 'copy' };
  assert.equal(await byEsbuild('cjs', { loader }), 'completed\n');
  assert.equal(await byEsbuild('esm', { loader, banner: { js: REQUIRE } }), 'completed\n');
});

test('esbuild leaves the package out', async () => {
  assert.equal(await byEsbuild('cjs', { external: EXTERNAL }), 'completed\n');
  assert.equal(await byEsbuild('esm', { external: EXTERNAL }), 'completed\n');
});

/** Bundles by webpack, runs the bundle, and returns its output and the warnings. */
async function byWebpack(more) {
  const output = folder();
  const common = { mode: 'none', target: 'node', entry, output: { path: output, filename: 'program.cjs' } };
  const stats = await promisify(webpack)({ ...common, ...more });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual(errors, []);
  return { printed: run(output, 'program.cjs', more.externals !== undefined), warnings };
}

test('webpack leaves the package out, or copies the native module', async () => {
  const externals = Object.fromEntries(EXTERNAL.map((name) => [name, `commonjs ${name}`]));
  assert.deepEqual(await byWebpack({ externals }), { printed: 'completed\n', warnings: [] });
  const loader = fileURLToPath(import.meta.resolve('node-loader'));
  const { printed, warnings } = await byWebpack({ module: { rules: [{ test: /\.node$/, loader }] } });
  assert.equal(printed, 'completed\n');
  // The packages of the other platforms are not installed.
  const others = warnings.filter(({ message }) => !message.includes("Can't resolve '@pipevideo/"));
  assert.deepEqual(others, []);
});

test('rolldown leaves the package or only the native module out', async () => {
  for (const external of [EXTERNAL, [/^@pipevideo\//]]) {
    for (const format of ['cjs', 'esm']) {
      const output = folder();
      const file = format === 'esm' ? 'program.mjs' : 'program.cjs';
      const bundle = await rolldown({ input: entry, platform: 'node', external, logLevel: 'silent' });
      await bundle.write({ format, file: join(output, file) });
      assert.equal(run(output, file, true), 'completed\n');
    }
  }
});

test('a bundle without the native module says what to do', async () => {
  const message = /is missing[^]*a bundler has built, mark pipevideo as external/;
  await assert.rejects(byEsbuild('cjs', { plugins: [withoutModules] }), ({ stderr }) => message.test(stderr));
  await assert.rejects(byEsbuild('esm', { loader: { '.node': 'copy' } }), ({ stderr }) =>
    /failed to load: Dynamic require[^]*mark pipevideo as external/.test(stderr),
  );
});

/** What is bundled on one machine and run on another one lacks the native module. */
const withoutModules = {
  name: 'without modules',
  setup: (build) => build.onResolve({ filter: /^@pipevideo\// }, ({ path }) => ({ path, external: true })),
};
