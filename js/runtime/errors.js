// Exceptions, as they cross between realms.

export function described(error) {
  const isError = error !== null && typeof error === 'object';
  return {
    name: String((isError && error.name) || 'Error'),
    message: String(isError ? (error.message ?? '') : error).toWellFormed(),
    stack: String((isError && error.stack) || '').toWellFormed(),
    known: isError ? error.dotdoKnown : undefined,
  };
}

const errors = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

/** The exception that was described elsewhere. */
export function errorOf({ name, message, code, retryable, known }) {
  const error = new (errors[name] ?? Error)(message);
  if (!errors[name] && name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  error.remote = true;
  if (code) error.code = code;
  if (retryable) error.retryable = true;
  // By this the answer to the client is the one that the object gave.
  if (known !== undefined) Object.defineProperty(error, 'dotdoKnown', { value: known });
  return error;
}
