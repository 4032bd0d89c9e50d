// Arguments of a command line, as `util.parseArgs` takes them apart.
import { checkArray, checkBoolean, checkObject, checkString, coded, invalidType, invalidValue } from 'dotdo:node/errors';

const unknown = (text) => coded(TypeError, 'ERR_PARSE_ARGS_UNKNOWN_OPTION', text);
const wrong = (text) => coded(TypeError, 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE', text);

function checkOptions(options) {
  checkObject(options, 'options');
  for (const [name, about] of Object.entries(options)) {
    checkObject(about, `options.${name}`);
    if (!['string', 'boolean'].includes(about.type)) throw invalidType(`options.${name}.type`, "('string|boolean')", about.type);
    if (about.short !== undefined) {
      checkString(about.short, `options.${name}.short`);
      if (about.short.length !== 1) throw invalidValue(`options.${name}.short`, about.short, 'must be a single character');
    }
    if (about.multiple !== undefined) checkBoolean(about.multiple, `options.${name}.multiple`);
  }
}

/** The parts of a command line in their order. */
function* tokensOf(args, options) {
  const byShort = new Map(Object.entries(options).filter(([, { short }]) => short).map(([name, { short }]) => [short, name]));
  const takesValue = (name) => options[name]?.type === 'string';
  const queue = [...args];
  let index = -1;
  let isGroup = 0;
  while (queue.length) {
    const arg = queue.shift();
    if (isGroup > 0) isGroup--;
    else index++;
    if (arg === '--') {
      yield { kind: 'option-terminator', index };
      for (const value of queue) yield { kind: 'positional', index: ++index, value };
      return;
    }
    if (/^-[^-]$/.test(arg)) {
      const name = byShort.get(arg[1]) ?? arg[1];
      const hasValue = takesValue(name) && queue[0] !== undefined;
      const value = hasValue ? queue.shift() : undefined;
      yield { kind: 'option', name, rawName: arg, index, value, inlineValue: hasValue ? false : undefined };
      if (hasValue) index++;
    } else if (/^-[^-]./.test(arg)) {
      const name = byShort.get(arg[1]) ?? arg[1];
      if (takesValue(name)) {
        yield { kind: 'option', name, rawName: `-${arg[1]}`, index, value: arg.slice(2), inlineValue: true };
        continue;
      }
      const parts = [];
      for (let at = 1; at < arg.length; at++) {
        const each = byShort.get(arg[at]) ?? arg[at];
        if (!takesValue(each) || at === arg.length - 1) parts.push(`-${arg[at]}`);
        else {
          parts.push(`-${arg.slice(at)}`);
          break;
        }
      }
      queue.unshift(...parts);
      isGroup = parts.length;
    } else if (/^--[^=]+=/.test(arg) || /^--[^=]+$/.test(arg)) {
      const at = arg.indexOf('=', 3);
      const name = at < 0 ? arg.slice(2) : arg.slice(2, at);
      const rawName = `--${name}`;
      if (at >= 0) yield { kind: 'option', name, rawName, index, value: arg.slice(at + 1), inlineValue: true };
      else {
        const hasValue = takesValue(name) && queue[0] !== undefined;
        yield { kind: 'option', name, rawName, index, value: hasValue ? queue.shift() : undefined, inlineValue: hasValue ? false : undefined };
        if (hasValue) index++;
      }
    } else yield { kind: 'positional', index, value: arg };
  }
}

function checkToken({ name, rawName, value, inlineValue }, options, { allowNegative, allowPositionals }) {
  const about = options[name];
  if (!about) {
    if (allowNegative && name.startsWith('no-') && options[name.slice(3)]?.type === 'boolean') return;
    const hint = allowPositionals ? `. To specify a positional argument starting with a '-', place it at the end of the command after '--', as in '-- "${rawName}"` : '';
    throw unknown(`Unknown option '${rawName}'${hint}`);
  }
  const shown = `${about.short ? `-${about.short}, ` : ''}--${name}`;
  if (about.type === 'string' && typeof value !== 'string') throw wrong(`Option '${shown} <value>' argument missing`);
  if (about.type === 'boolean' && value !== undefined && value !== null) throw wrong(`Option '${shown}' does not take an argument`);
  if (about.type === 'string' && inlineValue === false && value.length > 1 && value.startsWith('-')) {
    const example = rawName.startsWith('--') ? `'${rawName}=-XYZ'` : `'--${name}=-XYZ' or '${rawName}-XYZ'`;
    throw wrong(`Option '${rawName}' argument is ambiguous.\nDid you forget to specify the option argument for '${rawName}'?\nTo specify an option argument starting with a dash use ${example}.`);
  }
}

function store(values, { name, value }, options, allowNegative) {
  let [key, result] = [name, value ?? true];
  if (allowNegative && value === undefined && name.startsWith('no-')) [key, result] = [name.slice(3), false];
  if (key === '__proto__') return;
  if (options[key]?.multiple) (values[key] ??= []).push(result);
  else values[key] = result;
}

export function parseArgs({ args = [], options = {}, strict = true, allowPositionals = !strict, allowNegative = false, tokens: withTokens = false } = {}) {
  checkArray(args, 'args');
  checkBoolean(strict, 'strict');
  checkBoolean(allowPositionals, 'allowPositionals');
  checkBoolean(withTokens, 'tokens');
  checkOptions(options);
  const [values, positionals] = [Object.create(null), []];
  const tokens = [...tokensOf(args, options)];
  for (const token of tokens) {
    if (token.kind === 'option') {
      if (strict) checkToken(token, options, { allowNegative, allowPositionals });
      store(values, token, options, allowNegative);
    } else if (token.kind === 'positional') {
      if (!allowPositionals) throw coded(TypeError, 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL', `Unexpected argument '${token.value}'. This command does not take positional arguments`);
      positionals.push(token.value);
    }
  }
  for (const [name, { default: otherwise }] of Object.entries(options)) {
    if (otherwise !== undefined && values[name] === undefined) values[name] = otherwise;
  }
  return withTokens ? { values, positionals, tokens } : { values, positionals };
}
