'use strict';

// The JavaScript half of the panic barrier: a panic in the native module becomes an `InternalError`.

/** The beginning of the messages that `src/barrier.rs` throws; the error as JSON follows. */
const MARK = 'pipevideo panicked: ';
/** Marks what has been wrapped: after Jest has cleared its registry, the same module is loaded again. */
const WRAPPED = Symbol.for('pipevideo.barrier');

function wrap(native) {
  const wrapped = function (...given) {
    try {
      return new.target ? Reflect.construct(native, given, new.target) : Reflect.apply(native, this, given);
    } catch (thrown) {
      throw converted(thrown, wrapped);
    }
  };
  return wrapped;
}

function converted(thrown, caller) {
  const message = String(thrown?.message);
  // Required here, since errors.js does not need the native module.
  return message.startsWith(MARK) ? require('./errors.js').make(message.slice(MARK.length), caller) : thrown;
}

/** Wraps the methods of a class. */
function wrapMethods(prototype) {
  if (Object.hasOwn(prototype, WRAPPED)) return;
  Object.defineProperty(prototype, WRAPPED, { value: true });
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (name === 'constructor') continue;
    for (const part of ['value', 'get', 'set']) {
      if (typeof property[part] === 'function') property[part] = wrap(property[part]);
    }
    Object.defineProperty(prototype, name, property);
  }
}

/** Returns the native module with all its functions, constructors and methods wrapped. */
function withBarrier(native) {
  const exported = {};
  for (const [name, value] of Object.entries(native)) {
    exported[name] = typeof value === 'function' ? wrap(value) : value;
    if (value?.prototype !== undefined) {
      wrapMethods(value.prototype);
      exported[name].prototype = value.prototype;
    }
  }
  return exported;
}

module.exports = { withBarrier };
