#!/usr/bin/env node
import { run } from '../lib/command.js';

await run(process.argv.slice(2));
