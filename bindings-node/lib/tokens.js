'use strict';

// API keys that are functions, called for a token before each request.

const native = require('./native.js');
const { keepReason } = require('./errors.js');
const { kindOf } = require('./check.js');

/** The clients that have such a function, by number, and their functions. Neither map keeps a client alive, even
 * if its function refers to it; a call in progress does. */
const clients = new Map();
const functions = new WeakMap();
const collected = new FinalizationRegistry((number) => clients.delete(number));
let lastNumber = 0;

/** Registers a client's function. Returns the number by which the native module refers to the client. */
function register(client, apiKey) {
  lastNumber += 1;
  clients.set(lastNumber, new WeakRef(client));
  functions.set(client, apiKey);
  collected.register(client, lastNumber);
  return lastNumber;
}

/** Calls a client's function and gives the token, or the failure, to the native module. */
async function provide(number, request) {
  let token;
  try {
    token = await functions.get(clients.get(number)?.deref())?.();
    if (typeof token !== 'string') {
      throw new TypeError(`the apiKey function must return a string, not ${kindOf(token)}`);
    }
  } catch (reason) {
    keepReason(request, reason);
    token = undefined;
  }
  native.provideToken(request, token);
}

module.exports = { provide, register };
