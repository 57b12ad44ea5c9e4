// A generation that is started in one process and finished in another: its id is all it takes.
//
//     node resume.mjs start "A cat walking on a beach at sunset"
//     node resume.mjs finish gen_...
//
// Both need the same service: PIPEVIDEO_API_KEY, and PIPEVIDEO_BASE_URL for another one than the
// service's own, such as the emulator's program (cargo run -p pipevideo-emulator -- --speed 12).

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
    // If it was stopped in the middle of the download, that goes on from there.
    const generation = await client.responses.wait(argument);
    console.log(await client.responses.download(generation, 'generation.mp4'));
  }
} catch (error) {
  if (!(error instanceof PipevideoError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
