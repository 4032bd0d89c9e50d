// WebSockets of objects: a handle is here, the connection is at a server, and its tags and its
// attachment are rows of the object's database. They hibernate, unless code listens to them. Those of
// which code has the other end are lines (lines.js).
import { binary, encodeUtf8, host, view } from 'dotdo:host';
import { decode, encode } from 'dotdo:clone';
import { forms, lines } from 'dotdo:lazy';
import { CloseEvent, EventTarget, MessageEvent } from 'dotdo:events';
import { current } from 'dotdo:environment';
import { nextOperation } from 'dotdo:operations';

const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const OWN = Symbol('own');
const TAGS_MAX = 10;
const TAG_LENGTH_MAX = 256;
const REASON_BYTES_MAX = 123;
const ABOUT = { url: null, protocol: '', extensions: '' };

/** The tag of a socket that code listens to, which code can not give. */
const LISTENED = '\0listened';

/** What an attachment may take as JSON, in bytes: as much as a row of it. */
const ATTACHMENT_MAX = 16 * 1024;

/** How long an object stays in memory for a socket that it listens to. */
const STAY_MS = 2 ** 31 - 1;

/** What the rest of the runtime may do with a socket. */
export let inside;

export class WebSocket extends EventTarget {
  /** The instance and the id of an accepted one. */
  #instance;
  #id;
  #attachment = null;
  #tags = [];
  #readyState = OPEN;
  /** The other end of a pair. */
  #peer;
  /** Its tags, and what was done to it, until the response with the other end says whose connection it is. */
  #waiting;
  /** The number of a line, to which it does not listen yet. */
  #answer;
  /** The line that it is, which takes its frames. */
  #line;
  #about = ABOUT;
  /** Whether the other end has closed it, and an object may do so too. */
  #isClosed = false;
  /** The operation that keeps the object in memory while it listens. */
  #stay;
  binaryType = 'blob';
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url, protocols) {
    super();
    if (url !== OWN) this.#line = lines().connect(this, arguments.length, url, protocols);
  }

  static {
    inside = {
      pair() {
        const ends = [new WebSocket(OWN), new WebSocket(OWN)];
        ends[0].#peer = ends[1];
        ends[1].#peer = ends[0];
        return ends;
      },
      /** The end that an object or another server has answered with. */
      answered(number) {
        const socket = new WebSocket(OWN);
        socket.#answer = number;
        return socket;
      },
      /** The handle of an accepted one. */
      accepted(instance, id) {
        const socket = new WebSocket(OWN);
        socket.#instance = instance;
        socket.#id = id;
        return socket;
      },
      /** What is done to it from now on is done when it has its connection. */
      wait(socket, tags) {
        socket.#waiting = [];
        socket.#tags = tags;
      },
      /** Accepts the connection that the request of `event` asks for, and does what was done to it. */
      connect(socket, instance, event) {
        socket.#id = host.socketAccept(instance, event, socket.#tags);
        socket.#instance = instance;
        const done = socket.#waiting;
        socket.#waiting = undefined;
        if (socket.#attachment !== null) host.socketAttach(instance, socket.#id, socket.#attachment);
        for (const work of done) work();
        return socket.#id;
      },
      /** It is the line `line` from now on, which takes what was done to it. */
      join(socket, line) {
        socket.#line = line;
        const done = socket.#waiting ?? [];
        socket.#waiting = undefined;
        if (socket.#stay !== undefined) host.cancel(socket.#stay);
        for (const work of done) work();
      },
      /** The number of the line with which it was answered. */
      numberOf: (socket) => socket.#answer,
      change(socket, readyState, about) {
        socket.#readyState = readyState;
        if (about) socket.#about = { ...socket.#about, ...about };
      },
      /** Whether it is an end that nobody has. */
      isFree: (socket) => socket.#peer !== undefined && isUnused(socket) && isUnused(socket.#peer),
      isOpen: (socket) => socket.#readyState === OPEN,
      refresh(socket, attachment, tags) {
        socket.#attachment = attachment;
        socket.#tags = tags;
      },
      ended(socket) {
        socket.#isClosed = socket.#readyState === OPEN;
        socket.#readyState = CLOSED;
        if (socket.#stay !== undefined) host.cancel(socket.#stay);
      },
      /** The object stays in memory, and its code listens. */
      listen(socket) {
        socket.#stay = nextOperation();
        host.timer(socket.#stay, STAY_MS);
      },
      isListened: (socket) => socket.#stay !== undefined,
      tags(socket) {
        return [...socket.#tags];
      },
      /** Code listens to the end of an object, which does not say any more that the other one has closed it. */
      gone(socket) {
        socket.#isClosed = false;
      },
      /** What the response of `event` with this end says: its number (0 in an object, which has accepted it). */
      respond(socket, event) {
        if (socket.#line) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
        if (socket.#answer !== undefined) return current.object ? inside.respond(lines().relay(socket), event) : { socket: socket.#answer };
        const peer = socket.#peer;
        if (!current.object && peer && !peer.#line && peer.#answer === undefined) {
          const number = nextOperation();
          host.lineMake(number);
          if (peer.#waiting) lines().listen(peer, number);
          else peer.#answer = number;
          return { socket: number, is_own: true };
        }
        if (peer?.#waiting) {
          current.object.sockets.connect(peer, event);
          return { socket: 0 };
        }
        if (peer?.#id !== undefined) throw new TypeError('The WebSocket in the response is that of another response: make a WebSocketPair for each.');
        throw new TypeError('The other end of the WebSocket in the response was not accepted: call ctx.acceptWebSocket() with it in the object.');
      },
    };
    const isUnused = (socket) => socket.#id === undefined && socket.#answer === undefined && socket.#waiting === undefined && socket.#line === undefined;
  }

  /** Does `work` when it has its connection. */
  #when(work) {
    if (this.#waiting) this.#waiting.push(work);
    else if (this.#id !== undefined || this.#line?.isOpen) work();
    else throw new TypeError('You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.');
  }

  /** From now on its messages are events of this end. */
  accept() {
    if (this.#stay !== undefined || this.#line || this.#waiting) return;
    const peer = this.#peer;
    if (this.#answer !== undefined) {
      lines().listen(this, this.#answer);
    } else if (peer?.#waiting) {
      current.object?.sockets.forget(peer);
      lines().join(this, peer);
    } else if (current.object) {
      current.object.sockets.listen(this);
    } else {
      this.#waiting = [];
    }
  }

  send(message) {
    if (this.#readyState === CLOSING || (this.#readyState === CLOSED && this.#line)) throw new TypeError("Can't call WebSocket send() after close().");
    const bytes = view(message);
    const frame = bytes ? [null, binary(bytes)] : [String(message).toWellFormed(), null];
    this.#when(() => (this.#line ? this.#line.send(...frame) : host.socketSend(this.#instance, this.#id, ...frame)));
  }

  close(code, reason) {
    if (code === undefined && reason !== undefined) throw new DOMException('If you specify a WebSocket close reason, you must also specify a code.', 'InvalidAccessError');
    const number = code === undefined ? 1000 : Number(code);
    if (!(number >= 1000 && number < 5000) || [1004, 1005, 1006, 1015].includes(number)) {
      throw new DOMException(`Invalid WebSocket close code: ${code}.`, 'InvalidAccessError');
    }
    const why = String(reason ?? '').toWellFormed();
    if (encodeUtf8(why).length > REASON_BYTES_MAX) {
      throw new DOMException(`WebSocket close reason must not be longer than ${REASON_BYTES_MAX} bytes when UTF-8 encoded.`, 'SyntaxError');
    }
    if (this.#readyState !== OPEN) return;
    this.#when(() => (this.#line ? this.#line.close(code === undefined ? 1005 : number, why) : host.socketClose(this.#instance, this.#id, number, why)));
    this.#readyState = CLOSING;
  }

  serializeAttachment(value) {
    const text = encode(value);
    const isAccepted = this.#id !== undefined || this.#waiting !== undefined;
    if (!isAccepted) throw new TypeError('A WebSocket takes an attachment after it was accepted: call ctx.acceptWebSocket() first.');
    if (this.#id !== undefined) host.socketAttach(this.#instance, this.#id, text);
    else if (encodeUtf8(text).length > ATTACHMENT_MAX) throw new RangeError(`expected an attachment of at most ${ATTACHMENT_MAX} bytes; keep it in the database`);
    this.#attachment = text;
  }

  deserializeAttachment() {
    return this.#attachment === null ? null : decode(this.#attachment);
  }

  get readyState() {
    return this.#isClosed ? CLOSING : this.#readyState;
  }

  get url() {
    return this.#about.url;
  }

  get protocol() {
    return this.#about.protocol;
  }

  get extensions() {
    return this.#about.extensions;
  }

  get [Symbol.toStringTag]() {
    return 'WebSocket';
  }
}

for (const [name, state] of [['CONNECTING', 0], ['OPEN', OPEN], ['CLOSING', CLOSING], ['CLOSED', CLOSED]]) {
  for (const place of [WebSocket, WebSocket.prototype]) {
    Object.defineProperty(place, name, { value: state, enumerable: true });
    Object.defineProperty(place, `READY_STATE_${name}`, { value: state, enumerable: true });
  }
}

/** The two ends of a WebSocket: the client's, for the response, and the object's. */
export class WebSocketPair {
  constructor() {
    [this[0], this[1]] = inside.pair();
  }
}

export class WebSocketRequestResponsePair {
  #request;
  #response;

  constructor(request, response) {
    this.#request = String(request).toWellFormed();
    this.#response = String(response).toWellFormed();
  }

  get request() {
    return this.#request;
  }

  get response() {
    return this.#response;
  }
}

/** The sockets of an instance, each with one handle as long as it is in memory. */
export class Sockets {
  #instance;
  #known = new Map();
  /** Those that are accepted and have no connection yet. */
  #waiting = new Set();

  constructor(instance) {
    this.#instance = instance;
  }

  /** The handle of a socket, as its row says. */
  handle(id, attachment, tags) {
    let socket = this.#known.get(id);
    if (!socket) {
      socket = inside.accepted(this.#instance, id);
      this.#known.set(id, socket);
    }
    inside.refresh(socket, attachment, tags);
    return socket;
  }

  ended(id, attachment, tags) {
    const socket = this.handle(id, attachment, tags);
    inside.ended(socket);
    this.#known.delete(id);
    return socket;
  }

  accept(socket, tags) {
    if (!(socket instanceof WebSocket)) throw new TypeError('expected an end of a WebSocketPair');
    if (!inside.isFree(socket)) throw new TypeError('Cannot call `acceptWebSocket()` if the WebSocket was already accepted, or its pair is already in use.');
    const texts = (tags ?? []).map((tag) => String(tag).toWellFormed());
    if (texts.includes(LISTENED)) throw new TypeError('expected tags of your own, got one of the runtime');
    this.#accept(socket, texts);
  }

  /** Accepts a socket that code listens to. */
  listen(socket) {
    if (!inside.isFree(socket)) throw new TypeError('Cannot call `accept()` if the WebSocket was already accepted, or its pair is already in use.');
    this.#accept(socket, [LISTENED]);
    inside.listen(socket);
  }

  #accept(socket, texts) {
    if (texts.length > TAGS_MAX || texts.some((tag) => tag.length > TAG_LENGTH_MAX && [...tag].length > TAG_LENGTH_MAX)) {
      throw new TypeError(`expected at most ${TAGS_MAX} tags of at most ${TAG_LENGTH_MAX} characters each`);
    }
    inside.wait(socket, texts);
    this.#waiting.add(socket);
  }

  /** Code has both ends. */
  forget(socket) {
    this.#waiting.delete(socket);
  }

  /** A socket gets the connection that the request of `event` asks for. */
  connect(socket, event) {
    this.#waiting.delete(socket);
    this.#known.set(inside.connect(socket, this.#instance, event), socket);
  }

  /** Gives a message to the code that listens. Whether it is for such code. */
  heard(socket, tags, data) {
    if (!tags.includes(LISTENED)) return false;
    // Who has listened is gone with the object's value.
    const isBlob = typeof data !== 'string' && socket.binaryType === 'blob';
    if (inside.isListened(socket)) socket.dispatchEvent(new MessageEvent('message', { data: isBlob ? new (forms().Blob)([data]) : data }));
    else socket.close(1012, 'the object was made anew, and does not listen any more');
    return true;
  }

  /** Tells the code that listens of the end. Whether it is for such code. */
  gone(socket, tags, { code, reason }) {
    if (!tags.includes(LISTENED)) return false;
    inside.gone(socket);
    socket.dispatchEvent(new CloseEvent('close', { code, reason, wasClean: code !== 1006 }));
    return true;
  }

  list(tag) {
    const flat = host.sockets(this.#instance, tag === undefined ? null : String(tag).toWellFormed());
    const isWanted = (tags) => !tags.includes(LISTENED) && (tag === undefined || tags.includes(String(tag)));
    const found = [...this.#waiting].filter((socket) => inside.isOpen(socket) && isWanted(inside.tags(socket))).reverse();
    for (let at = 0; at < flat.length; at += 3) {
      const tags = JSON.parse(flat[at + 2]);
      if (!tags.includes(LISTENED)) found.push(this.handle(flat[at], flat[at + 1] === '' ? null : flat[at + 1], tags));
    }
    return found;
  }

  get autoResponse() {
    const pair = host.autoResponse(this.#instance);
    return pair.length ? new WebSocketRequestResponsePair(...pair) : null;
  }

  set autoResponse(pair) {
    if (pair !== undefined && pair !== null && !(pair instanceof WebSocketRequestResponsePair)) {
      throw new TypeError('expected a WebSocketRequestResponsePair');
    }
    host.setAutoResponse(this.#instance, pair ? [pair.request, pair.response] : []);
  }
}
