// Installs the packages, as npm packs them, into an empty project and uses them there.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { nodeFileTrace } from '@vercel/nft';
import { HERE, platform as built } from './packing.mjs';

const PLATFORMS = readdirSync(join(HERE, 'npm'));
const project = mkdtempSync(join(tmpdir(), 'pipevideo-'));
after(() => rmSync(project, { recursive: true, force: true }));

function npm(cwd, ...given) {
  const env = {
    ...process.env,
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_loglevel: 'error',
  };
  return execFileSync('npm', given, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function node(...given) {
  return execFileSync(process.execPath, given, {
    cwd: project,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs a script that is expected to fail, and returns its standard error. */
function failing(script, ...flags) {
  try {
    node(...flags, '-e', script);
  } catch (error) {
    return error.stderr;
  }
  throw new Error('it did not fail');
}

function pack(folder) {
  const [{ filename, files }] = JSON.parse(npm(folder, 'pack', '--json', '--pack-destination', project));
  return { tarball: join(project, filename), files: files.map(({ path }) => path) };
}

describe('packages', () => {
  let main;
  let platform;

  before(() => {
    writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }');
    const manifest = readFileSync(join(HERE, 'package.json'), 'utf8');
    main = pack(HERE);
    assert.equal(
      readFileSync(join(HERE, 'package.json'), 'utf8'),
      manifest,
      'packing leaves the manifest as it was',
    );
    platform = pack(join(HERE, 'npm', built));
    // The other platforms' packages are not in the registry before the first release.
    npm(project, 'install', '--offline', '--omit=optional', main.tarball, platform.tarball);
  });

  test('contain the files they should', () => {
    const modules = main.files.filter(
      (file) => !/^(index|testing|ai-sdk|opentelemetry)\.|^bin\/pipevideo\.js$|^lib\/[\w/-]+(\.d\.ts|\.js)$|^LICENSE|^README|^package\.json$/.test(file),
    );
    assert.deepEqual(modules, []);
    assert.ok(
      ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'index.d.mts'].every((file) =>
        main.files.includes(file),
      ),
    );
    const library = `pipevideo.${built}.node`;
    assert.deepEqual(platform.files.filter((file) => !/^LICENSE/.test(file)).sort(), [
      'package.json',
      library,
    ]);
  });

  test('exist for each platform, with its C library', () => {
    const manifest = JSON.parse(readFileSync(join(project, 'node_modules/pipevideo/package.json'), 'utf8'));
    const { version } = manifest;
    assert.deepEqual(
      manifest.optionalDependencies,
      Object.fromEntries(PLATFORMS.sort().map((name) => [`@pipevideo/${name}`, version])),
    );
    for (const name of PLATFORMS) {
      const own = JSON.parse(readFileSync(join(HERE, 'npm', name, 'package.json'), 'utf8'));
      const [os, cpu, libc] = name.split('-');
      const library = { gnu: ['glibc'], musl: ['musl'] }[libc];
      assert.deepEqual(
        [own.name, own.version, own.os, own.cpu, own.libc],
        [`@pipevideo/${name}`, version, [os], [cpu], library],
      );
      assert.equal(own.main, `pipevideo.${name}.node`);
    }
  });

  test('are found whole by the tool with which Next.js and others copy what a program needs', async () => {
    const entry = join(project, 'node_modules/pipevideo/index.mjs');
    const { fileList } = await nodeFileTrace([entry], { base: project });
    const found = [...fileList].filter((file) => !file.endsWith('package.json'));
    const library = `@pipevideo/${built}/pipevideo.${built}.node`;
    assert.ok(found.includes(`node_modules/${library}`), found.join());
    assert.equal(found.filter((file) => file.endsWith('.node')).length, 1);
  });

  test('work by import and by require', () => {
    const body = `
      (async () => {
        const emulator = await Emulator.start({ polls: ['queued', 'completed'] });
        const polling = { minIntervalMs: 0, maxIntervalMs: 0 };
        const client = new Pipevideo({ baseURL: emulator.baseURL, apiKey: emulator.apiKey, polling });
        const { status } = await client.generate({ model: 'moonshotai/kimi-k2.5', input: 'A cat' });
        await emulator.stop();
        console.log(status);
      })();`;
    writeFileSync(
      join(project, 'a.mjs'),
      `import { Pipevideo } from 'pipevideo'; import { Emulator } from 'pipevideo/testing'; ${body}`,
    );
    writeFileSync(
      join(project, 'a.cjs'),
      `const { Pipevideo } = require('pipevideo'); const { Emulator } = require('pipevideo/testing'); ${body}`,
    );
    writeFileSync(
      join(project, 'b.mjs'),
      "import Pipevideo from 'pipevideo'; import { createRequire } from 'node:module'; console.log(Pipevideo === createRequire(import.meta.url)('pipevideo').default)",
    );
    assert.equal(node('a.mjs'), 'completed\n');
    assert.equal(node('a.cjs'), 'completed\n');
    assert.equal(node('b.mjs'), 'true\n');
  });

  test('have the command', () => {
    const command = join(project, 'node_modules/.bin', process.platform === 'win32' ? 'pipevideo.cmd' : 'pipevideo');
    const given = ['--emulator', 'generate', 'A cat', '--model', 'moonshotai/kimi-k2.5', '--output', 'command.mp4'];
    const options = { cwd: project, encoding: 'utf8', shell: process.platform === 'win32', stdio: ['ignore', 'pipe', 'pipe'] };
    assert.equal(execFileSync(command, given, options), 'command.mp4\n');
    assert.equal(readFileSync(join(project, 'command.mp4')).toString('latin1', 4, 8), 'ftyp');
  });

  test('have types that compile with every kind of module resolution', () => {
    for (const file of ['uses.mts', 'uses.cts']) cpSync(join(HERE, 'test/types', file), join(project, file));
    mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/node', 'undici-types']) {
      cpSync(join(HERE, 'node_modules', name), join(project, 'node_modules', name), { recursive: true });
    }
    const config = JSON.parse(readFileSync(join(HERE, 'test/types/tsconfig.json'), 'utf8'));
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(HERE, 'node_modules/typescript/lib/tsc.js');
    for (const more of [
      [],
      ['--module', 'esnext', '--moduleResolution', 'bundler'],
      ['--module', 'nodenext', '--moduleResolution', 'nodenext'],
    ]) {
      assert.equal(node(tsc, '-p', 'tsconfig.json', ...more), '');
    }
  });

  test('report a missing native module', () => {
    const pretend = (platform, arch) => `
      Object.defineProperty(process, 'platform', { value: '${platform}' });
      Object.defineProperty(process, 'arch', { value: '${arch}' });
      require('pipevideo');`;
    const missing = failing(pretend('darwin', 'arm64'));
    assert.match(missing, /native module for darwin-arm64 is missing: the package @pipevideo\/darwin-arm64/);
    assert.match(missing, /There are native modules for linux-x64-gnu, linux-x64-musl/);
    assert.match(
      failing(pretend('aix', 'ppc64')),
      /there is no native module for aix-ppc64[^]*Browsers and edge runtimes/,
    );
    assert.match(failing("require('pipevideo')", '--no-addons'), /loading addons is disabled\.[^]*There are native/);
    const module = join(project, 'node_modules/@pipevideo', built, `pipevideo.${built}.node`);
    writeFileSync(`${module}.new`, 'not a library');
    cpSync(module, `${module}.kept`);
    rmSync(module);
    cpSync(`${module}.new`, module);
    assert.match(
      failing("require('pipevideo')"),
      /native module for \S+ failed to load: [^]*There are native modules for/,
    );
  });
});
