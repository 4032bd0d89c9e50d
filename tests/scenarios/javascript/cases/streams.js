// Streams of Node, compression, encodings and patterns of URLs, and `node:crypto`, as ../cases.js compares them with
// workerd. A case of streams tells in which order things happen.
import { DurableObject } from 'cloudflare:workers';
import { Buffer } from 'node:buffer';
import * as nodeCrypto from 'node:crypto';
import stream from 'node:stream';
import * as zlib from 'node:zlib';

const encoder = new TextEncoder();
const text = (bytes) => new TextDecoder().decode(bytes);
const sorted = (groups) => Object.fromEntries(Object.entries(groups).sort());
const hex = (buffer) => Buffer.from(buffer).toString('hex');
const sleep = (ms) => scheduler.wait(ms);

/** What happens on streams of Node, which is told by `log`. */
const orders = {
  basic(S, log) { const r = new S.Readable({ read() {} }); for (const e of ['data', 'end', 'close', 'error', 'pause', 'resume', 'readable'].filter(e => e !== 'readable')) r.on(e, (c) => log(e, String(c))); r.push('a'); r.push('b'); r.push(null); },
  readable(S, log) { const r = new S.Readable({ read() {} }); r.on('readable', () => { let c; log('readable', r.readableLength); while ((c = r.read()) !== null) log('chunk', String(c)); }); r.on('end', () => log('end')); r.on('close', () => log('close')); r.push('abc'); setTimeout(() => { r.push('def'); r.push(null); }, 5); },
  readN(S, log) { const r = new S.Readable({ read() {} }); r.on('readable', () => { let c; while ((c = r.read(2)) !== null) log('chunk', String(c)); log('none', r.readableLength); }); r.on('end', () => log('end')); r.push('abcde'); r.push(null); },
  pullOrder(S, log) { let n = 0; const r = new S.Readable({ highWaterMark: 3, objectMode: true, read() { log('read'); if (n < 6) this.push({ n: n++ }); else this.push(null); } }); r.on('data', (c) => log('data', c.n)); r.on('end', () => log('end')); r.on('close', () => log('close')); },
  asyncPull(S, log) { let n = 0; const r = new S.Readable({ highWaterMark: 4, read(s) { log('read', s); setTimeout(() => this.push(n < 3 ? 'x' + n++ : null), 1); } }); r.on('data', (c) => log('data', String(c))); r.on('end', () => log('end')); r.on('close', () => log('close')); },
  pushReturn(S, log) { const r = new S.Readable({ highWaterMark: 3, read() {} }); log(r.push('a'), r.push('bc'), r.push('d'), r.readableLength, r.readableFlowing); r.destroy(); log(r.push('x'), r.destroyed); },
  destroyErr(S, log) { const r = new S.Readable({ read() {} }); r.on('error', (e) => log('error', e.message)); r.on('close', () => log('close')); r.destroy(new Error('x')); log('sync', r.destroyed, r.closed, r.errored?.message); },
  destroyNoErr(S, log) { const w = new S.Writable({ write(c, e, d) { d(); }, destroy(e, d) { log('destroy', e); d(e); } }); for (const e of ['error', 'close', 'finish']) w.on(e, (x) => log(e, x?.code)); w.destroy(); w.write('a', (e) => log('cb', e?.code)); w.end((e) => log('endcb', e?.code)); },
  writes(S, log) { const w = new S.Writable({ highWaterMark: 3, write(c, e, d) { log('write', String(c), e); setTimeout(d, 1); }, final(d) { log('final'); d(); } }); for (const e of ['drain', 'finish', 'close', 'error', 'prefinish']) w.on(e, () => log(e)); log(w.write('a'), w.write('bc'), w.write('d'), w.writableLength, w.writableNeedDrain); w.end('z', () => log('endcb')); log(w.writable, w.writableEnded, w.writableFinished); },
  syncWrites(S, log) { const w = new S.Writable({ highWaterMark: 3, write(c, e, d) { log('write', String(c)); d(); } }); for (const e of ['drain', 'finish', 'close']) w.on(e, () => log(e)); log(w.write('abcd', () => log('cb1')), w.write('b', () => log('cb2'))); w.end(() => log('endcb')); },
  writev(S, log) { const w = new S.Writable({ writev(cs, d) { log('writev', cs.map(c => String(c.chunk))); d(); } }); w.on('finish', () => log('finish')); w.cork(); w.write('a', () => log('a')); w.write('b', () => log('b')); w.uncork(); w.write('c'); w.end(); },
  writeErr(S, log) { const w = new S.Writable({ write(c, e, d) { d(new Error('bad')); } }); for (const e of ['error', 'close', 'finish']) w.on(e, (x) => log(e, x?.message)); w.write('a', (e) => log('cb', e.message)); w.write('b', (e) => log('cb2', e.message)); },
  writeErrAsync(S, log) { const w = new S.Writable({ write(c, e, d) { setTimeout(() => d(new Error('bad')), 1); } }); for (const e of ['error', 'close', 'finish']) w.on(e, (x) => log(e, x?.message)); w.write('a', (e) => log('cb', e.message)); w.write('b', (e) => log('cb2', e.message)); w.end((e) => log('end', e.message)); },
  writeAfterEnd(S, log) { const w = new S.Writable({ write(c, e, d) { d(); } }); w.on('error', (e) => log(e.code)); w.on('close', () => log('close')); w.end('a'); w.write('b', (e) => log('cb', e.code)); },
  writeNull(S, log) { const w = new S.Writable({ write(c, e, d) { d(); } }); for (const v of [null, 5, {}, undefined]) try { w.write(v); } catch (e) { log(e.code, e.message); } },
  finalErr(S, log) { const w = new S.Writable({ write(c, e, d) { d(); }, final(d) { d(new Error('f')); } }); for (const e of ['error', 'close', 'finish', 'prefinish']) w.on(e, (x) => log(e, x?.message)); w.end('x', (e) => log('cb', e?.message)); },
  transform(S, log) { const t = new S.Transform({ transform(c, e, d) { d(null, String(c).toUpperCase()); }, flush(d) { this.push('!'); d(); } }); for (const e of ['finish', 'end', 'close', 'prefinish']) t.on(e, () => log(e)); t.on('data', (c) => log('data', String(c))); t.write('a'); t.end('b'); },
  transformObj(S, log) { const t = new S.Transform({ objectMode: true, transform(c, e, d) { this.push(c); this.push(c * 2); d(); } }); t.on('data', (c) => log(c)); t.on('end', () => log('end')); t.write(1); t.write(2); t.end(); },
  transformErr(S, log) { const t = new S.Transform({ transform(c, e, d) { d(new Error('t')); } }); for (const e of ['error', 'close', 'end', 'finish']) t.on(e, (x) => log(e, x?.message)); t.write('x', (e) => log('cb', e?.message)); },
  backpressure(S, log) { const t = new S.PassThrough({ highWaterMark: 2 }); log(t.write('abc'), t.writableLength, t.readableLength); log(t.write('d'), t.writableLength, t.readableLength); t.on('drain', () => log('drain')); t.resume(); },
  pipe(S, log) { const r = S.Readable.from(['a', 'b', 'c']); const w = new S.Writable({ objectMode: true, highWaterMark: 1, write(c, e, d) { log('w', c); setTimeout(d, 1); } }); for (const e of ['pipe', 'unpipe', 'finish', 'close', 'drain']) w.on(e, () => log(e)); for (const e of ['end', 'close', 'pause', 'resume']) r.on(e, () => log('r', e)); r.pipe(w); },
  pipeEnd(S, log) { const r = S.Readable.from(['a']); const w = new S.PassThrough({ objectMode: true }); w.on('data', (c) => log(c)); w.on('end', () => log('end')); r.pipe(w, { end: false }); r.on('end', () => { log('rend'); w.end('z'); }); },
  unpipe(S, log) { const r = new S.Readable({ read() {} }); const w = new S.PassThrough(); r.pipe(w); w.on('unpipe', () => log('unpipe')); r.unpipe(w); log(r.readableFlowing, r.isPaused()); },
  fromErr(S, log) { const r = S.Readable.from((async function* () { try { yield 1; yield 2; throw new Error('gen'); } finally { log('fin'); } })()); for (const e of ['error', 'close', 'end']) r.on(e, (x) => log(e, x?.message)); r.on('data', (c) => log(c)); },
  async asyncIter(S, log) { const r = S.Readable.from(['a', 'b']); for await (const c of r) log(c); log('done', r.destroyed, r.readableEnded); },
  async asyncIterBreak(S, log) { const r = S.Readable.from([1, 2, 3]); r.on('close', () => log('close')); for await (const c of r) { log(c); break; } log(r.destroyed); await sleep(5); },
  async asyncIterErr(S, log) { const r = new S.Readable({ read() { this.push('a'); this.destroy(new Error('it')); } }); try { for await (const c of r) log(String(c)); } catch (e) { log('caught', e.message); } },
  async asyncIterPremature(S, log) { const r = new S.Readable({ read() {} }); setTimeout(() => r.destroy(), 2); try { for await (const c of r) log(String(c)); log('done'); } catch (e) { log('caught', e.code); } },
  async pipeline(S, log) { const out = []; await S.promises.pipeline(S.Readable.from(['a', 'b']), new S.Transform({ objectMode: true, transform(c, e, d) { d(null, c + c); } }), new S.Writable({ objectMode: true, write(c, e, d) { out.push(c); d(); } })); log(out); },
  async pipelineGen(S, log) { const v = await S.promises.pipeline(async function* () { yield 1; yield 2; }, async function* (src) { for await (const x of src) yield x * 10; }, async function (src) { let s = 0; for await (const x of src) s += x; return s; }); log(v); },
  async pipelineErr(S, log) { const r = S.Readable.from(['a', 'b']); const w = new S.Writable({ objectMode: true, write(c, e, d) { d(new Error('w')); } }); const t = new S.PassThrough({ objectMode: true }); try { await S.promises.pipeline(r, t, w); } catch (e) { log(e.message, r.destroyed, t.destroyed, w.destroyed); } },
  async pipelineGenErr(S, log) { const w = new S.Writable({ objectMode: true, write(c, e, d) { d(); } }); w.on('close', () => log('wclose')); try { await S.promises.pipeline(async function* () { yield 1; throw new Error('g'); }, w); } catch (e) { log(e.message, w.destroyed); } },
  pipelineCb(S, log) { S.pipeline(S.Readable.from(['a']), new S.PassThrough({ objectMode: true }), (e) => log('cb', e?.message)).on('data', (c) => log('d', c)); },
  async pipelineAbort(S, log) { const ac = new AbortController(); const r = new S.Readable({ read() {} }); setTimeout(() => ac.abort(), 2); try { await S.promises.pipeline(r, new S.PassThrough(), new S.Writable({ write(c, e, d) { d(); } }), { signal: ac.signal }); } catch (e) { log(e.name, e.code, r.destroyed); } },
  async pipelinePremature(S, log) { const r = new S.Readable({ read() {} }); setTimeout(() => r.destroy(), 2); try { await S.promises.pipeline(r, new S.PassThrough()); } catch (e) { log(e.code); } },
  finished(S, log) { const r = new S.Readable({ read() {} }); S.finished(r, (e) => log('fin', e?.code)); r.push('a'); r.push(null); r.resume(); },
  finishedErr(S, log) { const r = new S.Readable({ read() {} }); S.finished(r, (e) => log('fin', e?.message)); r.destroy(new Error('q')); r.on('error', () => {}); },
  finishedPremature(S, log) { const w = new S.Writable({ write() {} }); S.finished(w, (e) => log('fin', e?.code)); w.destroy(); },
  async finishedAfter(S, log) { const w = new S.Writable({ write(c, e, d) { d(); } }); w.end(); await sleep(2); await S.promises.finished(w); log('ok'); },
  async finishedDuplex(S, log) { const d = new S.PassThrough(); S.finished(d, (e) => log('fin', e?.code)); d.end('x'); await sleep(3); log('resumed'); d.resume(); await sleep(3); },
  construct(S, log) { const w = new S.Writable({ construct(d) { log('construct'); setTimeout(() => { log('constructed'); d(); }, 1); }, write(c, e, d) { log('w', String(c)); d(); } }); w.write('a'); w.end(() => log('end')); },
  constructErr(S, log) { const r = new S.Readable({ construct(d) { d(new Error('c')); }, read() { log('read'); } }); r.on('error', (e) => log(e.message)); r.on('close', () => log('close')); r.resume(); },
  encoding(S, log) { const r = new S.Readable({ read() {} }); r.setEncoding('utf8'); r.on('data', (c) => log(typeof c, c)); r.push(Buffer.from([0xc3])); r.push(Buffer.from([0xa4])); r.push(null); r.on('end', () => log('end')); },
  unshift(S, log) { const r = new S.Readable({ read() {} }); r.push('world'); r.unshift('hello '); r.push(null); r.on('data', (c) => log(String(c))); r.on('end', () => { log('end'); try { r.unshift('x'); } catch (e) { log(e.code); } }); r.on('error', (e) => log('err', e.code)); },
  pushEof(S, log) { const r = new S.Readable({ read() {} }); r.on('error', (e) => log(e.code)); r.push(null); r.push('x'); },
  noRead(S, log) { const r = new S.Readable(); r.on('error', (e) => log(e.code, e.message)); r.read(); },
  noWrite(S, log) { const w = new S.Writable(); try { w.write('a'); } catch (e) { log(e.code); } w.on('error', (e) => log('ev', e.code)); },
  inherits(S, log) { function T() { S.Transform.call(this); } Object.setPrototypeOf(T.prototype, S.Transform.prototype); T.prototype._transform = function (c, e, d) { d(null, c); }; const t = new T(); t.on('data', (c) => log(String(c))); t.end('inh'); log(t instanceof S.Transform, t instanceof S.Duplex, t instanceof S.Writable, t instanceof S.Readable, t instanceof S, S.Readable() instanceof S.Readable); },
  allowHalf(S, log) { const d = new S.Duplex({ allowHalfOpen: false, read() { this.push(null); }, write(c, e, cb) { cb(); } }); for (const e of ['end', 'finish', 'close']) d.on(e, () => log(e)); d.resume(); },
  async helpers(S, log) { log(await S.Readable.from([1, 2, 3, 4]).filter((x) => x % 2).map((x) => x * 10).toArray()); log(await S.Readable.from([1, 2, 3]).reduce((a, b) => a + b, 0), await S.Readable.from([1, 2, 3]).take(2).toArray(), await S.Readable.from([1, 2, 3]).drop(2).toArray(), await S.Readable.from([1, 2]).some((x) => x > 1), await S.Readable.from([1, 2]).every((x) => x > 1), await S.Readable.from([1, 2]).find((x) => x > 1), await S.Readable.from([1, 2]).flatMap((x) => [x, x]).toArray()); },
  async toWeb(S, log) { const w = S.Readable.toWeb(S.Readable.from([Buffer.from('a'), Buffer.from('b')], { objectMode: false })); const rd = w.getReader(); for (;;) { const { value, done } = await rd.read(); if (done) break; log(value.constructor.name, String(value)); } log('done'); },
  async fromWeb(S, log) { const w = new ReadableStream({ start(c) { c.enqueue('x'); c.enqueue('y'); c.close(); } }); for await (const c of S.Readable.fromWeb(w, { objectMode: true })) log(c); },
  async writableWeb(S, log) { const got = []; const w = S.Writable.toWeb(new S.Writable({ write(c, e, d) { got.push(String(c)); d(); } })); const wr = w.getWriter(); await wr.write(new Uint8Array([65])); await wr.close(); log(got); },
  async compose(S, log) { const d = S.compose(new S.PassThrough(), new S.Transform({ transform(c, e, cb) { cb(null, String(c) + '!'); } })); d.end('abc'); for await (const c of d) log(String(c)); },
  signal(S, log) { const ac = new AbortController(); const r = new S.Readable({ read() {}, signal: ac.signal }); r.on('error', (e) => log(e.name, e.code)); r.on('close', () => log('close')); setTimeout(() => ac.abort(), 1); },
  pauseResume(S, log) { const r = new S.Readable({ read() {} }); r.on('data', (c) => { log(String(c)); r.pause(); setTimeout(() => r.resume(), 1); }); r.push('a'); r.push('b'); r.push(null); r.on('end', () => log('end')); },
  removeReadable(S, log) { const r = new S.Readable({ read() {} }); const f = () => log('readable'); r.on('readable', f); r.off('readable', f); r.on('data', (c) => log('data', String(c))); r.push('q'); r.push(null); r.on('end', () => log('end')); },
  doubleCb(S, log) { const w = new S.Writable({ write(c, e, d) { d(); d(); } }); w.on('error', (e) => log(e.code)); w.write('x'); },
  destroyCb(S, log) { const w = new S.Writable({ write() {} }); w.write('a', (e) => log('a', e?.code)); w.write('b', (e) => log('b', e?.code)); w.destroy(); w.on('close', () => log('close')); },
  endTwice(S, log) { const w = new S.Writable({ write(c, e, d) { d(); } }); w.on('error', (e) => log('err', e.code)); w.end(() => log('1')); w.end((e) => log('2', e?.code)); setTimeout(() => w.end((e) => log('3', e?.code)), 3); },
  emptyChunk(S, log) { const r = new S.Readable({ read() {} }); r.on('data', (c) => log('d', String(c))); r.on('end', () => log('end')); r.push(''); r.push('a'); r.push(Buffer.alloc(0)); r.push(null); },
};

