import { createMergeableStore, type MergeableStore } from 'tinybase';
import { createDurableObjectSqlStoragePersister } from 'tinybase/persisters/persister-durable-object-sql-storage';
import { getWsServerDurableObjectFetch, WsServerDurableObject } from 'tinybase/synchronizers/synchronizer-ws-server-durable-object';

const synchronize = getWsServerDurableObjectFetch('TinyBaseDurableObjects');

export class TinyBaseDurableObject extends WsServerDurableObject<Env> {
  #store?: MergeableStore;

  createPersister() {
    this.#store = createMergeableStore('server');
    // One of each kind, by the name of the path.
    const mode = this.getPathId() === 'whole' ? 'json' : 'fragmented';
    return createDurableObjectSqlStoragePersister(this.#store, this.ctx.storage.sql, { mode, storagePrefix: 'tiny_' });
  }

  /** What is in memory, and how many rows are stored. */
  async seen() {
    const names = this.ctx.storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'tiny%' ORDER BY name").toArray();
    return { store: this.#store && JSON.parse(this.#store.getJson()), clients: this.getClientIds().length, tables: names.map(({ name }) => [name, this.ctx.storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${name}`).one().n]) };
  }
}

export default {
  async fetch(request, env) {
    if (request.headers.get('upgrade') === 'websocket') return synchronize(request, env);
    return Response.json(await env.TinyBaseDurableObjects.getByName(new URL(request.url).pathname.slice(1)).seen());
  },
} satisfies ExportedHandler<Env>;
