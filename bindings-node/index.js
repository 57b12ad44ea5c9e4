'use strict';

const { Pipevideo } = require('./lib/client.js');
const { Webhook } = require('./lib/webhook.js');
const { image, text, video } = require('./lib/input.js');
const { classes } = require('./lib/errors.js');
const { version } = require('./package.json');

// `require('pipevideo')` is the client's class, with everything else as its properties, so that
// `require('pipevideo')`, `.Pipevideo` and `.default` all are what they look like.
module.exports = Object.assign(Pipevideo, {
  __esModule: true,
  default: Pipevideo,
  Pipevideo,
  Webhook,
  image,
  text,
  version,
  video,
  ...classes,
});
