// The module `node:assert`.
import { AssertionError } from 'dotdo:node/assert/error';
import { checkFunction, coded, invalidType, invalidValue } from 'dotdo:node/errors';
import { isDeepStrictEqual } from 'dotdo:node/util/equal';
import { inspect } from 'dotdo:node/util/inspect';
import { isNativeError, isRegExp } from 'node:util/types';

function failing(about, message) {
  if (message instanceof Error) throw message;
  throw new AssertionError({ ...about, message });
}

const missingValues = () => coded(TypeError, 'ERR_MISSING_ARGS', 'The "actual" and "expected" arguments must be specified');

function checkTruth(values, operator) {
  const [value, message] = values;
  if (value) return;
  if (values.length === 0) {
    const error = new AssertionError({ message: 'No value argument passed to `assert.ok()`', actual: value, expected: true, operator });
    error.generatedMessage = true;
    throw error;
  }
  if (message instanceof Error) throw message;
  const error = new AssertionError({ message: message ?? 'The expression evaluated to a falsy value', actual: value, expected: true, operator });
  error.generatedMessage = message === undefined || message === null;
  throw error;
}

export default function assert(...values) {
  checkTruth(values, '==');
}
export const ok = (...values) => checkTruth(values, '==');

export function fail(message) {
  if (message instanceof Error) throw message;
  const error = new AssertionError({ message: message ?? 'Failed', operator: 'fail' });
  error.generatedMessage = message === undefined;
  throw error;
}

/** An assertion of two values. */
const comparing = (operator, holds) => function (actual, expected, message) {
  if (arguments.length < 2) throw missingValues();
  if (!holds(actual, expected)) failing({ actual, expected, operator }, message);
};
export const strictEqual = comparing('strictEqual', Object.is);
export const notStrictEqual = comparing('notStrictEqual', (one, other) => !Object.is(one, other));
export const deepStrictEqual = comparing('deepStrictEqual', isDeepStrictEqual);
export const notDeepStrictEqual = comparing('notDeepStrictEqual', (one, other) => !isDeepStrictEqual(one, other));
// On Cloudflare there is no loose way to compare.
export const equal = strictEqual;
export const notEqual = notStrictEqual;
export const deepEqual = deepStrictEqual;
export const notDeepEqual = notDeepStrictEqual;

/** Whether `actual` has all that `expected` has. */
function hasAll(actual, expected) {
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) return Object.is(actual, expected);
  if (Array.isArray(expected) !== Array.isArray(actual) || Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return false;
  if (expected instanceof Map) return [...expected].every(([key, value]) => actual.has(key) && hasAll(actual.get(key), value));
  if (expected instanceof Set) return [...expected].every((item) => [...actual].some((other) => hasAll(other, item)));
  if (Array.isArray(expected)) {
    let at = 0;
    return expected.every((item) => {
      while (at < actual.length && !hasAll(actual[at], item)) at++;
      return at++ < actual.length;
    });
  }
  if (ArrayBuffer.isView(expected) || expected instanceof Date || isRegExp(expected) || isNativeError(expected)) return isDeepStrictEqual(actual, expected);
  return Reflect.ownKeys(expected).every((key) => key in actual && hasAll(actual[key], expected[key]));
}
export const partialDeepStrictEqual = comparing('partialDeepStrictEqual', hasAll);

function matching(actual, pattern, message, isWanted) {
  const operator = isWanted ? 'match' : 'doesNotMatch';
  if (!isRegExp(pattern)) throw invalidType('regexp', 'RegExp', pattern);
  if (typeof actual === 'string' && (pattern.exec(actual) !== null) === isWanted) return;
  if (message instanceof Error) throw message;
  const isText = typeof actual === 'string';
  const text = isText
    ? `The input ${isWanted ? 'did not match the regular expression' : 'was expected to not match the regular expression'} ${inspect(pattern)}. Input:\n\n${inspect(actual)}\n`
    : `The "string" argument must be of type string. Received type ${typeof actual} (${inspect(actual)})`;
  const error = new AssertionError({ message: message ?? text, actual, expected: pattern, operator });
  error.generatedMessage = message === undefined;
  throw error;
}
export const match = (actual, pattern, message) => matching(actual, pattern, message, true);
export const doesNotMatch = (actual, pattern, message) => matching(actual, pattern, message, false);

export function ifError(error) {
  if (error === null || error === undefined) return;
  const text = typeof error === 'object' && typeof error.message === 'string' ? error.message || error.constructor?.name : inspect(error);
  const failed = new AssertionError({ message: `ifError got unwanted exception: ${text}`, actual: error, expected: null, operator: 'ifError' });
  failed.generatedMessage = true;
  throw failed;
}

const NOTHING = Symbol('nothing');

