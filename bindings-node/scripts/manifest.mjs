// Puts the packages of the platforms into the manifest while it is packed, as napi-rs does when it
// publishes, and takes them out again. In the repository they are not there: npm would look for them in
// the registry, where they do not exist before the first release.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const here = new URL('..', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', here), 'utf8'));
if (process.argv[2] === 'pack') {
  const platforms = readdirSync(new URL('npm', here)).sort();
  manifest.optionalDependencies = Object.fromEntries(
    platforms.map((name) => [`pipevideo-${name}`, manifest.version]),
  );
} else {
  delete manifest.optionalDependencies;
}
writeFileSync(new URL('package.json', here), `${JSON.stringify(manifest, null, 2)}\n`);
