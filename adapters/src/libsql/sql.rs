//! The text of all statements.

/// The database's time, in milliseconds since 1970.
pub(super) const NOW: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)";
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS dotdo_objects (place TEXT NOT NULL, key TEXT NOT NULL, part INTEGER NOT NULL, bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (place, key, part))";
pub(super) const CREATE: &str = "INSERT INTO dotdo_objects (place, key, part, bytes, modified_ms, body) VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), CASE WHEN CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) <= ?6 THEN ?5 END) ON CONFLICT DO NOTHING";
pub(super) const INSERT: &str = "INSERT INTO dotdo_objects (place, key, part, bytes, modified_ms, body) VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), CASE WHEN CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) <= ?6 THEN ?5 END)";
pub(super) const REPLACE: &str = "INSERT INTO dotdo_objects (place, key, part, bytes, modified_ms, body) VALUES (?1, ?2, 0, ?3, CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), ?4) ON CONFLICT (place, key, part) DO UPDATE SET bytes = excluded.bytes, modified_ms = excluded.modified_ms, body = excluded.body WHERE dotdo_objects.bytes <= ?5";
pub(super) const REMOVE: &str = "DELETE FROM dotdo_objects WHERE place = ?1 AND key = ?2";
pub(super) const GET: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), bytes, modified_ms, CASE WHEN bytes <= ?3 THEN body END FROM (SELECT 1) LEFT JOIN dotdo_objects ON place = ?1 AND key = ?2 AND part = 0";
pub(super) const GET_PART: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), more.body FROM dotdo_objects AS first, dotdo_objects AS more WHERE first.place = ?1 AND first.key = ?2 AND first.part = 0 AND first.bytes = ?3 AND first.modified_ms = ?4 AND more.place = ?1 AND more.key = ?2 AND more.part = ?5";
pub(super) const LIST: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), key, bytes, modified_ms FROM dotdo_objects WHERE place = ?1 AND key > ?2 AND key < ?3 AND part = 0 ORDER BY key LIMIT ?4";
/// Goes from key to key: from one in a folder behind all of the folder, `0` follows `/`.
pub(super) const FOLDERS: &str = "WITH RECURSIVE found(key) AS (SELECT (SELECT key FROM dotdo_objects WHERE place = ?1 AND key > ?2 AND key < ?3 ORDER BY key LIMIT 1) UNION ALL SELECT (SELECT next.key FROM dotdo_objects AS next WHERE next.place = ?1 AND next.key > CASE instr(substr(found.key, ?4), '/') WHEN 0 THEN found.key ELSE substr(found.key, 1, ?4 + instr(substr(found.key, ?4), '/') - 2) || '0' END AND next.key < ?3 ORDER BY next.key LIMIT 1) FROM found WHERE found.key IS NOT NULL) SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), substr(key, ?4, instr(substr(key, ?4), '/') - 1) FROM found WHERE instr(substr(key, ?4), '/') > 0 LIMIT ?5";
pub(super) const DELETE: &str =
    "DELETE FROM dotdo_objects WHERE place = ?1 AND key IN (SELECT value FROM json_each(?2))";
