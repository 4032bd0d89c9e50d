import { routePartykitRequest, type Connection } from 'partyserver';
import { YServer } from 'y-partyserver';
import * as Y from 'yjs';

export class Document extends YServer<Env> {
  static options = { hibernate: true };
  static callbackOptions = { debounceWait: 20, debounceMaxWait: 200, timeout: 1000 };

  async onStart() {
    this.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, content BLOB NOT NULL)');
    return super.onStart();
  }

  async onLoad() {
    const [stored] = this.ctx.storage.sql.exec<{ content: ArrayBuffer }>('SELECT content FROM documents WHERE id = ?', this.name).toArray();
    if (stored) Y.applyUpdate(this.document, new Uint8Array(stored.content));
  }

  async onSave() {
    this.ctx.storage.sql.exec('INSERT OR REPLACE INTO documents VALUES (?, ?)', this.name, Y.encodeStateAsUpdate(this.document));
  }

  onCustomMessage(connection: Connection, message: string) {
    this.sendCustomMessage(connection, `${message} of ${this.name}`);
    this.broadcastCustomMessage(`${message} to others`, connection);
  }

  /** What is stored, not what is in memory. */
  onRequest() {
    const [stored] = this.ctx.storage.sql.exec<{ content: ArrayBuffer }>('SELECT content FROM documents').toArray();
    const document = new Y.Doc();
    if (stored) Y.applyUpdate(document, new Uint8Array(stored.content));
    return Response.json({ text: document.getText('text'), list: document.getArray('list'), map: document.getMap('map') });
  }
}

export default {
  async fetch(request, env) {
    return (await routePartykitRequest(request, env)) ?? new Response('Not Found', { status: 404 });
  },
} satisfies ExportedHandler<Env>;
