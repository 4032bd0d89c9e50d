// How functions and errors are named when they are shown.
import { isAsyncFunction, isGeneratorFunction } from 'node:util/types';

function isClass(value) {
  return Object.hasOwn(value, 'prototype') && /^class[\s{]/.test(Function.prototype.toString.call(value));
}

function classText(value, maker, tag) {
  const name = Object.hasOwn(value, 'name') && value.name !== '' ? ` ${value.name}` : ' (anonymous)';
  let text = `class${name}`;
  if (maker !== 'Function' && maker !== null) text += ` [${maker}]`;
  if (tag !== '' && maker !== tag) text += ` [${tag}]`;
  const parent = Object.getPrototypeOf(value);
  if (maker === null) text += ' extends [null prototype]';
  else if (parent?.name) text += ` extends ${parent.name}`;
  return `[${text}]`;
}

export function functionText(value, maker, tag, style) {
  if (isClass(value)) return style(classText(value, maker, tag));
  const kind = `${isAsyncFunction(value) ? 'Async' : ''}${isGeneratorFunction(value) ? 'Generator' : ''}Function`;
  let text = `[${kind}${maker === null ? ' (null prototype)' : ''}${value.name === '' ? ' (anonymous)' : `: ${value.name}`}]`;
  if (maker !== kind && maker !== null) text += ` ${maker}`;
  if (tag !== '' && maker !== tag) text += ` [${tag}]`;
  return style(text);
}

function hide(keys, names) {
  for (const name of names) {
    const at = keys.indexOf(name);
    if (at >= 0) keys.splice(at, 1);
  }
}

/** The name and text of an error and where it was thrown, which is in its stack or is not. */
export function errorText(error, maker, tag, keys, ctx) {
  const name = error.name === undefined || error.name === null ? 'Error' : String(error.name);
  const message = error.message === undefined ? '' : String(error.message);
  const isCoded = Object.hasOwn(error, 'toString') && error.code !== undefined;
  const made = maker !== null && !name.includes(maker) && name.endsWith('Error') && maker.endsWith?.('Error') ? maker : name;
  const shownName = `${made}${maker === null ? ' [null prototype]' : ''}${isCoded ? ` [${error.code}]` : ''}`;
  const head = message === '' ? shownName : `${shownName}: ${message}`;
  const stack = typeof error.stack === 'string' ? error.stack.replace(/\n$/, '') : '';
  const hasHead = stack.startsWith(`${name}:`) || stack.startsWith(`${made}:`);
  if (!ctx.showHidden) hide(keys, ['name', 'message', 'stack'].filter((key) => Object.hasOwn(error, key) && `${head}\n${stack}`.includes(String(error[key]))));
  for (const key of ['cause', 'errors']) {
    if (Object.hasOwn(error, key) && !keys.includes(key) && (key === 'cause' || Array.isArray(error.errors))) keys.push(key);
  }
  let text = hasHead ? stack : stack === '' ? head : `${head}\n${stack}`;
  if (!/\n\s+at /.test(text)) text = `[${text}]`;
  if (tag !== '' && !name.includes(tag) && tag !== maker) text += ` [${tag}]`;
  return ctx.indentation === 0 ? text : text.replaceAll('\n', `\n${' '.repeat(ctx.indentation)}`);
}
