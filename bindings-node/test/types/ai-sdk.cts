// CommonJS may import the types of the SDK, which is an ES module.

import { pipevideo } from 'pipevideo/ai-sdk';

export const model: 'v4' = pipevideo.video('moonshotai/kimi-k2.5').specificationVersion;
