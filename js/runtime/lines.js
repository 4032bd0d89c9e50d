// WebSockets of which code has the other end than a client of an object: those that the worker accepts,
// those that code opens, at objects and other servers, and pairs of which it has both.
import { host } from 'dotdo:host';
import { answerOf } from 'dotdo:operations';
import { CloseEvent, ErrorEvent, Event, MessageEvent } from 'dotdo:events';
import { fetch } from 'dotdo:environment';
import { forms } from 'dotdo:lazy';
import { inside, WebSocketPair } from 'dotdo:sockets';

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;
const BROKEN_OFF = 'WebSocket disconnected without sending Close frame.';
const NOT_OPENED = 'Failed to establish websocket connection';

/** Tells what listens to `socket`; an exception in that breaks the line off. */
function dispatch(socket, line, event) {
  try {
    socket.dispatchEvent(event);
  } catch (error) {
    host.log('error', `uncaught in a listener of a WebSocket: ${error}\n${error?.stack ?? ''}`.toWellFormed());
    line.breakOff();
  }
}

/** What has come for a socket, which `line` is. */
function arrived(socket, line, { text, bytes, end }) {
  if (socket.readyState === CLOSED) return undefined;
  if (!end) {
    const data = text ?? (socket.binaryType === 'blob' ? new (forms().Blob)([bytes]) : bytes.buffer);
    return dispatch(socket, line, new MessageEvent('message', { data }));
  }
  inside.change(socket, CLOSED);
  const wasClean = end.code !== 1006;
  const reason = wasClean || end.reason ? end.reason : BROKEN_OFF;
  if (!wasClean) dispatch(socket, line, new ErrorEvent('error', { message: reason, error: new Error(reason) }));
  return dispatch(socket, line, new CloseEvent('close', { code: end.code, reason, wasClean }));
}

/** A line whose other end is outside of the realm, by its number. */
class Far {
  #number;
  isOpen = true;

  constructor(number) {
    this.#number = number;
  }

  send(text, binary) {
    host.lineSend(this.#number, text, binary);
  }

  close(code, reason) {
    host.lineClose(this.#number, code, reason);
  }

  breakOff() {
    host.lineDrop(this.#number);
  }
}

/** From now on, code hears what comes on the line with this number. */
export function listen(socket, number) {
  host.lineOpen(number);
  const line = new Far(number);
  inside.join(socket, line);
  hear(socket, number, line);
}

async function hear(socket, number, line) {
  for (;;) {
    const came = await answerOf((id) => host.lineNext(id, number));
    arrived(socket, line, came);
    if (came.end) return;
  }
}

/** One end of a pair of which code has both. */
class Near {
  #own;
  #other;
  isOpen = true;

  constructor(own, other) {
    this.#own = own;
    this.#other = other;
  }

  #tell(socket, came) {
    const line = socket === this.#own ? this : new Near(this.#other, this.#own);
    return Promise.resolve().then(() => arrived(socket, line, came));
  }

  send(text, binary) {
    this.#tell(this.#other, text === null ? { bytes: Uint8Array.from(binary, (letter) => letter.charCodeAt(0)) } : { text });
  }

  /** The other end answers by itself. */
  close(code, reason) {
    const came = { end: { code, reason } };
    this.#tell(this.#other, came).then(() => arrived(this.#own, this, came));
  }

  breakOff() {
    inside.change(this.#own, CLOSED);
    this.#tell(this.#other, { end: { code: 1006, reason: '' } });
  }
}

/** Code has both ends of a pair, of which `accepted` was accepted before. */
export function join(socket, accepted) {
  inside.join(socket, new Near(socket, accepted));
  inside.join(accepted, new Near(accepted, socket));
}

/** The end of a new pair that stands for `socket`, which an object passes on. */
export function relay(socket) {
  const [client, server] = Object.values(new WebSocketPair());
  for (const [from, to] of [[socket, server], [server, socket]]) {
    from.binaryType = 'arraybuffer';
    from.accept();
    from.addEventListener('message', ({ data }) => to.send(data));
    from.addEventListener('close', ({ code, reason }) => {
      if (code === 1005) to.close();
      else if (code === 1006) to.close(1012, 'the other end broke off');
      else to.close(code, reason);
    });
  }
  return client;
}

const refuse = (text) => {
  throw new DOMException(`WebSocket Constructor: ${text}`, 'SyntaxError');
};

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The URL and the protocols of a socket that code opens. */
function checked(text, protocols) {
  let url;
  try {
    url = new URL(text);
  } catch {
    refuse('The url is invalid.');
  }
  if (!['ws:', 'wss:'].includes(url.protocol)) refuse('The url scheme must be ws or wss.');
  if (url.hash !== '' || url.href.endsWith('#')) refuse('The url fragment must be empty.');
  const names = (Array.isArray(protocols) ? protocols : protocols === undefined ? [] : [protocols]).map(String);
  if (!names.every((name) => TOKEN.test(name))) refuse('The protocol header token is invalid.');
  if (new Set(names).size !== names.length) refuse('The protocols header cannot have repeating values.');
  return { url, names };
}

/** Opens the connection of `new WebSocket(…)`; its line. */
export function connect(socket, count, text, protocols) {
  if (count === 0) throw new TypeError("Failed to construct 'WebSocket': constructor parameter 1 is not of type 'string'.");
  const { url, names } = checked(text, protocols);
  inside.change(socket, CONNECTING, { url: url.href, protocol: null, extensions: null });
  const line = { isOpen: false, far: undefined };
  line.send = (...frame) => line.far.send(...frame);
  line.breakOff = () => line.far?.breakOff();
  line.close = (...end) => line.far.close(...end);
  open(socket, line, url, names).catch(() => {
    arrived(socket, line, { end: { code: 1006, reason: NOT_OPENED } });
  });
  return line;
}

async function open(socket, line, url, names) {
  const headers = { upgrade: 'websocket' };
  if (names.length) headers['sec-websocket-protocol'] = names.join(', ');
  const response = await fetch(url.href.replace(/^ws/, 'http'), { headers });
  const number = response.webSocket && inside.numberOf(response.webSocket);
  const protocol = response.headers.get('sec-websocket-protocol');
  if (!response.webSocket || (protocol !== null && !names.includes(protocol))) throw new TypeError(NOT_OPENED);
  inside.change(socket, OPEN, { protocol });
  host.lineOpen(number);
  line.far = new Far(number);
  line.isOpen = true;
  dispatch(socket, line, new Event('open'));
  hear(socket, number, line);
}
