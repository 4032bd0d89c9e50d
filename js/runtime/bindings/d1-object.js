// A database of D1, whose tables are the object's own.
import { host } from 'dotdo:host';
import { settings } from 'dotdo:environment';
import { BoundObject } from 'dotdo:bindings/object';

/** What is wrong, as D1 says it. */
function worded({ message }) {
  return /parameter/.test(message) && /expected/.test(message) ? 'Wrong number of parameter bindings for SQL query.' : message;
}

const isEmpty = (sql) => /^(\s|;|--[^\n]*(\n|$)|\/\*[\s\S]*?\*\/)*$/.test(sql);

const plain = (value) => (value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value);

const unwrapped = (value) => (value?.b === undefined ? value : Uint8Array.from(atob(value.b), (letter) => letter.charCodeAt(0)));

export class Database extends BoundObject {
  static actions = ['run'];

  #failure;

  constructor(ctx, env, instance) {
    super(ctx, env, instance);
    const { migrations = [], table } = settings.databases?.[this.name] ?? {};
    try {
      if (migrations.length) this.#migrate(table, migrations);
    } catch (error) {
      this.#failure = error.message;
      host.log('error', `D1 ${this.name}: ${error.message}`);
    }
  }

  /** Applies those that were not, in their order; each is one transaction. */
  #migrate(table, migrations) {
    const isThere = this.rows('SELECT 1 FROM sqlite_schema WHERE name = ?', table).length > 0;
    const applied = new Set(isThere ? this.rows(`SELECT name FROM "${table}"`).map(({ name }) => name) : []);
    const { storage } = this.ctx;
    if (!isThere) this.sql(`CREATE TABLE IF NOT EXISTS "${table}"(\n\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,\n\t\tname       TEXT UNIQUE,\n\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n)`);
    for (const { name, sql } of migrations.filter((one) => !applied.has(one.name))) {
      try {
        storage.transactionSync(() => {
          if (!isEmpty(sql)) this.sql(sql);
          this.sql(`INSERT INTO "${table}" (name) VALUES (?)`, name);
        });
      } catch (error) {
        throw new Error(`the migration ${name} can not be applied, and nothing was done since: ${worded(error)}`);
      }
      host.log('info', `D1 ${this.name}: applied the migration ${name}`);
    }
  }

  /** All statements or none. */
  run({ statements }) {
    if (this.#failure) return { failed: this.#failure, at: 0 };
    if (!statements.length) return { failed: 'No SQL statements detected.', at: 0 };
    const results = [];
    try {
      this.ctx.storage.transactionSync(() => {
        for (const statement of statements) results.push(this.#one(statement));
      });
    } catch (error) {
      return { failed: worded(error), at: results.length };
    }
    return { results };
  }

  #one({ sql, parameters }) {
    if (isEmpty(sql)) throw new Error('No SQL statements detected.');
    const before = this.#counts();
    const cursor = this.sql(sql, ...parameters.map(unwrapped));
    const rows = cursor.raw().toArray().map((row) => row.map(plain));
    const { changes, total, last } = this.#counts();
    const changed = total - before.total;
    return {
      columns: cursor.columnNames,
      rows,
      meta: {
        served_by: 'dotdo',
        duration: 0,
        changes: changed > 0 ? changes : 0,
        last_row_id: last,
        changed_db: changed > 0 || cursor.rowsWritten > 0 || /^\s*(create|drop|alter)\b/i.test(sql),
        size_after: this.ctx.storage.sql.databaseSize,
        rows_read: cursor.rowsRead,
        rows_written: cursor.rowsWritten,
      },
    };
  }

  #counts() {
    return this.rows('SELECT changes() AS changes, total_changes() AS total, last_insert_rowid() AS last')[0];
  }

}
