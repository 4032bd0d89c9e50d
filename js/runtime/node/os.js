// The module `node:os`: that of nowhere in particular, as on Cloudflare.
import { checkInteger, coded } from 'dotdo:node/errors';
import { errno, priority, signals } from 'dotdo:node/numbers';

export const EOL = '\n';
export const devNull = '/dev/null';
export const constants = Object.freeze({
  UV_UDP_REUSEADDR: 4,
  dlopen: Object.freeze({ RTLD_LAZY: 1, RTLD_NOW: 2, RTLD_GLOBAL: 8, RTLD_LOCAL: 4, RTLD_DEEPBIND: 8 }),
  errno: Object.freeze({ ...errno }),
  signals: Object.freeze({ ...signals }),
  priority: Object.freeze({ ...priority }),
});

export const availableParallelism = () => 1;
export const arch = () => 'x64';
export const cpus = () => [];
export const endianness = () => 'LE';
export const freemem = () => 0;
export const homedir = () => '/tmp/';
export const hostname = () => 'localhost';
export const loadavg = () => [0, 0, 0];
export const machine = () => 'x86_64';
export const networkInterfaces = () => ({});
export const platform = () => 'linux';
export const release = () => '';
export const tmpdir = () => '/tmp/';
export const totalmem = () => 0;
export const type = () => 'Linux';
export const uptime = () => 0;
export const userInfo = () => ({});
export const version = () => '';

export function getPriority(pid = 0) {
  checkInteger(pid, 'pid', -(2 ** 31), 2 ** 31 - 1);
  return 0;
}

export function setPriority(pid, value) {
  const [id, level] = value === undefined ? [0, pid] : [pid, value];
  checkInteger(id, 'pid', -(2 ** 31), 2 ** 31 - 1);
  checkInteger(level, 'priority', -20, 19);
  throw coded(Error, 'ERR_METHOD_NOT_IMPLEMENTED', 'The os.setPriority method is not implemented');
}

export default {
  EOL, devNull, constants, availableParallelism, arch, cpus, endianness, freemem, getPriority, homedir, hostname, loadavg, machine, networkInterfaces,
  platform, release, setPriority, tmpdir, totalmem, type, uptime, userInfo, version,
};
