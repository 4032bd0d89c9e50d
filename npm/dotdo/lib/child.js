// The program as a child: input, output, signals and the exit code pass through, and it never
// outlives this process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Signals that ask for an end. */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Longer than the server's own `shutdown.deadline_ms`. */
const STOP_MAX_MS = 15_000;

/** The environment of a child, which looks whether this process is still there. */
export function environment(more = {}) {
  return { ...process.env, PARENT_OF_DOTDO: String(process.pid), ...more };
}

/** Ends this process as a child has ended. */
export function endAs({ code, signal }) {
  if (signal === null) process.exit(code);
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
}

/** How a child ends. */
export async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return { code: child.exitCode, signal: child.signalCode };
  const [code, signal] = await once(child, 'exit');
  return { code, signal };
}

/** Has a child end in order, and waits for that. */
export async function stop(child) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MAX_MS);
  await ended(child);
  clearTimeout(timer);
}

/** Whether the terminal sends its signals to the child as well: it is in the group of this process. */
const hasTerminal = () => process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;

/** Does all with the program: a server gets every signal from here, others those of the terminal themselves. */
export async function passOn(program, args, { isServer = false } = {}) {
  const child = spawn(program, args, { stdio: 'inherit', detached: isServer, env: environment() });
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (isServer || name !== 'SIGINT' || !hasTerminal()) child.kill(name);
    });
  }
  endAs(await ended(child));
}
