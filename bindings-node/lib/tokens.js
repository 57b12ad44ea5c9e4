// Keys that are functions: asked for a token before each request.

const native = require('./native.js');
const { keepReason } = require('./errors.js');
const { kindOf } = require('./check.js');

/** The functions by their client's number, kept alive by the clients themselves. */
const functions = new Map();
const gone = new FinalizationRegistry((client) => functions.delete(client));
let last = 0;

/** A number for a function. */
function register(apiKey) {
  last += 1;
  functions.set(last, new WeakRef(apiKey));
  gone.register(apiKey, last);
  return last;
}

async function answer(client, request) {
  let token;
  try {
    token = await functions.get(client)?.deref()?.();
    if (typeof token !== 'string') {
      throw new TypeError(`the apiKey function must return a string, not ${kindOf(token)}`);
    }
  } catch (reason) {
    keepReason(request, reason);
    token = undefined;
  }
  native.answerToken(request, token);
}

module.exports = { answer, register };
