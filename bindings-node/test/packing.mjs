// Installs the packages as npm packs them.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
require('pipevideo');
/** The platform of the native module that was loaded. Those of other platforms may have been built here, too. */
export const platform = basename(dirname(Object.keys(require.cache).find((path) => /pipevideo\.[^/\\]*\.node$/.test(path))));

/** Without the scripts, which change the manifest for a moment: other tests read it. */
const PACK = ['pack', '--json', '--ignore-scripts', '--pack-destination'];

/** Puts pipevideo and its native module into the folder `node_modules` of a project. */
export function install(project) {
  for (const source of [HERE, join(HERE, 'npm', platform)]) {
    const packing = { cwd: source, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const packed = execFileSync('npm', [...PACK, project], packing);
    const [{ filename, name }] = JSON.parse(packed);
    const target = join(project, 'node_modules', name);
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xzf', join(project, filename), '--strip-components=1', '-C', target]);
  }
}
