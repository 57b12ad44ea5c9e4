#!/usr/bin/env node
'use strict';

// The command `pipevideo`, which runs in the native module and blocks this thread.

const { runCommand } = require('../lib/native.js');

// The native half handles Ctrl-C, and calls the handler that was there before. Without a listener that is Node's own,
// which raises the signal again and again. The event loop does not turn while the command runs, so this function is not called.
process.on('SIGINT', () => {});
process.exit(runCommand(process.argv.slice(2)));
