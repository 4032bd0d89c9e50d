import { all, bytes, outcome, text } from './shown.js';

/** An object's description without what differs from run to run. */
const plain = (object) => object && {
  kind: object.constructor.name,
  key: object.key,
  size: object.size,
  etag: object.etag,
  httpEtag: object.httpEtag,
  version: typeof object.version,
  uploaded: object.uploaded instanceof Date,
  httpMetadata: object.httpMetadata,
  customMetadata: object.customMetadata,
  range: object.range,
  storageClass: object.storageClass,
  checksums: object.checksums.toJSON(),
};

const listed = ({ objects, truncated, cursor, delimitedPrefixes }) => [objects.map(({ key }) => key), truncated, typeof cursor, delimitedPrefixes];

const filled = async (bucket, names) => {
  for (const name of names) await bucket.put(name, `of ${name}`, { customMetadata: { name } });
};

const range = async (bucket, key, by) => {
  const object = await bucket.get(key, { range: by });
  return [await object.text(), object.range, object.size];
};

export const r2Cases = {
  kind: ({ R2 }) => [Object.prototype.toString.call(R2), R2.constructor.name],
  async put({ R2 }) {
    return plain(await R2.put('put', 'hello'));
  },
  async put_bytes({ R2 }) {
    await R2.put('bytes', bytes(1, 2, 3));
    await R2.put('buffer', bytes(4).buffer);
    await R2.put('blob', new Blob(['of a blob']));
    await R2.put('stream', new Response('of a stream').body);
    await R2.put('null', null);
    const texts = [];
    for (const key of ['blob', 'stream', 'null']) texts.push(await (await R2.get(key)).text());
    return [await (await R2.get('bytes')).arrayBuffer(), await (await R2.get('buffer')).bytes(), texts];
  },
  async get({ R2 }) {
    await R2.put('get', '{"a":1}');
    const object = await R2.get('get');
    return [plain(object), object.body, object.bodyUsed, await object.json(), object.bodyUsed];
  },
  async get_twice({ R2 }) {
    await R2.put('twice', 'once');
    const object = await R2.get('twice');
    await object.text();
    return (await outcome(() => object.text())).error;
  },
  async blob({ R2 }) {
    await R2.put('typed', 'x', { httpMetadata: { contentType: 'text/css' } });
    const blob = await (await R2.get('typed')).blob();
    return [blob.size, blob.type];
  },
  async nothing({ R2 }) {
    return [await R2.get('nothing'), await R2.head('nothing'), await R2.delete('nothing')];
  },
  async head({ R2 }) {
    await R2.put('head', 'four', { customMetadata: { a: 'b' } });
    return plain(await R2.head('head'));
  },
  async metadata({ R2 }) {
    await R2.put('metadata', 'x', {
      httpMetadata: { contentType: 'text/html', contentLanguage: 'sv', contentDisposition: 'inline', contentEncoding: 'gzip', cacheControl: 'no-store', cacheExpiry: new Date(86_400_000) },
      customMetadata: { Author: 'ada', empty: '' },
    });
    const object = await R2.head('metadata');
    const headers = new Headers({ 'x-kept': '1' });
    object.writeHttpMetadata(headers);
    return [object.httpMetadata, object.customMetadata, [...headers]];
  },
  async metadata_of_headers({ R2 }) {
    const headers = new Headers({ 'content-type': 'image/png', 'cache-control': 'max-age=1', expires: 'Thu, 01 Jan 1970 00:00:00 GMT', 'x-other': 'y' });
    await R2.put('headers', 'x', { httpMetadata: headers });
    return (await R2.head('headers')).httpMetadata;
  },
  async metadata_too_large({ R2 }) {
    return all([() => R2.put('m', 'x', { customMetadata: { a: text(3000) } }), () => R2.put('m', 'x', { customMetadata: { a: 1 } }).then(plain)]);
  },
  async overwritten({ R2 }) {
    const first = await R2.put('over', 'a');
    const second = await R2.put('over', 'bc', { customMetadata: { n: '2' } });
    const now = await R2.head('over');
    return [first.version !== second.version, now.version === second.version, now.size, now.customMetadata];
  },
  async checksums({ R2 }) {
    const digest = async (name) => crypto.subtle.digest(name, new TextEncoder().encode('sum'));
    const put = async (options) => plain(await R2.put('sum', 'sum', options)).checksums;
    return [
      await put({ sha1: await digest('SHA-1') }), await put({ sha256: await digest('SHA-256') }), await put({ sha384: await digest('SHA-384') }), await put({ sha512: await digest('SHA-512') }),
      await put({ md5: '25cf70d0d79a4b2bb9c64dca45de9f86'.slice(0, 32) }).catch(({ message }) => message),
    ];
  },
  async checksums_of_head({ R2 }) {
    const sha256 = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('sum'));
    await R2.put('sums', 'sum', { sha256 });
    const { checksums } = await R2.head('sums');
    return [checksums.md5, checksums.sha256, checksums.sha1, checksums.constructor.name, JSON.stringify(checksums)];
  },
  checksums_that_differ: ({ R2 }) => all([
    () => R2.put('bad', 'x', { md5: '00000000000000000000000000000000' }),
    () => R2.put('bad', 'x', { sha1: '00' }),
    () => R2.put('bad', 'x', { sha256: bytes(1) }),
    () => R2.put('bad', 'x', { md5: '00000000000000000000000000000000', sha1: '0000000000000000000000000000000000000000' }),
    async () => (await R2.get('bad')),
  ]),
  async ranges({ R2 }) {
    await R2.put('ranged', '0123456789');
    return all([
      () => range(R2, 'ranged', { offset: 2, length: 3 }), () => range(R2, 'ranged', { offset: 7 }), () => range(R2, 'ranged', { length: 4 }), () => range(R2, 'ranged', { suffix: 3 }),
      () => range(R2, 'ranged', { offset: 8, length: 99 }), () => range(R2, 'ranged', { suffix: 99 }), () => range(R2, 'ranged', { offset: 10 }), () => range(R2, 'ranged', { offset: 20, length: 1 }),
      () => range(R2, 'ranged', { length: 0 }), () => range(R2, 'ranged', { suffix: 0 }), () => range(R2, 'ranged', { offset: -1 }),
      () => range(R2, 'ranged', new Headers({ range: 'bytes=1-3' })), () => range(R2, 'ranged', new Headers({ range: 'bytes=-2' })), () => range(R2, 'ranged', new Headers({ range: 'bytes=4-' })), () => range(R2, 'ranged', new Headers({ range: 'lines=1' })), () => range(R2, 'ranged', new Headers()),
    ]);
  },
  async only_if({ R2 }) {
    const { etag } = await R2.put('if', 'v');
    const get = async (onlyIf) => {
      const object = await R2.get('if', { onlyIf });
      return [object.constructor.name, object.body ? await object.text() : 'no body'];
    };
    const [past, future] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)];
    return all([
      () => get({ etagMatches: etag }), () => get({ etagMatches: 'other' }), () => get({ etagDoesNotMatch: etag }), () => get({ etagDoesNotMatch: 'other' }), () => get({ etagMatches: '*' }), () => get({ etagDoesNotMatch: '*' }),
      () => get({ uploadedBefore: past }), () => get({ uploadedBefore: future }), () => get({ uploadedAfter: past }), () => get({ uploadedAfter: future }),
      () => get({ etagMatches: ['other', etag] }), () => get({ etagMatches: etag, uploadedBefore: past }),
      () => get({ etagMatches: `"${etag}"` }),
      () => get(new Headers({ 'if-match': `"${etag}"` })), () => get(new Headers({ 'if-none-match': `"${etag}"` })), () => get(new Headers({ 'if-none-match': '"a", "b"' })), () => get(new Headers({ 'if-modified-since': future.toUTCString() })),
    ]);
  },
  async put_only_if({ R2 }) {
    const { etag } = await R2.put('put if', 'first');
    const put = async (value, onlyIf) => (await R2.put('put if', value, { onlyIf }))?.size ?? null;
    return [
      await put('xx', { etagMatches: 'other' }), await put('xxx', { etagMatches: etag }), await put('xxxx', { etagDoesNotMatch: '*' }),
      (await R2.put('put if new', 'new', { onlyIf: { etagDoesNotMatch: '*' } })).size, await R2.put('put if none', 'x', { onlyIf: { etagMatches: '*' } }),
      await (await R2.get('put if')).text(),
    ];
  },
  async delete_many({ R2 }) {
    await filled(R2, ['del/a', 'del/b', 'del/c']);
    return [await R2.delete(['del/a', 'del/c', 'del/none']), listed(await R2.list({ prefix: 'del/' })), await R2.delete('del/b'), listed(await R2.list({ prefix: 'del/' })), await R2.delete([])];
  },
  keys: ({ R2 }) => all([
    () => R2.get(text(1025)), () => R2.put(text(1025), 'x'), () => R2.put(text(1024), 'x').then(({ key }) => key.length),
  ]),
  values_that_are_none: ({ R2 }) => all([() => R2.put('v', 7), () => R2.put('v', { a: 1 }), () => R2.put('v', undefined).then(plain), () => R2.put('v')]),
  async list({ R2 }) {
    await filled(R2, ['list/c', 'list/a', 'list/b']);
    const found = await R2.list({ prefix: 'list/' });
    return [listed(found), plain(found.objects[0])];
  },
  async list_include({ R2 }) {
    await R2.put('include/a', 'x', { customMetadata: { a: '1' }, httpMetadata: { contentType: 'text/plain' } });
    const one = async (include) => {
      const [object] = (await R2.list({ prefix: 'include/', include })).objects;
      return [object.httpMetadata, object.customMetadata];
    };
    return [await one(['customMetadata']), await one(['httpMetadata']), await one(['httpMetadata', 'customMetadata'])];
  },
  async list_pages({ R2 }) {
    await filled(R2, ['p/1', 'p/2', 'p/3', 'p/4', 'p/5']);
    const first = await R2.list({ prefix: 'p/', limit: 2 });
    const second = await R2.list({ prefix: 'p/', limit: 2, cursor: first.cursor });
    const third = await R2.list({ prefix: 'p/', limit: 2, cursor: second.cursor });
    return [first, second, third].map(listed);
  },
  async list_start_after({ R2 }) {
    await filled(R2, ['s/1', 's/2', 's/3']);
    return [listed(await R2.list({ prefix: 's/', startAfter: 's/1' })), listed(await R2.list({ prefix: 's/', startAfter: 's/15', limit: 1 }))];
  },
  async list_delimiter({ R2 }) {
    await filled(R2, ['d/a', 'd/b/1', 'd/b/2', 'd/c/1', 'd/z']);
    const pages = [];
    let cursor;
    do {
      const page = await R2.list({ prefix: 'd/', delimiter: '/', limit: 2, cursor });
      pages.push(listed(page));
      ({ cursor } = page);
    } while (cursor);
    return [listed(await R2.list({ prefix: 'd/', delimiter: '/' })), listed(await R2.list({ prefix: 'd', delimiter: '/' })), pages];
  },
  list_errors: ({ R2 }) => all([() => R2.list({ limit: 0 }), () => R2.list({ limit: 1001, prefix: 'nothing/' }).then(listed), () => R2.list({ limit: -1, prefix: 'nothing/' }).then(listed), () => R2.list({ prefix: 'nothing/' }).then(listed)]),
  async large({ R2 }) {
    const value = new Uint8Array(9_000_000).map((_, n) => n % 251);
    const { size, etag } = await R2.put('large', value);
    const object = await R2.get('large', { range: { offset: 8_388_600, length: 20 } });
    const whole = await (await R2.get('large')).bytes();
    await R2.delete('large');
    return [size, etag, await object.bytes(), whole.length, whole.every((byte, n) => byte === n % 251), await R2.head('large')];
  },
  async multipart({ R2 }) {
    const upload = await R2.createMultipartUpload('multi', { customMetadata: { a: 'b' }, httpMetadata: { contentType: 'text/plain' } });
    const part = text(5 * 1024 * 1024);
    const two = await upload.uploadPart(2, part);
    const one = await upload.uploadPart(1, part);
    const three = await upload.uploadPart(3, 'the end');
    const before = await R2.head('multi');
    const object = await upload.complete([one, two, three]);
    const told = plain(object);
    const tail = await (await R2.get('multi', { range: { suffix: 10 } })).text();
    const middle = await (await R2.get('multi', { range: { offset: 5 * 1024 * 1024 - 1, length: 2 } })).text();
    return [upload.key, typeof upload.uploadId, one.partNumber, typeof one.etag, before, { ...told, etag: told.etag.replace(/^[0-9a-f]{32}/, 'hash'), httpEtag: '' }, tail, middle];
  },
  async multipart_resumed({ R2 }) {
    const { uploadId } = await R2.createMultipartUpload('resumed');
    const upload = R2.resumeMultipartUpload('resumed', uploadId);
    const part = await upload.uploadPart(1, 'first try');
    const again = await upload.uploadPart(1, 'second try');
    const stale = await outcome(() => upload.complete([part]));
    const { size } = await upload.complete([again]);
    return [upload.uploadId === uploadId, stale, size, await (await R2.get('resumed')).text()];
  },
  async multipart_aborted({ R2 }) {
    const upload = await R2.createMultipartUpload('aborted');
    const part = await upload.uploadPart(1, 'x');
    return [await upload.abort(), await R2.head('aborted'), await outcome(() => upload.complete([part])), await outcome(() => upload.uploadPart(2, 'y')), await outcome(() => upload.abort())];
  },
  async multipart_errors({ R2 }) {
    const upload = await R2.createMultipartUpload('errors');
    const small = await upload.uploadPart(1, 'small');
    const last = await upload.uploadPart(2, 'last');
    return all([
      () => upload.uploadPart(0, 'x'), () => upload.uploadPart(10_001, 'x'), () => upload.complete([small, last]), () => upload.complete([{ partNumber: 7, etag: 'none' }]), () => upload.complete([last, small].concat(small)),
      () => R2.resumeMultipartUpload('errors', 'unknown').uploadPart(1, 'x'),
      () => upload.complete([]).then(({ size }) => size),
    ]);
  },
  async order({ R2 }) {
    await filled(R2, ['o/Z', 'o/a', 'o/B', 'o/ä', 'o/10', 'o/2', 'o/\u{1F600}', 'o/\uFFFD']);
    return listed(await R2.list({ prefix: 'o/' }))[0];
  },
};
