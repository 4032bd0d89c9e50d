// Streams of Node as streams of the web, and back.
import { Buffer } from 'node:buffer';
import { AbortError } from 'dotdo:node/errors';
import { nothing } from 'dotdo:node/stream/base';
import { Duplex } from 'dotdo:node/stream/duplex';
import { eos } from 'dotdo:node/stream/finished';
import { Readable } from 'dotdo:node/stream/readable';
import { Writable } from 'dotdo:node/stream/writable';

const bytes = (chunk) => (Buffer.isBuffer(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : chunk);

export function readableToWeb(stream, options) {
  const isObjects = stream.readableObjectMode;
  const strategy = options?.strategy ?? (isObjects ? new CountQueuingStrategy({ highWaterMark: stream.readableHighWaterMark }) : { highWaterMark: stream.readableHighWaterMark, size: (chunk) => chunk.length ?? 1 });
  stream.pause();
  let controller;
  let isOver = false;
  const data = (chunk) => {
    controller.enqueue(bytes(chunk));
    if (controller.desiredSize <= 0) stream.pause();
  };
  eos(stream, { writable: false }, (error) => {
    stream.on('error', nothing);
    if (isOver) return;
    isOver = true;
    if (error) controller.error(error.code === 'ERR_STREAM_PREMATURE_CLOSE' ? new AbortError(undefined, { cause: error }) : error);
    else controller.close();
  });
  return new ReadableStream({
    start(given) {
      controller = given;
      stream.on('data', data);
      stream.pause();
    },
    pull: () => { stream.resume(); },
    cancel(reason) {
      isOver = true;
      stream.destroy(reason);
    },
  }, strategy);
}

export function readableFromWeb(web, options) {
  const reader = web.getReader();
  let isClosed = false;
  const stream = new Readable({
    ...options,
    read() {
      reader.read().then(({ value, done }) => stream.push(done ? null : value), (error) => stream.destroy(error));
    },
    destroy(error, done) {
      const end = () => done(error);
      if (isClosed) end();
      else reader.cancel(error ?? undefined).then(end, end);
    },
  });
  reader.closed.then(() => { isClosed = true; }, (error) => {
    isClosed = true;
    stream.destroy(error);
  });
  return stream;
}

export function writableToWeb(stream) {
  let waiting = null;
  let ended = null;
  let controller;
  stream.on('drain', () => {
    waiting?.resolve();
    waiting = null;
  });
  eos(stream, { readable: false }, (error) => {
    stream.on('error', nothing);
    if (error) {
      waiting?.reject(error);
      ended?.reject(error);
      if (!ended) controller.error(error);
    } else if (ended) {
      ended.resolve();
    } else {
      controller.error(new AbortError());
    }
    waiting = null;
  });
  return new WritableStream({
    start(given) { controller = given; },
    write(chunk) {
      const isEnough = stream.write(chunk instanceof ArrayBuffer ? new Uint8Array(chunk) : chunk) === false || stream.writableNeedDrain;
      if (!isEnough) return undefined;
      waiting = Promise.withResolvers();
      return waiting.promise;
    },
    close() {
      ended = Promise.withResolvers();
      stream.end();
      return ended.promise;
    },
    abort(reason) { stream.destroy(reason); },
  }, stream.writableObjectMode ? new CountQueuingStrategy({ highWaterMark: stream.writableHighWaterMark }) : { highWaterMark: stream.writableHighWaterMark, size: (chunk) => chunk?.byteLength ?? chunk?.length ?? 1 });
}

export function writableFromWeb(web, options) {
  const writer = web.getWriter();
  let isClosed = false;
  const stream = new Writable({
    ...options,
    write(chunk, encoding, done) {
      writer.ready.then(() => writer.write(bytes(chunk))).then(() => done(), done);
    },
    final: (done) => { writer.close().then(() => done(), done); },
    destroy(error, done) {
      const end = () => done(error);
      if (isClosed) end();
      else (error ? writer.abort(error) : writer.close()).then(end, end);
    },
  });
  writer.closed.then(() => { isClosed = true; }, (error) => {
    isClosed = true;
    stream.destroy(error);
  });
  return stream;
}

Readable.toWeb = readableToWeb;
Readable.fromWeb = readableFromWeb;
Readable._writableOfWeb = writableFromWeb;
Writable.toWeb = writableToWeb;
Writable.fromWeb = writableFromWeb;
Duplex.toWeb = (stream) => ({ readable: readableToWeb(stream), writable: writableToWeb(stream) });
Duplex.fromWeb = (pair, options) => {
  const [reader, writer] = [pair.readable.getReader(), pair.writable.getWriter()];
  const stream = new Duplex({
    ...options,
    read() {
      reader.read().then(({ value, done }) => stream.push(done ? null : value), (error) => stream.destroy(error));
    },
    write(chunk, encoding, done) {
      writer.ready.then(() => writer.write(bytes(chunk))).then(() => done(), done);
    },
    final: (done) => { writer.close().then(() => done(), done); },
    destroy(error, done) {
      const end = () => done(error);
      Promise.all([reader.cancel(error ?? undefined), error ? writer.abort(error) : undefined]).then(end, end);
    },
  });
  reader.closed.catch((error) => stream.destroy(error));
  writer.closed.catch((error) => stream.destroy(error));
  return stream;
};
