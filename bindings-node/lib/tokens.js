'use strict';

// Keys that are functions: asked for a token before each request.

const native = require('./native.js');
const { keepReason } = require('./errors.js');
const { kindOf } = require('./check.js');

/** The owners of functions by number, and their functions. Neither keeps an owner alive: a call under way
 * does. */
const owners = new Map();
const functions = new WeakMap();
const gone = new FinalizationRegistry((number) => owners.delete(number));
let last = 0;

/** The number that the native module is to ask with. */
function register(owner, apiKey) {
  last += 1;
  owners.set(last, new WeakRef(owner));
  functions.set(owner, apiKey);
  gone.register(owner, last);
  return last;
}

async function answer(number, request) {
  let token;
  try {
    token = await functions.get(owners.get(number)?.deref())?.();
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
