// Installs the packages as npm packs them.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = fileURLToPath(new URL('..', import.meta.url));
const platform = readdirSync(join(HERE, 'npm')).find((name) =>
  readdirSync(join(HERE, 'npm', name)).some((file) => file.endsWith('.node')),
);

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
