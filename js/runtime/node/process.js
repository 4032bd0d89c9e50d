// The module `node:process`, and the global of that name.
import { host, missing } from 'dotdo:host';
import { env as bindings } from 'dotdo:environment';
import { builtin } from 'dotdo:lazy';
import { checkFunction, checkInteger, checkString, coded, invalidType, invalidValue, notImplemented } from 'dotdo:node/errors';

export const version = 'v22.23.4';
export const versions = { node: version.slice(1) };
export const title = 'dotdo';
export const argv = ['dotdo'];
export const argv0 = 'dotdo';
export const execArgv = [];
export const execPath = '';
export const arch = 'x64';
export const platform = 'linux';
export const pid = 1;
export const ppid = 0;
export const release = { name: 'node', lts: true, sourceUrl: '', headersUrl: '' };
export const config = { target_defaults: { default_configuration: 'Release' }, variables: {} };
export const features = {
  cached_builtins: true, debug: false, inspector: false, ipv6: true, openssl_is_boringssl: false, require_module: false, tls: false, tls_alpn: false,
  tls_ocsp: false, tls_sni: false, typescript: false, uv: false,
};

/** The variables and secrets of the configuration, and what code sets: texts only. */
export const env = new Proxy(Object.fromEntries(Object.entries(bindings).filter(([, value]) => typeof value === 'string')), {
  set(target, name, value) {
    if (typeof name === 'symbol') throw new TypeError('Cannot convert a symbol value to a string');
    target[name] = `${value}`;
    return true;
  },
  defineProperty(target, name, about) {
    return Reflect.defineProperty(target, name, 'value' in about ? { ...about, value: `${about.value}` } : about);
  },
});

let folder = '/bundle';
export const cwd = () => folder;

export function chdir(path) {
  checkString(path, 'directory');
  folder = builtin('node:path').resolve(path);
}

export const umask = () => 0o22;
export const uptime = () => 0;
export const nextTick = (work, ...values) => {
  checkFunction(work, 'callback');
  queueMicrotask(values.length ? () => work(...values) : work);
};

/** The time of the event that runs, which stands still meanwhile. */
export function hrtime(before) {
  const [seconds, nanoseconds] = [Math.floor(host.now() / 1000), (host.now() % 1000) * 1e6];
  if (before === undefined) return [seconds, nanoseconds];
  if (!Array.isArray(before)) throw invalidType('time', 'Array', before);
  if (before.length !== 2) throw coded(RangeError, 'ERR_OUT_OF_RANGE', `The value of "time" is out of range. It must be 2. Received ${before.length}`);
  const [past, rest] = before;
  return nanoseconds < rest ? [seconds - past - 1, nanoseconds - rest + 1e9] : [seconds - past, nanoseconds - rest];
}
hrtime.bigint = () => BigInt(host.now()) * 1_000_000n;

export function memoryUsage() {
  return { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 };
}
memoryUsage.rss = () => 0;

export const resourceUsage = () => ({
  userCPUTime: 0, systemCPUTime: 0, maxRSS: 0, sharedMemorySize: 0, unsharedDataSize: 0, unsharedStackSize: 0, minorPageFault: 0, majorPageFault: 0,
  swappedOut: 0, fsRead: 0, fsWrite: 0, ipcSent: 0, ipcReceived: 0, signalsCount: 0, voluntaryContextSwitches: 0, involuntaryContextSwitches: 0,
});
export const constrainedMemory = () => 0;
export const availableMemory = () => 0;

const nobody = () => 0;
export { nobody as getegid, nobody as geteuid, nobody as getgid, nobody as getuid };
export const getgroups = () => [0];

const denied = () => {
  throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' });
};
export { denied as initgroups, denied as setegid, denied as seteuid, denied as setgid, denied as setgroups, denied as setuid };