async function orderOf(work) {
  const told = [];
  const log = (...values) => { told.push(values.map((value) => (value === undefined ? 'undefined' : value))); };
  try {
    await work(stream, log);
  } catch (error) {
    log('threw', error.name);
  }
  // Until nothing more happens.
  for (let [still, seen] = [0, -1]; still < 4; seen = told.length) {
    await scheduler.wait(3);
    still = told.length === seen ? still + 1 : 0;
  }
  return told;
}

/** All that comes out of a pair of streams, when this is written. */
async function run(pair, ...chunks) {
  const writer = pair.writable.getWriter();
  const writing = (async () => {
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  })();
  writing.catch(() => {});
  return new Uint8Array(await new Response(pair.readable).arrayBuffer());
}

async function nameOf(work) {
  try {
    await work();
    return 'nothing thrown';
  } catch (error) {
    return error.name;
  }
}

/** The name and the message of what is thrown. */
async function failure(work) {
  try {
    await work();
    return 'nothing thrown';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const names = (works) => Promise.all(works.map(nameOf));
const gz = () => run(new CompressionStream('gzip'), encoder.encode('hello hello hello'));

const web = {
  async compresses_and_back() {
    const found = [];
    for (const format of ['gzip', 'deflate', 'deflate-raw']) {
      const small = await run(new CompressionStream(format), encoder.encode('hello '.repeat(1000)), 'and more');
      found.push(small.length < 200, text(await run(new DecompressionStream(format), small.slice(0, 7), small.slice(7))).length);
    }
    return found;
  },
  compression_formats: () => Promise.all(['br', 'zstd', '', undefined].flatMap((format) => [failure(() => new CompressionStream(format)), failure(() => new DecompressionStream(format))])),
  async decompression_refuses() {
    const good = await gz();
    const changed = good.slice();
    changed[good.length - 6] ^= 1;
    const tries = [[good.slice(0, -1)], [Uint8Array.of(1, 2, 3)], [], [changed], [Uint8Array.from([...good, 1])], [good, Uint8Array.of(1)], [good, good]];
    return Promise.all(tries.map((chunks) => failure(() => run(new DecompressionStream('gzip'), ...chunks))));
  },
  async compression_fails_on_both_sides() {
    const { readable, writable } = new DecompressionStream('deflate');
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    return Promise.all([reader.read(), writer.write(Uint8Array.of(9, 9, 9))].map((promise) => promise.then(() => 'done', (error) => error.message)));
  },
  compression_classes: () => [new CompressionStream('gzip'), new DecompressionStream('gzip')].map((it) => [Object.prototype.toString.call(it), it instanceof TransformStream, it.readable instanceof ReadableStream]),
  compression_by_pipes: async () => text(await new Response(new Blob(['piped']).stream().pipeThrough(new CompressionStream('deflate')).pipeThrough(new DecompressionStream('deflate'))).arrayBuffer()),
  encodings: () => ['utf-16', 'utf-16be', 'latin1', 'windows-1252', 'shift_jis', 'gbk', 'euc-kr', 'iso-8859-2', 'koi8-r', 'us-ascii', 'gb18030', 'macintosh', 'iso-8859-8-i', 'unicode', 'iso-8859-1', 'windows-1251', 'UTF8']
    .map((label) => new TextDecoder(label)).map((decoder) => [decoder.encoding, decoder.decode(Uint8Array.of(0x41, 0xe9, 0x42, 0x81, 0x40, 0x80))]),
  encodings_unknown: () => Promise.all(['foo', 'utf-7', 'replacement', ''].map((label) => failure(() => new TextDecoder(label)))),
  encodings_fatal: () => names([() => new TextDecoder('utf-16le', { fatal: true }).decode(Uint8Array.of(0, 0xd8)), () => new TextDecoder('shift_jis', { fatal: true }).decode(Uint8Array.of(0x81)), () => new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.of(0xff))]),
  encodings_in_pieces() {
    const decoder = new TextDecoder('utf-16le');
    return [decoder.decode(Uint8Array.of(0x41), { stream: true }), decoder.decode(Uint8Array.of(0, 0x42), { stream: true }), decoder.decode(), decoder.decode(Uint8Array.of(0xff, 0xfe, 0x41, 0))];
  },
  encodings_marks: () => [new TextDecoder('utf-16le', { ignoreBOM: true }).decode(Uint8Array.of(0xff, 0xfe, 0x41, 0)).length, new TextDecoder('utf-16le').decode(Uint8Array.of(0xff, 0xfe, 0x41, 0)).length, new TextDecoder().decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)).length],
  encode_into: () => [5, 3, 1].map((size) => {
    const bytes = new Uint8Array(size);
    return [new TextEncoder().encodeInto('aä😀', bytes), ...bytes];
  }),
  encode_into_not: () => nameOf(() => new TextEncoder().encodeInto('a', new Uint16Array(3))),
  async message_channel() {
    const { port1, port2 } = new MessageChannel();
    const heard = [];
    port2.onmessage = (event) => heard.push([event.type, event.data, event.ports.length]);
    port1.postMessage({ a: [1, new Date(0)] });
    port1.postMessage('two');
    heard.push('sent');
    await sleep(5);
    port1.close();
    port1.postMessage('late');
    await sleep(5);
    return [heard, Object.prototype.toString.call(port1), port1 instanceof EventTarget, await names([() => port2.postMessage(() => 1), () => new MessagePort()])];
  },
  async message_channel_waits() {
    const { port1, port2 } = new MessageChannel();
    const heard = [];
    port2.addEventListener('message', (event) => heard.push(event.data));
    port2.addEventListener('close', () => heard.push('close'));
    port1.postMessage(1);
    await sleep(5);
    heard.push('started');
    port2.start();
    await sleep(5);
    port1.close();
    await sleep(5);
    return heard;
  },
  async microtask_throws() {
    queueMicrotask(() => { throw new Error('of a microtask'); });
    await sleep(1);
    return 'goes on';
  },
  navigator: () => [navigator.userAgent, performance.timeOrigin, typeof reportError],
  url_pattern() {
    const pattern = new URLPattern({ pathname: '/books/:id(\\d+)/:rest*' });
    const found = pattern.exec('https://example.com/books/12/a/b?q#h');
    return [pattern.test('https://example.com/books/x'), found.pathname.input, sorted(found.pathname.groups), found.search.input, pattern.pathname, pattern.hostname, Object.prototype.toString.call(pattern)];
  },
  url_pattern_texts: () => [
    ['https://*.example.com/books/:id'], ['/foo/*', 'https://example.com'], ['https://example.com:8080/a?b=:c#d'], [{ pathname: '/A/{b}?/:c+', search: 'x=(a|b)' }], [{ hostname: '{:sub.}?example.com', protocol: 'http{s}?' }],
    [{ pathname: 'b', baseURL: 'https://example.com/a/c' }], ['data\\:text*'], ['https://user:pw@host/'], [{}],
  ].map(([input, base]) => {
    const it = base ? new URLPattern(input, base) : new URLPattern(input);
    return [it.protocol, it.username, it.password, it.hostname, it.port, it.pathname, it.search, it.hash];
  }),
  url_pattern_matches: () => [
    [{ pathname: '/a/*' }, 'https://x/a/b/c'], [{ pathname: '/:a/:b?' }, 'https://x/1'], [{ hostname: '*.example.com' }, 'https://a.b.example.com/'], [{ pathname: '/a{/b}?' }, 'https://x/a/b'], [{ search: 'q=:q' }, 'https://x/?q=5'],
    [{ pathname: '/ü/:x' }, 'https://x/ü/ö'], ['https://x.de/:a.:b', 'https://x.de/one.two'], [{ pathname: '/:a-:b' }, 'https://x/1-2'], [{ port: '80' }, 'http://x/'], [{ protocol: 'https', port: '443' }, 'https://x/'],
  ].map(([pattern, url]) => {
    const found = new URLPattern(pattern).exec(url);
    return found && [found.hostname.groups, found.pathname.groups, found.search.groups].map(sorted);
  }),
  url_pattern_refuses: () => names([() => new URLPattern('/foo/*'), () => new URLPattern({ pathname: '/:a/:a' }), () => new URLPattern({ pathname: '/(' }), () => new URLPattern({ pathname: '/{a' }), () => new URLPattern({}, 'https://example.com'), () => new URLPattern({ pathname: '/(?<a>b)' })]),
  url_pattern_ignores_case: () => [new URLPattern({ pathname: '/Abc' }, { ignoreCase: true }).test({ pathname: '/aBC' }), new URLPattern({ pathname: '/Abc' }).test({ pathname: '/aBC' })],
};

