'use strict';

// Passes the records of the log to the clients' loggers.

const { Console } = require('node:console');
const { records } = require('./diagnostics.js');

/** The clients that log, by number, and the functions that take their records. Neither map keeps a client alive,
 * even if its logger refers to it; a call in progress does. */
const clients = new Map();
const functions = new WeakMap();
const collected = new FinalizationRegistry((number) => clients.delete(number));
let lastNumber = 0;
let isReported = false;

function nextNumber() {
  lastNumber += 1;
  return lastNumber;
}

const LEVELS = ['debug', 'info', 'warn'];

/** Registers a client that has records. Those from a level on are for its logger, or go to the standard error. */
function register(client, number, logger, level) {
  clients.set(number, new WeakRef(client));
  const take = level === undefined || level === null ? undefined : taking(logger);
  const isTaken = (record) => LEVELS.indexOf(record.level) >= LEVELS.indexOf(level);
  functions.set(client, (record) => (take !== undefined && isTaken(record) ? take(record) : undefined));
  collected.register(client, number);
}

/** Passes a record on. An exception of a logger is not one of the call that is logged. */
function deliver(number, json) {
  const take = functions.get(clients.get(number)?.deref());
  if (take === undefined) return;
  try {
    const { time, fields, ...record } = JSON.parse(json);
    const passed = { ...record, time: new Date(time), fields: Object.fromEntries(fields) };
    records.publish(passed);
    const returned = take(passed);
    if (typeof returned?.then === 'function') Promise.resolve(returned).catch(report);
  } catch (thrown) {
    report(thrown);
  }
}

/** Reports that a logger has failed, once: a logger that fails always would fill the standard error. */
function report(thrown) {
  if (isReported) return;
  isReported = true;
  const warning = new Error(`a logger has failed, and further failures are not reported: ${thrown}`);
  warning.name = 'PipevideoWarning';
  process.emitWarning(warning);
}

/** Returns the function that passes a record to a logger in the form that it expects. */
function taking(logger) {
  if (typeof logger === 'function') return logger;
  if (logger === undefined) return toStandardError();
  // A console prints an object on several lines.
  if (logger instanceof Console) return (record) => logger[record.level](`pipevideo: ${line(record)}`);
  // pino takes the fields before the message.
  if (typeof logger.bindings === 'function') {
    return ({ level, event, message, fields }) => logger[level]({ event, ...fields }, message);
  }
  return ({ level, event, message, fields }) => logger[level](message, { event, ...fields });
}

function toStandardError() {
  // A console ignores that the other end of a pipe is gone; the stream itself would end the process.
  const output = new Console({ stdout: process.stderr, stderr: process.stderr });
  return (record) => {
    const { time, level } = record;
    output.log(`${time.toISOString()} ${level.toUpperCase()} pipevideo: ${line(record)}`);
  };
}

/** The message and the fields on one line. */
function line({ message, fields }) {
  const shown = ([name, value]) => `${name}=${isPlain(value) ? value : JSON.stringify(value)}`;
  return [message, ...Object.entries(fields).map(shown)].join(' ');
}

/** Whether a value can stand without quotes. */
function isPlain(value) {
  return typeof value !== 'string' || /^[!#-<>-[\]-~]+$/.test(value);
}

module.exports = { deliver, nextNumber, register };
