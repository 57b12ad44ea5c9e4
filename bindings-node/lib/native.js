'use strict';

// Loads the native module: from this platform's package, or as it was built in the repository.

const { withBarrier } = require('./barrier.js');

const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
];

/** Loads the first candidate that is installed. npm installs the one for the system's C library; if both are
 * installed, the wrong one fails to load and the other is tried. */
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
    return `pipevideo: its native module for ${here} failed to load: ${why}. ${platforms}`;
  }
  if (candidates.length > 0) {
    const packages = candidates.map((name) => `pipevideo-${name}`).join(' or ');
    return (
      `pipevideo: its native module for ${here} is missing: the package ${packages}. It is an ` +
      'optional dependency of pipevideo: install again without --omit=optional, on the platform ' +
      'where the program will run. In a clone of the repository, build it with cargo xtask test node. ' +
      platforms
    );
  }
  return (
    `pipevideo: there is no native module for ${here}. ${platforms} Browsers and edge runtimes cannot ` +
    'load native modules: call your own backend from there, and use pipevideo in the backend.'
  );
}

module.exports = withBarrier(load());
