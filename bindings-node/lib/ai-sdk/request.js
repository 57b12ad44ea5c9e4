'use strict';

// From the options of a call of the AI SDK to the arguments of a create, and the warnings for what is not supported.

const { object, unknownOption } = require('../check.js');
const { image, text, video } = require('../input.js');

/** The arguments of a create for which the SDK has no option of its own. */
const PROVIDER_OPTIONS = ['instructions', 'provider', 'engine', 'expandPrompt', 'maxCostUsd', 'extraBody'];

/** The options that the service does not have, and what to do instead. */
const UNSUPPORTED = {
  duration: 'Say in the prompt how long the video is to be.',
  fps: 'The service decides.',
  seed: 'Two videos of one prompt differ.',
  generateAudio: 'Say in the prompt what is to be heard.',
  webhookUrl: "Webhook endpoints are set for the account, in the service's dashboard.",
};

/** Returns the arguments of a create. */
function requestOf(model, options) {
  const more = object('providerOptions.pipevideo', options.providerOptions?.pipevideo ?? {});
  for (const name of Object.keys(more)) {
    if (!PROVIDER_OPTIONS.includes(name)) {
      throw unknownOption(`providerOptions.pipevideo.${name}`, PROVIDER_OPTIONS);
    }
  }
  const [width, height] = options.resolution?.split('x').map(Number) ?? [];
  const aspectRatio = options.aspectRatio === 'adaptive' ? undefined : options.aspectRatio;
  return { ...more, model, input: inputOf(options), width, height, aspectRatio };
}

function inputOf({ prompt, image: start, frameImages = [], inputReferences = [] }) {
  const first = start ?? frameImages.find(({ frameType }) => frameType === 'first_frame')?.image;
  const files = [...(first ? [first] : []), ...inputReferences];
  if (files.length === 0 && prompt !== undefined) return prompt;
  return [...(prompt === undefined ? [] : [text(prompt)]), ...files.map(partOf)];
}

function partOf(file) {
  const make = isVideo(file) ? video : image;
  if (file.type === 'url') return make(file.url);
  return make(typeof file.data === 'string' ? Buffer.from(file.data, 'base64') : file.data);
}

/** The media type of a URL is optional. */
function isVideo({ type, mediaType, url }) {
  if (mediaType !== undefined) return mediaType.startsWith('video/');
  return type === 'url' && /\.(mp4|m4v|mov|webm)$/i.test(url.split(/[?#]/, 1)[0]);
}

/** Returns a warning for each option of a call that has no effect, or another one than it says. */
function warningsOf(options) {
  const unsupported = Object.keys(UNSUPPORTED).filter((name) => options[name] !== undefined);
  const warnings = unsupported.map((feature) => ({
    type: 'unsupported',
    feature,
    details: UNSUPPORTED[feature],
  }));
  if (options.aspectRatio === 'adaptive') {
    warnings.push({ type: 'unsupported', feature: 'aspectRatio', details: "There is no 'adaptive' ratio." });
  }
  const frames = options.frameImages ?? [];
  if (frames.some(({ frameType }) => frameType === 'last_frame')) {
    warnings.push({ type: 'unsupported', feature: 'frameImages', details: 'The last frame is not sent.' });
  }
  if (frames.some(({ frameType }) => frameType === 'first_frame')) {
    const details = 'The first frame is sent as an image of the input. Say in the prompt that the video begins with it.';
    warnings.push({ type: 'compatibility', feature: 'frameImages', details });
  }
  return warnings;
}

module.exports = { requestOf, warningsOf };
