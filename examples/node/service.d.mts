import type { ClientOptions } from 'pipevideo';

export function service(): Promise<ClientOptions>;
