'use strict';

const { Pipevideo } = require('./lib/client.js');
const { readJournal, writeReport } = require('./lib/batch.js');
const { Webhook } = require('./lib/webhook.js');
const { image, text, video } = require('./lib/input.js');
const { classes } = require('./lib/errors.js');
const { generationSchema } = require('./lib/schema.js');
const { version } = require('./package.json');

// `require('pipevideo')` is the class `Pipevideo`, and every other export is a property of it. So
// `require('pipevideo')`, `require('pipevideo').Pipevideo` and `require('pipevideo').default` are all the class.
module.exports = Object.assign(Pipevideo, {
  __esModule: true,
  default: Pipevideo,
  Pipevideo,
  Webhook,
  generationSchema,
  image,
  readJournal,
  text,
  version,
  video,
  writeReport,
  ...classes,
});
