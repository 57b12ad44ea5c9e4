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
  'win32-arm64-msvc',
];

/** Loads a platform's package. Tools that copy what a program needs, such as `@vercel/nft` in the standalone output
 * of Next.js, find only what is required by a constant name; and bundlers accept that a package is not installed
 * only inside `try`. */
function loadPackage(name, failures) {
  try {
    switch (name) {
      case 'linux-x64-gnu':
        return require('@pipevideo/linux-x64-gnu');
      case 'linux-x64-musl':
        return require('@pipevideo/linux-x64-musl');
      case 'linux-arm64-gnu':
        return require('@pipevideo/linux-arm64-gnu');
      case 'linux-arm64-musl':
        return require('@pipevideo/linux-arm64-musl');
      case 'darwin-x64':
        return require('@pipevideo/darwin-x64');
      case 'darwin-arm64':
        return require('@pipevideo/darwin-arm64');
      case 'win32-x64-msvc':
        return require('@pipevideo/win32-x64-msvc');
      default:
        return require('@pipevideo/win32-arm64-msvc');
    }
  } catch (error) {
    if (!isMissing(error, `@pipevideo/${name}`)) failures.push(error);
    return null;
  }
}

/** Loads the module that was built in the repository. The published package has none, and bundlers are not to search
 * for it: they see no `require`. In their output there may be no `__filename`. */
function loadBuilt(name, failures) {
  const path = `../npm/${name}/pipevideo.${name}.node`;
  if (typeof __filename === 'undefined') return null;
  try {
    return require('node:module').createRequire(__filename)(path);
  } catch (error) {
    if (!isMissing(error, path)) failures.push(error);
    return null;
  }
}

function isMissing(error, path) {
  return error.code === 'MODULE_NOT_FOUND' && String(error.message).includes(path);
}

/** Loads the first candidate that is installed. npm installs the one for the system's C library; if both are
 * installed, the wrong one fails to load and the other is tried. */
function load() {
  const here = `${process.platform}-${process.arch}`;
  const candidates = PLATFORMS.filter((name) => name === here || name.startsWith(`${here}-`));
  const failures = [];
  for (const name of candidates) {
    const loaded = loadPackage(name, failures) ?? loadBuilt(name, failures);
    if (loaded !== null) return loaded;
  }
  throw new Error(message(here, candidates, failures), { cause: failures[0] });
}

const BUNDLED = 'In a program that a bundler has built, mark pipevideo as external, so that it is loaded from node_modules.';

function message(here, candidates, failures) {
  const platforms = `There are native modules for ${PLATFORMS.join(', ')}.`;
  if (failures.length > 0) {
    const why = failures[0].message.replace(/\.$/, '');
    return `pipevideo: its native module for ${here} failed to load: ${why}. ${BUNDLED} ${platforms}`;
  }
  if (candidates.length > 0) {
    const packages = candidates.map((name) => `@pipevideo/${name}`).join(' or ');
    return (
      `pipevideo: its native module for ${here} is missing: the package ${packages}. It is an ` +
      'optional dependency of pipevideo: install again without --omit=optional, on the platform ' +
      `where the program will run. ${BUNDLED} ` +
      'In a clone of the repository, build it with npm run build in bindings-node. ' +
      platforms
    );
  }
  return (
    `pipevideo: there is no native module for ${here}. ${platforms} Browsers and edge runtimes cannot ` +
    'load native modules: call your own backend from there, and use pipevideo in the backend.'
  );
}

module.exports = withBarrier(load());
