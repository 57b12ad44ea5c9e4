// The browser of the tests that show pages.

import { chromium } from 'playwright-core';

const CHROMIUM = process.env.PIPEVIDEO_TEST_CHROMIUM;
/** Why tests that need a browser are skipped, or false. */
export const skip =
  CHROMIUM === undefined && 'PIPEVIDEO_TEST_CHROMIUM is not set; cargo xtask test node sets it';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A name of an attacker, which resolves to this machine (DNS rebinding).
  '--host-resolver-rules=MAP evil.example 127.0.0.1',
];

/** Starts a browser with a profile of its own. Undefined if the tests are skipped. */
export async function launch() {
  return skip ? undefined : await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}
