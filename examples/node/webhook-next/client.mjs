// lib/client.mjs: the client that all routes share. In development Next.js reloads modules, so the client is kept on
// globalThis.

import { Pipevideo } from 'pipevideo';

globalThis.pipevideoClient ??= new Pipevideo();

export const client = globalThis.pipevideoClient;
