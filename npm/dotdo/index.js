export { DOBase } from './base/base.js';
