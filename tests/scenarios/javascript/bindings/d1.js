import { all, bytes } from './shown.js';

/** A result without what differs from run to run. */
const plain = ({ meta, ...rest }) => {
  const { duration, size_after, served_by, rows_read, timings, ...kept } = meta;
  return { ...rest, meta: kept, kinds: [typeof duration, typeof size_after, typeof served_by, typeof rows_read] };
};

let count = 0;
/** A table of its own for a case. */
async function table(db, columns = 'id INTEGER PRIMARY KEY, a TEXT, b INTEGER') {
  const name = `t${++count}_${Math.random().toString(36).slice(2)}`;
  await db.prepare(`CREATE TABLE ${name} (${columns})`).run();
  return name;
}

const withThree = async (db) => {
  const t = await table(db);
  await db.batch(['x', 'y', 'z'].map((a, n) => db.prepare(`INSERT INTO ${t} (a, b) VALUES (?, ?)`).bind(a, n + 1)));
  return t;
};

const withoutTable = (error, t) => [error.name, error.message.replaceAll(t || '\0', 't'), error.cause?.message?.replaceAll(t || '\0', 't')];

const failing = async (t, work) => {
  try {
    await work();
    return 'nothing thrown';
  } catch (error) {
    return withoutTable(error, t);
  }
};

