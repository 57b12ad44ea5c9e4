// Builds the native module in a clone of the repository, for the machine it runs on: `npm run build`.
//
// With `--missing`, which `npm install` runs in a clone, it builds nothing: it says what to do if the module has not
// been built yet.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const NO_RUST =
  'Rust is missing: there is no program `cargo` in PATH. The native module is written in Rust; install Rust 1.89 or ' +
  'later, for example with rustup, and run `npm run build` again.';
const LIBRARIES = {
  darwin: 'libpipevideo_node.dylib',
  linux: 'libpipevideo_node.so',
  win32: 'pipevideo_node.dll',
};

/** The name of this machine's package in `npm/`. */
function platform() {
  const { glibcVersionRuntime } = process.report.getReport().header;
  const suffix = { darwin: '', linux: glibcVersionRuntime ? '-gnu' : '-musl', win32: '-msvc' }[process.platform];
  return `${process.platform}-${process.arch}${suffix}`;
}

function cargo(...given) {
  const { error, status, stdout } = spawnSync('cargo', given, {
    cwd: join(PACKAGE, '..'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
  });
  if (error?.code === 'ENOENT') return fail(NO_RUST);
  if (error !== undefined) throw error;
  if (status !== 0) return fail(`cargo ${given[0]} failed; what it said is above`);
  return stdout;
}

function fail(message) {
  console.error(`pipevideo: ${message}`);
  process.exit(1);
}

const name = platform();
const folder = join(PACKAGE, 'npm', name);
const module = join(folder, `pipevideo.${name}.node`);
if (!existsSync(folder)) fail(`there is no package for ${name}; bindings-node/npm has those that there are`);
if (process.argv.includes('--missing')) {
  if (!existsSync(module)) {
    console.error(`pipevideo: the native module for ${name} is not built yet: run \`npm run build\`.`);
    if (spawnSync('cargo', ['--version']).error !== undefined) console.error(`pipevideo: ${NO_RUST}`);
  }
} else {
  const { target_directory: target } = JSON.parse(cargo('metadata', '--no-deps', '--format-version', '1'));
  cargo('build', '--release', '--locked', '-p', 'pipevideo-node');
  // Not overwritten in place: a running program may still have the old one mapped into its memory.
  rmSync(module, { force: true });
  copyFileSync(join(target, 'release', LIBRARIES[process.platform]), module);
  console.log(module);
}
