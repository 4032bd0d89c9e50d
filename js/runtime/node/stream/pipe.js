// How a readable stream goes into a writable one.
import { errorOrDestroy, nextTick } from 'dotdo:node/stream/base';

/** Writes to `target` what `source` gives, as fast as it is taken. */
export function pipe(source, target, options) {
  const state = source._readableState;
  state.pipes.push(target);
  let isClean = false;
  const pausing = () => {
    if (isClean) return;
    state.awaitDrain.add(target);
    source.pause();
  };
  const data = (chunk) => {
    if (target.write(chunk) === false) pausing();
  };
  const drain = () => {
    state.awaitDrain.delete(target);
    if (state.awaitDrain.size === 0 && source.listenerCount('data') > 0) source.resume();
  };
  const end = () => target.end();
  const unpipe = () => source.unpipe(target);
  const ending = options?.end !== false ? end : unpipe;
  const failed = (error) => {
    unpipe();
    target.removeListener('error', failed);
    if (target.listenerCount('error') > 0) return;
    if (target._writableState && !target._writableState.errorEmitted) errorOrDestroy(target, error);
    else target.emit('error', error);
  };
  const close = () => {
    target.removeListener('finish', finish);
    unpipe();
  };
  const finish = () => {
    target.removeListener('close', close);
    unpipe();
  };
  const clean = (from) => {
    if (from !== source || isClean) return;
    isClean = true;
    for (const [emitter, name, listener] of listeners) emitter.removeListener(name, listener);
    if (state.awaitDrain.size && (!target._writableState || target._writableState.needDrain)) drain();
  };
  const listeners = [[target, 'close', close], [target, 'finish', finish], [target, 'drain', drain], [target, 'error', failed], [target, 'unpipe', clean], [source, 'end', ending], [source, 'data', data]];
  if (state.endEmitted) nextTick(ending);
  else source.once('end', ending);
  target.on('unpipe', clean);
  source.on('data', data);
  target.prependListener('error', failed);
  target.once('close', close);
  target.once('finish', finish);
  target.on('drain', drain);
  target.emit('pipe', source);
  if (target.writableNeedDrain === true) pausing();
  else if (!state.flowing) source.resume();
  return target;
}
