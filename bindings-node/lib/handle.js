'use strict';

// What `generate` returns: the promise of the generation, which also has a promise of its id. The id comes as soon as
// the create is answered.

/** Adds the id to the promise of a generation. `onCreated` calls a function with the id, if the create gets one. */
function withId(promise, onCreated) {
  let id;
  const get = () => (id ??= early(promise, onCreated));
  return Object.defineProperty(promise, 'id', { get, configurable: true });
}

function early(promise, onCreated) {
  const id = new Promise((resolve, reject) => {
    onCreated(resolve);
    // What has failed may have created a generation, too.
    promise.then(
      (generation) => resolve(generation.id),
      (error) => {
        const known = error?.generationId ?? error?.cause?.generationId;
        if (known === undefined || known === null) reject(error);
        else resolve(known);
      },
    );
  });
  // The caller awaits one after the other. A failure is in both, and ends the process in neither.
  id.catch(() => {});
  return id;
}

module.exports = { withId };