export function emitWarning(warning, type, code, maker) {
  let [name, number] = [type, code];
  if (type !== null && typeof type === 'object' && !Array.isArray(type)) ({ type: name, code: number } = type);
  else if (typeof type === 'function') name = undefined;
  void maker;
  if (name !== undefined) checkString(name, 'type');
  if (typeof number === 'function') number = undefined;
  else if (number !== undefined) checkString(number, 'code');
  let told = warning;
  if (typeof warning === 'string') {
    told = new Error(warning);
    told.name = String(name || 'Warning');
    if (number !== undefined) told.code = number;
  } else if (!(warning instanceof Error)) throw invalidType('warning', ['Error', 'string'], warning);
  if (told.name === 'DeprecationWarning' && process.noDeprecation) return;
  nextTick(() => {
    if (!process.emit('warning', told)) console.warn(`${told.code ? `[${told.code}] ` : ''}${told}`);
  });
}

export const getBuiltinModule = (id) => {
  checkString(id, 'id');
  return builtin(id);
};
export const exit = () => missing('process.exit', 'return from the handler, or throw');
export const abort = () => missing('process.abort', 'return from the handler, or throw');
export const kill = (id, signal) => {
  checkInteger(id, 'pid');
  throw signal === undefined || typeof signal === 'string' || typeof signal === 'number' ? notImplemented('process.kill') : invalidValue('signal', signal);
};
export const binding = () => {
  throw notImplemented('process.binding');
};
export const dlopen = () => {
  throw notImplemented('process.dlopen');
};
export const cpuUsage = () => {
  throw notImplemented('process.cpuUsage');
};
export const setUncaughtExceptionCaptureCallback = () => {
  throw notImplemented('process.setUncaughtExceptionCaptureCallback');
};
export const hasUncaughtExceptionCaptureCallback = () => false;
export const setSourceMapsEnabled = () => {};
export const getActiveResourcesInfo = () => [];
export const ref = () => {};
export const unref = () => {};

/** What is written goes to the server's log, a line at a time. */
function output(fd, level) {
  let rest = '';
  return {
    fd,
    isTTY: false,
    writable: true,
    write(piece, ...more) {
      const lines = (rest + (typeof piece === 'string' ? piece : new TextDecoder().decode(piece))).split('\n');
      rest = lines.pop();
      for (const line of lines) host.log(level, line.toWellFormed());
      const done = more.find((one) => typeof one === 'function');
      if (done) nextTick(done);
      return true;
    },
  };
}
export const stdout = output(1, 'info');
export const stderr = output(2, 'error');

/** Methods of an emitter, of which there is one when it is first used. */
let emitter;
const EMITTING = [
  'addListener', 'emit', 'eventNames', 'getMaxListeners', 'listenerCount', 'listeners', 'off', 'on', 'once', 'prependListener', 'prependOnceListener',
  'rawListeners', 'removeAllListeners', 'removeListener', 'setMaxListeners',
];

function emitting(name) {
  return function (...values) {
    if (!emitter) {
      const EventEmitter = builtin('node:events');
      emitter = new EventEmitter();
      Object.setPrototypeOf(Object.getPrototypeOf(process), EventEmitter.prototype);
    }
    const result = emitter[name](...values);
    return result === emitter ? process : result;
  };
}

const process = Object.create(Object.create(Object.prototype, { constructor: { value: { process() {} }.process, writable: true, configurable: true } }));
Object.assign(process, {
  version, versions, title, argv, argv0, execArgv, execPath, arch, platform, pid, ppid, release, config, features, env, cwd, chdir, umask, uptime, nextTick,
  hrtime, memoryUsage, resourceUsage, constrainedMemory, availableMemory, getegid: nobody, geteuid: nobody, getgid: nobody, getuid: nobody, getgroups,
  initgroups: denied, setegid: denied, seteuid: denied, setgid: denied, setgroups: denied, setuid: denied, emitWarning, getBuiltinModule, exit, abort, kill,
  binding, dlopen, cpuUsage, setUncaughtExceptionCaptureCallback, hasUncaughtExceptionCaptureCallback, setSourceMapsEnabled, getActiveResourcesInfo, ref,
  unref, stdout, stderr, exitCode: undefined, connected: false, noDeprecation: false, throwDeprecation: false, traceDeprecation: false,
});
for (const name of EMITTING) Object.defineProperty(process, name, { value: emitting(name), writable: true, configurable: true });
Object.defineProperty(process, Symbol.toStringTag, { value: 'process', configurable: true });

export default process;