const zipped = {
  async zlib_sync() {
    const found = [];
    for (const [there, back] of [['gzip', 'gunzip'], ['deflate', 'inflate'], ['deflateRaw', 'inflateRaw'], ['brotliCompress', 'brotliDecompress'], ['gzip', 'unzip'], ['deflate', 'unzip']]) {
      const small = zlib[`${there}Sync`](Buffer.from('zipped '.repeat(500)));
      found.push([there, small.length < 120, zlib[`${back}Sync`](small).toString() === 'zipped '.repeat(500)]);
    }
    return found;
  },
  zlib_callback: () => new Promise((resolve) => zlib.gzip('text', (error, small) => zlib.gunzip(small, (failed, whole) => resolve([error, failed, String(whole)])))),
  zlib_callback_fails: () => new Promise((resolve) => zlib.inflate(Buffer.from('nothing'), (error) => resolve(error.message))),
  async zlib_streams() {
    const found = [];
    const source = () => stream.Readable.from([Buffer.from('one '), Buffer.from('two')]);
    for (const [there, back] of [[zlib.createGzip(), zlib.createGunzip()], [zlib.createDeflate(), zlib.createInflate()], [zlib.createBrotliCompress(), zlib.createBrotliDecompress()]]) {
      const parts = [];
      await stream.promises.pipeline(source(), there, back, async (chunks) => { for await (const chunk of chunks) parts.push(chunk); });
      found.push(Buffer.concat(parts).toString());
    }
    return found;
  },
  zlib_refuses: () => Promise.all([
    () => zlib.gunzipSync(Buffer.from('abc')), () => zlib.gunzipSync(zlib.gzipSync('hello').subarray(0, -3)), () => zlib.inflateSync(Buffer.from('abcdef')), () => zlib.deflateSync('a', { level: 99 }),
    () => zlib.gunzipSync(Buffer.concat([zlib.gzipSync('hello'), Buffer.from('xx')])),
  ].map(failure)),
  zlib_members: () => [zlib.gunzipSync(Buffer.concat([zlib.gzipSync('one'), zlib.gzipSync('two')])).toString(), zlib.inflateSync(Buffer.concat([zlib.deflateSync('one'), Buffer.from('xx')])).toString()],
  zlib_partial: () => zlib.gunzipSync(zlib.gzipSync('hello hello').subarray(0, -3), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString(),
  zlib_crc32: () => [zlib.crc32('hello'), zlib.crc32(Buffer.from('lo'), zlib.crc32('hel')), zlib.crc32('')],
  zlib_dictionary: () => zlib.inflateSync(zlib.deflateSync('a dictionary', { dictionary: Buffer.from('dictionary') }), { dictionary: Buffer.from('dictionary') }).toString(),
  zlib_bytes: () => [hex(zlib.deflateRawSync('a')), hex(zlib.gzipSync('')), hex(zlib.deflateSync('a', { level: 0 }))],
  zlib_constants: () => [zlib.constants.Z_BEST_COMPRESSION, zlib.constants.BROTLI_PARAM_QUALITY, zlib.constants.Z_BUF_ERROR],
};

const { createHash, createHmac } = nodeCrypto;
const sealing = ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'aes-128-ctr', 'aes-256-ctr', 'aes-128-ecb', 'aes-128-gcm', 'aes-256-gcm'];
const keyFor = (name) => Buffer.from(Array.from({ length: Number(name.slice(4, 7)) / 8 }, (_, at) => at));
const ivFor = (name) => (name.endsWith('ecb') ? null : Buffer.alloc(name.endsWith('gcm') ? 12 : 16, 7));