/** Whether what was thrown is what was expected; throws if it is not. */
function checkThrown(actual, expected, message, operator) {
  const fails = (text) => {
    const error = message instanceof Error ? message : new AssertionError({ message: message ?? text, actual, expected, operator });
    if (!(message instanceof Error)) error.generatedMessage = message === undefined;
    throw error;
  };
  if (expected === undefined) return;
  if (isRegExp(expected)) {
    if (expected.exec(String(actual)) === null) fails(`The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(String(actual))}\n`);
    return;
  }
  if (typeof expected !== 'function') {
    checkFields(actual, expected, message, operator, fails);
    return;
  }
  if (expected.prototype !== undefined && actual instanceof expected) return;
  if (Error.isPrototypeOf(expected)) {
    const got = actual instanceof Error ? `"${actual.constructor?.name ?? actual.name}"` : `"${inspect(actual, { depth: -1 })}"`;
    fails(`The error is expected to be an instance of "${expected.name}". Received ${got}${actual?.message ? `\n\nError message:\n\n${actual.message}` : ''}`);
  }
  if (expected.call({}, actual) !== true) {
    const caught = isNativeError(actual) ? `\n\nCaught error:\n\n${actual}` : '';
    fails(`The ${expected.name ? `"${expected.name}" ` : ''}validation function is expected to return "true".${caught}`);
  }
}

function checkFields(actual, expected, message, operator, fails) {
  if (typeof actual !== 'object' || actual === null) fails(undefined);
  const keys = Object.keys(expected);
  if (expected instanceof Error) keys.push('name', 'message');
  else if (keys.length === 0) throw invalidValue('error', expected, 'may not be an empty object');
  const holds = (key) => {
    if (typeof actual[key] === 'string' && isRegExp(expected[key])) return expected[key].exec(actual[key]) !== null;
    return key in actual && isDeepStrictEqual(actual[key], expected[key]);
  };
  if (keys.every(holds)) return;
  const shownOf = (value, key) => (isRegExp(expected[key]) && holds(key) ? expected[key] : value[key]);
  const part = (value) => Object.fromEntries(keys.filter((key) => key in value).map((key) => [key, shownOf(value, key)]));
  if (message !== undefined) fails(undefined);
  const error = new AssertionError({ actual: part(actual), expected: part(expected), operator: 'deepStrictEqual' });
  Object.assign(error, { actual, expected, operator });
  throw error;
}

function expects(operator, actual, expected, message) {
  let [error, text] = [expected, message];
  if (typeof error === 'string') [error, text] = [undefined, error];
  else if (error !== undefined && typeof error !== 'object' && typeof error !== 'function') throw invalidType('error', ['Object', 'Error', 'function', 'RegExp'], error);
  if (actual !== NOTHING) return checkThrown(actual, error, text, operator);
  const kind = operator === 'rejects' ? 'rejection' : 'exception';
  return failing({ actual: undefined, expected: error, operator }, text instanceof Error ? text : `Missing expected ${kind}${error?.name ? ` (${error.name})` : ''}${text ? `: ${text}` : '.'}`);
}

function unwanted(operator, actual, expected, message) {
  if (actual === NOTHING) return;
  let [error, text] = [expected, message];
  if (typeof error === 'string') [error, text] = [undefined, error];
  const isIt = !error || (isRegExp(error) ? error.exec(String(actual)) !== null : error.prototype !== undefined && actual instanceof error);
  if (!isIt) throw actual;
  const kind = operator === 'doesNotReject' ? 'rejection' : 'exception';
  failing({ actual, expected: error, operator }, `Got unwanted ${kind}${text ? `: ${text}` : '.'}\nActual message: "${actual?.message}"`);
}

function thrownBy(work) {
  checkFunction(work, 'fn');
  try {
    work();
  } catch (error) {
    return error;
  }
  return NOTHING;
}

async function rejectionOf(work) {
  let promise = work;
  if (typeof work === 'function') {
    promise = work();
    if (typeof promise?.then !== 'function') {
      const got = typeof promise === 'object' && promise !== null ? `an instance of ${promise.constructor?.name}` : `type ${typeof promise}`;
      throw coded(TypeError, 'ERR_INVALID_RETURN_VALUE', `Expected instance of Promise to be returned from the "promiseFn" function but got ${got}.`);
    }
  } else if (typeof promise?.then !== 'function') throw invalidType('promiseFn', ['function', 'Promise'], work);
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return NOTHING;
}

export const throws = (work, expected, message) => expects('throws', thrownBy(work), expected, message);
export const doesNotThrow = (work, expected, message) => unwanted('doesNotThrow', thrownBy(work), expected, message);
export const rejects = async (work, expected, message) => expects('rejects', await rejectionOf(work), expected, message);
export const doesNotReject = async (work, expected, message) => unwanted('doesNotReject', await rejectionOf(work), expected, message);

const shared = { AssertionError, doesNotMatch, doesNotReject, doesNotThrow, fail, ifError, match, notStrictEqual, partialDeepStrictEqual, rejects, strictEqual, throws, ok };
Object.assign(assert, shared, { deepEqual, deepStrictEqual, equal, notDeepEqual, notDeepStrictEqual, notEqual });

export function strict(...values) {
  checkTruth(values, '==');
}
Object.assign(strict, shared, {
  deepEqual: deepStrictEqual, deepStrictEqual, equal: strictEqual, notDeepEqual: notDeepStrictEqual, notDeepStrictEqual, notEqual: notStrictEqual, strict,
});
assert.strict = strict;
export { AssertionError };
