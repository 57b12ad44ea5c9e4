import sdk from './ai-sdk.js';

export const { createPipevideo, pipevideo } = sdk;
