// Numbers in buffers: integers of one to six bytes, of eight, and floats, in both orders of bytes.
import { checkNumber, coded, invalidType, outOfRange } from 'dotdo:node/errors';

function outOfBounds(bytes, offset, length) {
  checkNumber(offset, 'offset');
  if (Math.floor(offset) !== offset) return outOfRange('offset', 'an integer', offset);
  if (bytes.length < length) return coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', 'Attempt to access memory outside buffer bounds');
  return outOfRange('offset', `>= 0 and <= ${bytes.length - length}`, offset);
}

function checkOffset(bytes, offset, length) {
  if (typeof offset !== 'number') throw invalidType('offset', 'number', offset);
  if (bytes[offset] === undefined || bytes[offset + length - 1] === undefined) throw outOfBounds(bytes, offset, length);
}

function rangeOf(least, most, length) {
  const n = typeof least === 'bigint' ? 'n' : '';
  if (length <= 4) return `>= ${least}${n} and <= ${most}${n}`;
  const bits = length * 8;
  return least === 0 || least === 0n ? `>= 0${n} and < 2${n} ** ${bits}${n}` : `>= -(2${n} ** ${bits - 1}${n}) and < 2${n} ** ${bits - 1}${n}`;
}

function checkValue(value, least, most, length) {
  if (value > most || value < least) throw outOfRange('value', rangeOf(least, most, length), value);
}

function read(bytes, offset, length, isLittle) {
  checkOffset(bytes, offset, length);
  let value = 0;
  if (isLittle) for (let at = length - 1; at >= 0; at--) value = value * 256 + bytes[offset + at];
  else for (let at = 0; at < length; at++) value = value * 256 + bytes[offset + at];
  return value;
}

function readSigned(bytes, offset, length, isLittle) {
  const value = read(bytes, offset, length, isLittle);
  return value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value;
}

function write(bytes, value, offset, length, isLittle) {
  // As many bits as it has, also of a number below 0.
  let rest = Math.trunc(value) || 0;
  for (let at = 0; at < length; at++) {
    bytes[isLittle ? offset + at : offset + length - 1 - at] = rest;
    rest = Math.floor(rest / 256);
  }
  return offset + length;
}

function writeInteger(bytes, given, offset, { length, isSigned, isLittle }) {
  const value = +given;
  const least = isSigned ? -(2 ** (8 * length - 1)) : 0;
  const most = isSigned ? 2 ** (8 * length - 1) - 1 : 2 ** (8 * length) - 1;
  checkValue(value, least, most, length);
  checkOffset(bytes, offset, length);
  return write(bytes, value, offset, length, isLittle);
}

function checkLength(length) {
  if (!Number.isInteger(length) || length < 1 || length > 6) throw outOfRange('byteLength', '>= 1 and <= 6', length);
}

const eight = new DataView(new ArrayBuffer(8));
const eightBytes = new Uint8Array(eight.buffer);

/** Reads by a method of DataView. */
function readAs(bytes, offset, length, method, isLittle) {
  checkOffset(bytes, offset, length);
  for (let at = 0; at < length; at++) eightBytes[at] = bytes[offset + at];
  return eight[`get${method}`](0, isLittle);
}

function writeAs(bytes, value, offset, length, method, isLittle) {
  checkOffset(bytes, offset, length);
  eight[`set${method}`](0, value, isLittle);
  for (let at = 0; at < length; at++) bytes[offset + at] = eightBytes[at];
  return offset + length;
}

const methods = {
  readUIntLE(offset, length) {
    if (offset === undefined) throw invalidType('offset', 'number', offset);
    checkLength(length);
    return read(this, offset, length, true);
  },
  readUIntBE(offset, length) {
    if (offset === undefined) throw invalidType('offset', 'number', offset);
    checkLength(length);
    return read(this, offset, length, false);
  },
  readIntLE(offset, length) {
    if (offset === undefined) throw invalidType('offset', 'number', offset);
    checkLength(length);
    return readSigned(this, offset, length, true);
  },
  readIntBE(offset, length) {
    if (offset === undefined) throw invalidType('offset', 'number', offset);
    checkLength(length);
    return readSigned(this, offset, length, false);
  },
  writeUIntLE(value, offset, length) {
    checkLength(length);
    return writeInteger(this, value, offset, { length, isSigned: false, isLittle: true });
  },
  writeUIntBE(value, offset, length) {
    checkLength(length);
    return writeInteger(this, value, offset, { length, isSigned: false, isLittle: false });
  },
  writeIntLE(value, offset, length) {
    checkLength(length);
    return writeInteger(this, value, offset, { length, isSigned: true, isLittle: true });
  },
  writeIntBE(value, offset, length) {
    checkLength(length);
    return writeInteger(this, value, offset, { length, isSigned: true, isLittle: false });
  },
};

/** `Uint` and `UInt` are two names of one method. */
function define(name, method) {
  methods[name] = method;
  if (name.includes('UInt')) methods[name.replace('UInt', 'Uint')] = method;
}

for (const [end, isLittle] of [['LE', true], ['BE', false]]) {
  for (const length of [1, 2, 4]) {
    const name = `${8 * length}${length === 1 ? '' : end}`;
    define(`readUInt${name}`, function (offset = 0) {
      return read(this, offset, length, isLittle);
    });
    define(`readInt${name}`, function (offset = 0) {
      return readSigned(this, offset, length, isLittle);
    });
    define(`writeUInt${name}`, function (value, offset = 0) {
      return writeInteger(this, value, offset, { length, isSigned: false, isLittle });
    });
    define(`writeInt${name}`, function (value, offset = 0) {
      return writeInteger(this, value, offset, { length, isSigned: true, isLittle });
    });
  }
  for (const [name, length] of [['Float', 4], ['Double', 8]]) {
    define(`read${name}${end}`, function (offset = 0) {
      return readAs(this, offset, length, `Float${8 * length}`, isLittle);
    });
    define(`write${name}${end}`, function (value, offset = 0) {
      return writeAs(this, +value, offset, length, `Float${8 * length}`, isLittle);
    });
  }
  define(`readBigUInt64${end}`, function (offset = 0) {
    return readAs(this, offset, 8, 'BigUint64', isLittle);
  });
  define(`readBigInt64${end}`, function (offset = 0) {
    return readAs(this, offset, 8, 'BigInt64', isLittle);
  });
  define(`writeBigUInt64${end}`, function (value, offset = 0) {
    checkValue(value, 0n, 2n ** 64n - 1n, 8);
    return writeAs(this, value, offset, 8, 'BigUint64', isLittle);
  });
  define(`writeBigInt64${end}`, function (value, offset = 0) {
    checkValue(value, -(2n ** 63n), 2n ** 63n - 1n, 8);
    return writeAs(this, value, offset, 8, 'BigInt64', isLittle);
  });
}
for (const name of ['readUIntLE', 'readUIntBE', 'writeUIntLE', 'writeUIntBE']) define(name, methods[name]);

export const numbers = methods;
