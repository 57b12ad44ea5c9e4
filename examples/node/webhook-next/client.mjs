// lib/client.mjs: one client for all routes. Next.js loads modules anew while developing, so it is kept
// beside them.

import { Pipevideo } from 'pipevideo';

globalThis.pipevideoClient ??= new Pipevideo();

export const client = globalThis.pipevideoClient;
