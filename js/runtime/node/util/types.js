// The module `node:util/types`: what a value is, whatever its prototype says.
import { host } from 'dotdo:host';

const { call } = Function.prototype;

/** Whether a method or getter that only its own kind takes takes `value`. */
const takes = (method) => (value) => {
  try {
    call.call(method, value);
    return true;
  } catch {
    return false;
  }
};
const getterOf = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;

const isObject = (value) => typeof value === 'object' && value !== null;
const typedTag = getterOf(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
const typedName = (value) => call.call(typedTag, value);
const isTyped = (name) => (value) => typedName(value) === name;
/** By the tag that its engine's prototype has, as nothing else tells. */
const tagged = (name) => (value) => isObject(value) && Object.prototype.toString.call(value) === `[object ${name}]`;

export const isProxy = (value) => host.inside(value)?.[0] === 'proxy';
export const isPromise = (value) => host.inside(value)?.[0] === 'promise';
export const isMap = takes(getterOf(Map.prototype, 'size'));
export const isSet = takes(getterOf(Set.prototype, 'size'));
const hasWeakly = (method) => (value) => takes(function () {
  call.call(method, this, {});
})(value);
export const isWeakMap = hasWeakly(WeakMap.prototype.has);
export const isWeakSet = hasWeakly(WeakSet.prototype.has);
export const isDate = takes(Date.prototype.getTime);
const source = getterOf(RegExp.prototype, 'global');
export const isRegExp = (value) => isObject(value) && value !== RegExp.prototype && takes(source)(value);
export const isArrayBuffer = takes(getterOf(ArrayBuffer.prototype, 'byteLength'));
export const isSharedArrayBuffer = takes(getterOf(SharedArrayBuffer.prototype, 'byteLength'));
export const isAnyArrayBuffer = (value) => isArrayBuffer(value) || isSharedArrayBuffer(value);
export const isDataView = takes(getterOf(DataView.prototype, 'byteLength'));
export const isArrayBufferView = ArrayBuffer.isView;
export const isTypedArray = (value) => typedName(value) !== undefined;
export const isUint8Array = isTyped('Uint8Array');
export const isUint8ClampedArray = isTyped('Uint8ClampedArray');
export const isUint16Array = isTyped('Uint16Array');
export const isUint32Array = isTyped('Uint32Array');
export const isInt8Array = isTyped('Int8Array');
export const isInt16Array = isTyped('Int16Array');
export const isInt32Array = isTyped('Int32Array');
export const isFloat16Array = isTyped('Float16Array');
export const isFloat32Array = isTyped('Float32Array');
export const isFloat64Array = isTyped('Float64Array');
export const isBigInt64Array = isTyped('BigInt64Array');
export const isBigUint64Array = isTyped('BigUint64Array');
const isBoxed = (Type) => (value) => isObject(value) && takes(Type.prototype.valueOf)(value);
export const isNumberObject = isBoxed(Number);
export const isStringObject = isBoxed(String);
export const isBooleanObject = isBoxed(Boolean);
export const isBigIntObject = isBoxed(BigInt);
export const isSymbolObject = isBoxed(Symbol);
export const isBoxedPrimitive = (value) => isNumberObject(value) || isStringObject(value) || isBooleanObject(value) || isBigIntObject(value) || isSymbolObject(value);
export const isNativeError = (value) => Error.isError(value);
export const isArgumentsObject = tagged('Arguments');
export const isGeneratorObject = (value) => tagged('Generator')(value) || tagged('AsyncGenerator')(value);
export const isMapIterator = tagged('Map Iterator');
export const isSetIterator = tagged('Set Iterator');
export const isModuleNamespaceObject = tagged('Module');
const kindOf = (value) => (typeof value === 'function' ? Object.prototype.toString.call(value).slice(8, -1) : '');
export const isAsyncFunction = (value) => ['AsyncFunction', 'AsyncGeneratorFunction'].includes(kindOf(value));
export const isGeneratorFunction = (value) => ['GeneratorFunction', 'AsyncGeneratorFunction'].includes(kindOf(value));
export const isExternal = () => false;
export const isKeyObject = () => false;
export const isCryptoKey = tagged('CryptoKey');

export default {
  isAnyArrayBuffer, isArgumentsObject, isArrayBuffer, isArrayBufferView, isAsyncFunction, isBigInt64Array, isBigIntObject, isBigUint64Array,
  isBooleanObject, isBoxedPrimitive, isCryptoKey, isDataView, isDate, isExternal, isFloat16Array, isFloat32Array, isFloat64Array,
  isGeneratorFunction, isGeneratorObject, isInt16Array, isInt32Array, isInt8Array, isKeyObject, isMap, isMapIterator,
  isModuleNamespaceObject, isNativeError, isNumberObject, isPromise, isProxy, isRegExp, isSet, isSetIterator, isSharedArrayBuffer,
  isStringObject, isSymbolObject, isTypedArray, isUint16Array, isUint32Array, isUint8Array, isUint8ClampedArray, isWeakMap, isWeakSet,
};
