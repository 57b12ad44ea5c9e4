// Starts a generation in one process and finishes it in another, which needs only its id.
//
//     node resume.mjs start "A cat walking on a beach at sunset"
//     node resume.mjs finish gen_...
//
// Both processes need PIPEVIDEO_API_KEY. To use the emulator in place of the service, run its program
// (cargo run -p pipevideo-emulator -- --speed 12) and set PIPEVIDEO_BASE_URL to its URL.

import { Pipevideo, PipevideoError } from 'pipevideo';

const [command, argument] = process.argv.slice(2);
if (argument === undefined || !['start', 'finish'].includes(command)) {
  console.error('usage: resume.mjs start PROMPT | resume.mjs finish ID');
  process.exit(2);
}
try {
  const client = new Pipevideo();
  if (command === 'start') {
    const created = await client.responses.create({ model: 'moonshotai/kimi-k2.5', input: argument });
    console.log(created.id);
  } else {
    // If this process is stopped during the download, the next run resumes it.
    const generation = await client.responses.wait(argument);
    console.log(await client.responses.download(generation, 'generation.mp4'));
  }
} catch (error) {
  if (!(error instanceof PipevideoError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
