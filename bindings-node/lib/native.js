'use strict';

// The native module: from the package of this platform, or as it was built in the repository.

const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
];

/** Loads the first that there is. npm installs that of the right C library; where it has installed
 * both, the wrong one does not load and the next is tried. */
function load() {
  const here = `${process.platform}-${process.arch}`;
  const candidates = PLATFORMS.filter((name) => name === here || name.startsWith(`${here}-`));
  const failures = [];
  for (const name of candidates) {
    for (const path of [`../npm/${name}/pipevideo.${name}.node`, `pipevideo-${name}`]) {
      try {
        return require(path);
      } catch (error) {
        const missing = error.code === 'MODULE_NOT_FOUND' && String(error.message).includes(path);
        if (!missing) failures.push(error);
      }
    }
  }
  throw new Error(message(here, candidates, failures), { cause: failures[0] });
}

function message(here, candidates, failures) {
  const platforms = `There are native modules for ${PLATFORMS.join(', ')}.`;
  if (failures.length > 0) {
    const why = failures[0].message.replace(/\.$/, '');
    return `pipevideo: its native module for ${here} does not load: ${why}. ${platforms}`;
  }
  if (candidates.length > 0) {
    const packages = candidates.map((name) => `pipevideo-${name}`).join(' or ');
    return (
      `pipevideo: its native module for ${here} is missing: the package ${packages}. It is an ` +
      'optional dependency of pipevideo: install again without --omit=optional, on the platform ' +
      `where it is to run. In a clone of the repository, build it: README.md says how. ${platforms}`
    );
  }
  return (
    `pipevideo: there is no native module for ${here}. ${platforms} Where none can run, as in ` +
    'browsers and edge runtimes, call your own backend, and use pipevideo there.'
  );
}

module.exports = load();
