// What of an object others may call or read.

const RESERVED = ['constructor', 'fetch', 'connect', 'alarm', 'webSocketMessage', 'webSocketClose', 'webSocketError'];

/** What the class of an object defines under a name, and not what every object has. */
function definitionOf(value, name) {
  if (Object.hasOwn(value, name)) return undefined;
  for (let type = Object.getPrototypeOf(value); type && type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    const found = Object.getOwnPropertyDescriptor(type, name);
    if (found) return found;
  }
  return undefined;
}

const refuse = (name) => {
  throw new TypeError(`The RPC receiver does not implement the method "${name}".`);
};

/** A function itself, or a method that others may call. */
function methodOf(target, name) {
  if (name === '' && typeof target === 'function') return target;
  const isMethod = typeof target !== 'function' && !RESERVED.includes(name) && typeof definitionOf(target, name)?.value === 'function';
  return isMethod ? (...values) => target[name](...values) : refuse(name);
}

/** What others may read: what the class defines, and not what an object has for itself. */
function fieldOf(target, name) {
  if (typeof target === 'function' || RESERVED.includes(name) || definitionOf(target, name) === undefined) refuse(name);
  const value = target[name];
  return typeof value === 'function' ? value.bind(target) : value;
}

/** What a call or a read of a member gives. */
export const use = (target, { name, is_field: isField }, values) => (isField ? fieldOf(target, name) : methodOf(target, name)(...values));
