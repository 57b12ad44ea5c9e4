// Adds the platforms' packages to the manifest while npm packs it, as napi-rs does when it publishes, and removes
// them afterwards. The manifest in the repository does not list them, since npm would try to install them from the
// registry, where they do not exist before the first release.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const here = new URL('..', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', here), 'utf8'));
if (process.argv[2] === 'pack') {
  const platforms = readdirSync(new URL('npm', here)).sort();
  manifest.optionalDependencies = Object.fromEntries(
    platforms.map((name) => [`@pipevideo/${name}`, manifest.version]),
  );
} else {
  delete manifest.optionalDependencies;
}
writeFileSync(new URL('package.json', here), `${JSON.stringify(manifest, null, 2)}\n`);
