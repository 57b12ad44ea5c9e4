// The client that all routes share. In development Next.js reloads modules, so the client is kept on globalThis. It is
// made at the first request: `next build` loads the routes too, where there may be no key.

import { Pipevideo } from 'pipevideo';

export const client = () => (globalThis.pipevideoClient ??= new Pipevideo());