const node = {
  node_hashes: () => ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-256', 'RSA-SHA256', 'SHA256'].map((name) => createHash(name).update('a').update(Buffer.from('b')).digest('hex')),
  node_hash_encodings: () => ['hex', 'base64', 'base64url', 'latin1'].map((encoding) => createHash('sha1').update('6162', 'hex').digest(encoding)),
  node_hash_copy() {
    const first = createHash('sha256').update('a');
    const second = first.copy().update('b');
    return [first.digest('hex'), second.digest('hex')];
  },
  node_hash_stream: async () => (await createHash('sha1').end('streamed').toArray())[0].toString('hex'),
  node_hash_at_once: () => [nodeCrypto.hash('sha1', 'a'), nodeCrypto.hash('md5', Buffer.from('a'), 'base64')],
  node_hash_refuses: () => names([() => createHash('foo'), () => createHash('md5').update(5), () => { const hash = createHash('md5'); hash.digest(); hash.digest(); }, () => { const hash = createHash('md5'); hash.digest(); hash.update('a'); }]),
  node_hmac: () => ['md5', 'sha1', 'sha256', 'sha512'].map((name) => createHmac(name, 'key'.repeat(50)).update('data').digest('hex')),
  node_ciphers: () => sealing.map((name) => {
    const cipher = nodeCrypto.createCipheriv(name, keyFor(name), ivFor(name));
    const parts = [cipher.update('The quick brown ', 'utf8', 'hex'), cipher.update(Buffer.from('fox jumps'), undefined, 'hex'), cipher.final('hex')];
    const decipher = nodeCrypto.createDecipheriv(name, keyFor(name), ivFor(name));
    const tag = name.endsWith('gcm') ? cipher.getAuthTag() : Buffer.alloc(0);
    if (tag.length) decipher.setAuthTag(tag);
    const sealed = parts.join('');
    return [sealed, hex(tag), decipher.update(sealed.slice(0, 10), 'hex', 'utf8') + decipher.update(sealed.slice(10), 'hex', 'utf8') + decipher.final('utf8')];
  }),
  node_gcm() {
    const cipher = nodeCrypto.createCipheriv('aes-256-gcm', keyFor('aes-256-gcm'), Buffer.alloc(16, 1));
    cipher.setAAD(Buffer.from('more'));
    return [cipher.update('text', 'utf8', 'hex'), cipher.final('hex'), hex(cipher.getAuthTag())];
  },
  node_ciphers_refuse: () => names([
    () => nodeCrypto.createCipheriv('foo', 'a', 'b'), () => { const it = nodeCrypto.createDecipheriv('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(16)); it.update(Buffer.alloc(16)); it.final(); },
    () => { const it = nodeCrypto.createDecipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12)); it.setAuthTag(Buffer.alloc(16)); it.update(Buffer.alloc(16)); it.final(); },
  ]),
  node_padding() {
    const cipher = nodeCrypto.createCipheriv('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(16));
    cipher.setAutoPadding(false);
    return [cipher.update(Buffer.alloc(32), undefined, 'hex'), cipher.final('hex')];
  },
  async node_derives() {
    const later = await new Promise((resolve) => nodeCrypto.pbkdf2('password', 'salt', 10, 20, 'sha512', (_, key) => resolve(hex(key))));
    return [nodeCrypto.pbkdf2Sync('password', 'salt', 2, 20, 'sha1').toString('hex'), later, hex(nodeCrypto.hkdfSync('sha256', 'key', 'salt', 'info', 42)), nodeCrypto.scryptSync('password', 'salt', 32, { N: 1024, r: 4, p: 2 }).toString('hex')];
  },
  node_random: () => [nodeCrypto.randomBytes(7000).length, nodeCrypto.randomUUID().length, nodeCrypto.randomInt(3, 4), nodeCrypto.randomInt(10) < 10, nodeCrypto.randomFillSync(new Uint8Array(4)).length],
  node_equal: () => [nodeCrypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ab')), nodeCrypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ac'))],
  node_rsa() {
    const { privateKey, publicKey } = nodeCrypto.generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs1', format: 'pem' } });
    const signature = nodeCrypto.createSign('RSA-SHA256').update('te').update('xt').sign(privateKey);
    const sealed = nodeCrypto.publicEncrypt(publicKey, Buffer.from('secret'));
    return [publicKey.slice(0, 27), privateKey.slice(0, 32), nodeCrypto.createVerify('SHA256').update('text').verify(publicKey, signature), nodeCrypto.createVerify('SHA256').update('texts').verify(publicKey, signature), nodeCrypto.verify('sha256', Buffer.from('text'), publicKey, signature), nodeCrypto.privateDecrypt(privateKey, sealed).toString()];
  },
  node_ec() {
    return ['P-256', 'secp384r1', 'P-521'].map((namedCurve) => {
      const { privateKey, publicKey } = nodeCrypto.generateKeyPairSync('ec', { namedCurve });
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      const signature = nodeCrypto.sign('sha256', Buffer.from('text'), pem);
      const again = nodeCrypto.createPrivateKey(pem);
      return [publicKey.asymmetricKeyType, nodeCrypto.verify('sha256', Buffer.from('text'), publicKey, signature), pem.slice(0, 31), again.equals(privateKey), privateKey.export({ format: 'jwk' }).crv];
    });
  },
  node_ed25519() {
    const { privateKey, publicKey } = nodeCrypto.generateKeyPairSync('ed25519');
    return [privateKey.asymmetricKeyType, nodeCrypto.verify(null, Buffer.from('text'), publicKey, nodeCrypto.sign(null, Buffer.from('text'), privateKey)), nodeCrypto.createPublicKey(privateKey).equals(publicKey), publicKey.export({ type: 'spki', format: 'der' }).length];
  },
  node_agrees() {
    const [one, two] = [nodeCrypto.generateKeyPairSync('x25519'), nodeCrypto.generateKeyPairSync('x25519')];
    return nodeCrypto.diffieHellman({ privateKey: one.privateKey, publicKey: two.publicKey }).equals(nodeCrypto.diffieHellman({ privateKey: two.privateKey, publicKey: one.publicKey }));
  },
  node_ecdh() {
    const [one, two] = [nodeCrypto.createECDH('prime256v1'), nodeCrypto.createECDH('prime256v1')];
    const [left, right] = [one.generateKeys(), two.generateKeys('hex', 'compressed')];
    return [left.length, right.length, one.computeSecret(right, 'hex', 'hex') === two.computeSecret(left, null, 'hex')];
  },
  node_secret() {
    const key = nodeCrypto.createSecretKey(Buffer.from('abc'));
    return [key.type, key.symmetricKeySize, key.export().toString(), createHmac('sha1', key).update('a').digest('hex')];
  },
  node_web: () => [nodeCrypto.webcrypto === crypto, nodeCrypto.subtle === crypto.subtle, nodeCrypto.getRandomValues(new Uint8Array(2)).length],
};

const cases = { ...Object.fromEntries(Object.entries(orders).map(([name, work]) => [`stream_${name}`, () => orderOf(work)])), ...web, ...zipped, ...node };

export class Cases extends DurableObject {}

export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === 'names') return Response.json(Object.keys(cases));
    try {
      return Response.json({ value: (await cases[name]?.()) ?? 'undefined' });
    } catch (error) {
      return Response.json({ error: error.name, message: error.message });
    }
  },
};
