// The module `node:sys`, as `node:util` was called once.
export * from 'node:util';
export { default } from 'node:util';
