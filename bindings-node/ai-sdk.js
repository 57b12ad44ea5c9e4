'use strict';

// Video models for the AI SDK of Vercel. They are plain objects: at run time this file needs nothing of the SDK.

const { Pipevideo } = require('./lib/client.js');
const { text } = require('./lib/check.js');
const { InvalidRequestError } = require('./lib/errors.js');
const { Starts } = require('./lib/ai-sdk/starts.js');
const { VideoModel } = require('./lib/ai-sdk/model.js');

/** Makes a provider, of which all models use one client. It is made at the first call, since a module that only
 * imports the provider may run without a key. */
function createPipevideo(given) {
  let client = given instanceof Pipevideo ? given : undefined;
  const open = () => (client ??= new Pipevideo(given));
  const starts = new Starts();
  const video = (modelId) => new VideoModel(text('modelId', modelId), open, starts);
  return {
    specificationVersion: 'v4',
    video,
    videoModel: video,
    languageModel: missing('language'),
    embeddingModel: missing('embedding'),
    imageModel: missing('image'),
  };
}

function missing(kind) {
  return () => {
    throw new InvalidRequestError(`Pipevideo has no ${kind} models. Use video(…).`);
  };
}

module.exports = { createPipevideo, pipevideo: createPipevideo() };