export const d1Cases = {
  kind: ({ DB }) => [DB.constructor.name, DB.prepare('SELECT 1').constructor.name, Object.prototype.toString.call(DB)],
  async create({ DB }) {
    const { success, results, meta } = await DB.prepare('CREATE TABLE created (a)').run();
    return [success, results, meta.changes, meta.changed_db];
  },
  async insert({ DB }) {
    const t = await table(DB);
    return plain(await DB.prepare(`INSERT INTO ${t} (a, b) VALUES (?, ?), ('q', 4)`).bind('p', 3).run());
  },
  async all({ DB }) {
    const t = await withThree(DB);
    return plain(await DB.prepare(`SELECT * FROM ${t} ORDER BY id`).all());
  },
  async run_selects({ DB }) {
    const t = await withThree(DB);
    return plain(await DB.prepare(`SELECT a FROM ${t} WHERE b > ?1`).bind(1).run());
  },
  async first({ DB }) {
    const t = await withThree(DB);
    const select = DB.prepare(`SELECT a, b FROM ${t} ORDER BY b DESC`);
    const none = DB.prepare(`SELECT a FROM ${t} WHERE b = 99`);
    return [await select.first(), await select.first('a'), await select.first('b'), await none.first(), await none.first('a')];
  },
  async first_of_no_column({ DB }) {
    const t = await withThree(DB);
    return failing(t, () => DB.prepare(`SELECT a FROM ${t}`).first('missing'));
  },
  async raw({ DB }) {
    const t = await withThree(DB);
    const select = DB.prepare(`SELECT a, b FROM ${t} ORDER BY id`);
    return [await select.raw(), await select.raw({ columnNames: true }), await select.raw({ columnNames: false })];
  },
  async raw_of_nothing({ DB }) {
    const t = await table(DB);
    return [await DB.prepare(`SELECT a FROM ${t}`).raw({ columnNames: true }), await DB.prepare(`SELECT a FROM ${t}`).raw()];
  },
  async same_names({ DB }) {
    return [await DB.prepare('SELECT 1 AS a, 2 AS a').raw(), (await DB.prepare('SELECT 1 AS a, 2 AS a').all()).results];
  },
  async values({ DB }) {
    const t = await table(DB, 'v');
    const put = DB.prepare(`INSERT INTO ${t} (v) VALUES (?)`);
    for (const value of [null, 1, 1.5, -0.25, 'text', '', true, false, bytes(1, 2), bytes(3).buffer, [4, 5], 2 ** 53]) await put.bind(value).run();
    return DB.prepare(`SELECT v, typeof(v) FROM ${t} ORDER BY rowid`).raw();
  },
  async values_that_are_none({ DB }) {
    const select = DB.prepare('SELECT ?');
    return all([() => select.bind(undefined), () => select.bind({ a: 1 }), () => select.bind(10n), () => select.bind(() => 1), () => select.bind(NaN).raw(), () => select.bind(Infinity).raw()]);
  },
  async numbered({ DB }) {
    return DB.prepare('SELECT ?2 AS b, ?1 AS a, ?2 AS c').bind('one', 'two').first();
  },
  async too_few({ DB }) {
    return failing('', () => DB.prepare('SELECT ?, ?').bind(1).all());
  },
  async too_many({ DB }) {
    return failing('', () => DB.prepare('SELECT ?').bind(1, 2).all());
  },
  async bind_makes_another({ DB }) {
    const one = DB.prepare('SELECT ? AS v');
    const [a, b] = [one.bind('a'), one.bind('b')];
    return [a === one, await b.first('v'), await a.first('v')];
  },
  async syntax_error({ DB }) {
    return (await failing('', () => DB.prepare('SELEC 1').all()))[1].replace(/: syntax error.*/, ': syntax error');
  },
  async no_table({ DB }) {
    return failing('', () => DB.prepare('SELECT * FROM nowhere').first());
  },
  async constraint({ DB }) {
    const t = await table(DB, 'a TEXT UNIQUE, b NOT NULL');
    await DB.prepare(`INSERT INTO ${t} VALUES ('x', 1)`).run();
    return [
      await failing(t, () => DB.prepare(`INSERT INTO ${t} VALUES ('x', 2)`).run()),
      await failing(t, () => DB.prepare(`INSERT INTO ${t} VALUES ('y', NULL)`).run()),
    ];
  },
  async empty_statement({ DB }) {
    return [await failing('', () => DB.prepare('').all()), await failing('', () => DB.prepare(' -- nothing').all())];
  },
  async two_statements({ DB }) {
    return failing('', () => DB.prepare('SELECT 1; SELECT 2').all());
  },
  async batch({ DB }) {
    const t = await table(DB);
    const results = await DB.batch([
      DB.prepare(`INSERT INTO ${t} (a, b) VALUES ('x', 1)`),
      DB.prepare(`INSERT INTO ${t} (a, b) VALUES (?, ?)`).bind('y', 2),
      DB.prepare(`UPDATE ${t} SET b = b + 10`),
      DB.prepare(`SELECT a, b FROM ${t} ORDER BY a`),
      DB.prepare(`DELETE FROM ${t} WHERE a = 'x'`),
    ]);
    return results.map(plain);
  },
  async batch_is_one_transaction({ DB }) {
    const t = await withThree(DB);
    const failed = await failing(t, () => DB.batch([DB.prepare(`DELETE FROM ${t}`), DB.prepare('SELECT * FROM nowhere')]));
    return [failed, (await DB.prepare(`SELECT count(*) AS n FROM ${t}`).first('n'))];
  },
  batch_of_nothing: ({ DB }) => all([() => DB.batch([])]),
  async exec({ DB }) {
    const result = await DB.exec("CREATE TABLE executed (a, b)\nINSERT INTO executed VALUES (1, 'x')\nINSERT INTO executed VALUES (2, 'y'), (3, 'z')");
    return [result.count, typeof result.duration, (await DB.prepare('SELECT count(*) AS n FROM executed').first('n'))];
  },
  async exec_fails({ DB }) {
    const failed = await failing('', () => DB.exec('INSERT INTO nowhere VALUES (1)\nCREATE TABLE half (a)'));
    return [failed, await failing('', () => DB.prepare('SELECT * FROM half').all())];
  },
  async returning({ DB }) {
    const t = await table(DB);
    return plain(await DB.prepare(`INSERT INTO ${t} (a) VALUES ('new') RETURNING id, a`).all());
  },
  async changes({ DB }) {
    const t = await withThree(DB);
    const run = async (sql) => {
      const { meta } = await DB.prepare(sql).run();
      return [meta.changes, meta.changed_db, meta.last_row_id, meta.rows_written];
    };
    return [await run(`UPDATE ${t} SET b = 0`), await run(`UPDATE ${t} SET b = 0 WHERE a = 'none'`), await run(`SELECT * FROM ${t}`), await run(`DELETE FROM ${t} WHERE a <> 'x'`), await run(`INSERT INTO ${t} (id) VALUES (77)`)];
  },
  async upsert({ DB }) {
    const t = await table(DB, 'k TEXT PRIMARY KEY, n INTEGER');
    const up = DB.prepare(`INSERT INTO ${t} VALUES (?, 1) ON CONFLICT (k) DO UPDATE SET n = n + 1 RETURNING n`);
    return [await up.bind('a').first('n'), await up.bind('a').first('n'), await up.bind('b').first('n')];
  },
  async blobs({ DB }) {
    const t = await table(DB, 'v BLOB');
    await DB.prepare(`INSERT INTO ${t} VALUES (?)`).bind(bytes(0, 127, 255)).run();
    return [await DB.prepare(`SELECT v FROM ${t}`).first('v'), await DB.prepare(`SELECT hex(v) AS h FROM ${t}`).first('h')];
  },
  async json_functions({ DB }) {
    return DB.prepare("SELECT json_extract(?, '$.a[1]') AS v, (SELECT group_concat(value) FROM json_each('[1,2]')) AS w").bind('{"a":[1,"two"]}').first();
  },
  async foreign_keys({ DB }) {
    return failing('', () => DB.prepare('INSERT INTO pets (person) VALUES (999)').run());
  },
  async migrated({ DB }) {
    return [
      (await DB.prepare('SELECT id, name FROM d1_migrations ORDER BY id').all()).results,
      await DB.prepare("SELECT sql FROM sqlite_schema WHERE name = 'd1_migrations'").first('sql'),
      (await DB.prepare('SELECT name, age FROM people ORDER BY id').all()).results,
      await DB.prepare("INSERT INTO pets (person) VALUES (1) RETURNING name").first('name'),
    ];
  },
  async transactions_are_refused({ DB }) {
    return [await failing('', () => DB.prepare('BEGIN').run()).then((it) => it[0]), await failing('', () => DB.exec('COMMIT')).then((it) => it[0])];
  },
  async session({ DB }) {
    const session = DB.withSession();
    const first = session.getBookmark();
    const t = await withThree(DB);
    const rows = (await session.prepare(`SELECT a FROM ${t} ORDER BY a`).all()).results;
    const batch = await session.batch([session.prepare('SELECT 1 AS one')]);
    return [first, rows, batch[0].results, typeof session.getBookmark(), session.constructor.name];
  },
  async session_kinds({ DB }) {
    return all(['first-primary', 'first-unconstrained', undefined, null, ''].map((kind) => () => DB.withSession(kind).prepare('SELECT 7 AS v').first('v')));
  },
  async two_at_once({ DB }) {
    const t = await table(DB, 'n INTEGER');
    await DB.prepare(`INSERT INTO ${t} VALUES (0)`).run();
    await Promise.all(Array.from({ length: 10 }, () => DB.prepare(`UPDATE ${t} SET n = n + 1`).run()));
    return DB.prepare(`SELECT n FROM ${t}`).first('n');
  },
  async null_and_like({ DB }) {
    const t = await withThree(DB);
    return [(await DB.prepare(`SELECT a FROM ${t} WHERE a LIKE ?`).bind('Y').all()).results, await DB.prepare('SELECT NULL AS v, ? IS NULL AS w').bind(null).first()];
  },
};
