import WebSocket from 'ws';
import YProvider from 'y-partyserver/provider';
import * as Y from 'yjs';

class Writer {
  constructor(world, clientID) {
    this.doc = new Y.Doc();
    this.doc.clientID = clientID;
    this.heard = [];
    this.provider = new YProvider(world.host, 'notes', this.doc, { party: 'document', WebSocketPolyfill: WebSocket, disableBc: true, maxBackoffTimeout: 100 });
    this.provider.on('custom-message', (message) => this.heard.push(message));
    this.synced = () => world.until('a synced document', () => this.provider.wsconnected && this.provider.synced);
  }

  get text() {
    return this.doc.getText('text');
  }

  shown() {
    return { text: this.text.toString(), list: this.doc.getArray('list').toJSON(), map: this.doc.getMap('map').toJSON() };
  }
}

/** Rooms leave memory as soon as others are asked. */
export const settings = { DOTDO_LIMITS_OBJECTS_MAX: '2' };

export default async function (world, tell) {
  const { until } = world;
  const alike = (...writers) => until('the same document', () => {
    const shown = writers.map((writer) => JSON.stringify(writer.shown()));
    return shown.every((one) => one === shown[0]) ? writers[0].shown() : undefined;
  });
  const stored = async (expected) => {
    const answer = await until('the stored document', async () => {
      const found = await world.ask('/parties/document/notes');
      return JSON.stringify(found.body) === JSON.stringify(expected) ? found : undefined;
    });
    return answer.body;
  };
  tell('nothing stored', await world.ask('/parties/document/notes'));
  const [ada, bob] = [new Writer(world, 1), new Writer(world, 2)];
  await Promise.all([ada.synced(), bob.synced()]);
  ada.text.insert(0, 'Hello world');
  ada.doc.getArray('list').push([1, { two: [3] }]);
  await until('the text', () => bob.text.toString() === 'Hello world');
  bob.text.insert(5, ' there,');
  bob.doc.getMap('map').set('by', 'bob');
  await until('the answer', () => ada.text.toString() === 'Hello there, world');
  tell('both', await alike(ada, bob));
  tell('stored', await stored(ada.shown()));
  bob.provider.awareness.setLocalState({ name: 'Bob', cursor: 3 });
  tell('who is there', await until('awareness', () => ada.provider.awareness.getStates().get(2)?.name && ada.provider.awareness.getStates().get(2)));
  ada.provider.sendMessage('hey');
  await until('messages', () => ada.heard.length + bob.heard.length > 1);
  tell('messages', [ada.heard, bob.heard]);
  // Both change what the other does not see, and the object leaves memory meanwhile.
  ada.provider.disconnect();
  bob.provider.disconnect();
  ada.text.delete(0, 5);
  ada.text.insert(0, 'Goodbye');
  bob.text.insert(bob.text.length, '!');
  bob.text.format(0, 5, { bold: true });
  for (const name of ['a', 'b', 'c', 'd']) await world.ask(`/parties/document/${name}`);
  ada.provider.connect();
  bob.provider.connect();
  await Promise.all([ada.synced(), bob.synced()]);
  await until('what bob has written', () => ada.text.toString().endsWith('!'));
  await until('what ada has written', () => bob.text.toString().startsWith('Goodbye'));
  tell('merged', await alike(ada, bob));
  tell('merged, formats', [ada.text.toDelta(), bob.text.toDelta()]);
  tell('merged, stored', await stored(ada.shown()));
  await world.kill();
  await until('broken connections', () => !ada.provider.wsconnected && !bob.provider.wsconnected);
  ada.doc.getMap('map').set('while', 'nobody listens');
  await world.start();
  await Promise.all([ada.synced(), bob.synced()]);
  await until('what came meanwhile', () => bob.doc.getMap('map').get('while'));
  tell('after a kill', await alike(ada, bob));
  tell('stored after a kill', await stored(ada.shown()));
  ada.provider.destroy();
  bob.provider.destroy();
  await world.restart();
  const eve = new Writer(world, 3);
  await eve.synced();
  tell('who comes later', await until('the document', () => eve.text.length > 0 && eve.shown()));
  eve.provider.destroy();
}
