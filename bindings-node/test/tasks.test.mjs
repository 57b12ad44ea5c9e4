// The programs of the task pages in docs/tasks run as they stand, against an emulator.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Emulator } from 'pipevideo/testing';
import { folder } from './common.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGES = join(ROOT, '../docs/tasks');

for (const page of await readdir(PAGES)) {
  const text = await readFile(join(PAGES, page), 'utf8');
  const programs = [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code);
  if (programs.length === 0) continue;
  test(`the program of ${page} runs`, async (context) => {
    assert.equal(programs.length, 1);
    const cwd = await folder(context);
    // On Windows most users may only make junctions.
    await symlink(ROOT, join(cwd, 'pipevideo'), 'junction');
    // Node finds the package by its name in node_modules only.
    await symlink(cwd, join(cwd, 'node_modules'), 'junction');
    const emulator = await Emulator.start();
    context.after(() => emulator.stop());
    await writeFile(join(cwd, 'program.mjs'), programs[0]);
    const env = { ...process.env, PIPEVIDEO_BASE_URL: emulator.baseURL, PIPEVIDEO_API_KEY: emulator.apiKey };
    await promisify(execFile)(process.execPath, ['program.mjs'], { cwd, env });
    if (programs[0].includes('cat.mp4')) assert.ok((await stat(join(cwd, 'cat.mp4'))).size > 0);
  });
}
