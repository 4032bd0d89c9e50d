export { DOBase } from './base/base.js';
export { BaseError } from './base/errors.js';
