import { createMergeableStore } from 'tinybase';
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client';
import WebSocket from 'ws';

export default async function (world, tell) {
  const { until } = world;
  const opened = [];
  const join = async (path, name) => {
    const store = createMergeableStore(name);
    const synchronizer = await createWsSynchronizer(store, new WebSocket(`ws://${world.host}/${path}`), 30);
    await synchronizer.startSync();
    opened.push(synchronizer);
    return store;
  };
  const alike = (...stores) => until('the same content', () => {
    const shown = stores.map((store) => JSON.stringify(store.getContent()));
    return shown.every((one) => one === shown[0] && one !== '[{},{}]') ? stores[0].getContent() : undefined;
  });
  const seen = (path, content) => {
    let told = Date.now();
    return until('the content of the server', async () => {
      // The server gives each of its questions a second, which a busy machine may miss, and asks only once.
      if (Date.now() - told > 2000) {
        await Promise.all(opened.map((synchronizer) => synchronizer.save()));
        told = Date.now();
      }
      const { body } = await world.ask(`/${path}`);
      return JSON.stringify(body.store) === JSON.stringify(content) ? body : undefined;
    });
  };
  for (const path of ['pieces', 'whole']) {
    const [ada, bob] = [await join(path, 'ada'), await join(path, 'bob')];
    ada.setTables({ pets: { fido: { species: 'dog', age: 3 }, felix: { species: 'cat', isSold: false } } });
    ada.setValue('open', true);
    await until('pets', () => bob.getCell('pets', 'felix', 'species') === 'cat' && bob.getValue('open'));
    tell(`${path}: both`, await alike(ada, bob));
    bob.setCell('pets', 'fido', 'age', 4);
    bob.delRow('pets', 'felix');
    bob.setRow('shops', 'one', { city: 'Malmö' });
    await until('a change', () => ada.getCell('shops', 'one', 'city'));
    const content = await alike(ada, bob);
    tell(`${path}: changed`, content);
    tell(`${path}: the server`, await seen(path, content));
  }
  for (const synchronizer of opened.splice(0)) await synchronizer.destroy();
  await until('nobody', async () => (await world.ask('/pieces')).body.clients === 0);
  await world.restart();
  for (const path of ['pieces', 'whole']) {
    const eve = await join(path, 'eve');
    tell(`${path}: after a kill`, await until('the content', () => eve.getCell('shops', 'one', 'city') && eve.getContent()));
    eve.setCell('shops', 'one', 'city', 'Lund');
    eve.delValue('open');
    tell(`${path}: changed after it`, await seen(path, eve.getContent()));
  }
  for (const synchronizer of opened) await synchronizer.destroy();
}
