// Checks the README: npm shows it on its own, so its code must work and its links must not be relative.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folder } from './common.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code);

test('every code block of the README is valid', async (context) => {
  const cwd = await folder(context);
  assert.ok(blocks.length >= 8);
  for (const [index, code] of blocks.entries()) {
    const path = join(cwd, `${index}.mjs`);
    await writeFile(path, code);
    execFileSync(process.execPath, ['--check', path], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
});

test('the README’s programs for the emulator run', async (context) => {
  const cwd = await folder(context);
  // On Windows most users may only make junctions.
  await symlink(ROOT, join(cwd, 'pipevideo'), 'junction');
  // Node finds the package by its name in node_modules only.
  await symlink(cwd, join(cwd, 'node_modules'), 'junction');
  const programs = blocks.filter((code) => code.includes('Emulator.start'));
  assert.equal(programs.length, 2);
  for (const [index, code] of programs.entries()) {
    const path = join(cwd, `${index}.mjs`);
    await writeFile(path, code);
    const output = execFileSync(process.execPath, [path], { cwd, encoding: 'utf8' });
    assert.equal(output, code.includes('console.log') ? 'cat.mp4\n' : '');
  }
});

test('the README’s links are absolute or within the page', () => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, title]) => {
    const words = title.toLowerCase().replace(/[^\w\s-]/g, '');
    return `#${words.replaceAll(' ', '-')}`;
  });
  for (const [, target] of readme.matchAll(/\]\(([^)]+)\)/g)) {
    assert.ok(/^https:\/\//.test(target) || anchors.includes(target), target);
  }
});
