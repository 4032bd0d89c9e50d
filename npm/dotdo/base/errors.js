// Errors, each with a code that says what a caller can do.
export class BaseError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'BaseError';
    this.code = code;
  }
}

export const invalid = (message) => new BaseError('BAD_REQUEST', message);
export const absent = (message) => new BaseError('NOT_FOUND', message);
export const conflict = (message) => new BaseError('CONFLICT', message);
