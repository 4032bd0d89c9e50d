//! The operations of a bucket as statements.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_core::{Bucket, Entry, Key, Names, Part, StoreError, StoreTime, Stored};
use uuid::Uuid;

use super::answer::{Failure, Rows, Value};
use super::link::Link;
use super::sql::{CREATE, DELETE, FOLDERS, GET, GET_PART, INSERT, LIST, REMOVE, REPLACE, TABLE};
use super::statement::{Argument, Pipeline, Statement};
use super::writer::Writer;

/// Size of the parts of a large object, in bytes. sqld takes no row of more than 5,000,000 bytes,
/// and gives no answer of more than 10 MB.
const PART_BYTES: usize = 4 << 20;

/// Maximum size of an object, in bytes: it is sent in one request, with a third more in base64, and
/// kept in memory there and here.
const OBJECT_BYTES_MAX: usize = 32 << 20;

/// Number of entries of a listing in one answer, and of keys in one delete.
const PAGE: usize = 1000;

/// The database's clock has milliseconds; another one is for rounding.
const TIME_ERROR: Duration = Duration::from_millis(2);

/// A write that arrives so many milliseconds after it was sent does nothing, by the database's
/// clock: as long as stores take a signed request. After a longer time, what it was to write may
/// have been written by others, and deleted.
const LATE_MS: i64 = 15 * 60 * 1000;

/// A database as a bucket.
pub(super) struct Database {
    link: Arc<Link>,
    writer: Writer,
    /// The store whose log this is: one database can serve several.
    place: String,
    location: String,
    time: Arc<StoreTime>,
}

/// What is asked, for errors.
#[derive(Clone, Copy)]
struct Asked<'a> {
    operation: &'static str,
    key: &'a Key,
}

impl Asked<'_> {
    fn failed(self, failure: Failure) -> StoreError {
        let (operation, key) = (self.operation, self.key.clone());
        match failure {
            Failure::Taken => StoreError::Exists { key },
            Failure::Refused(reason) => StoreError::Refused { operation, key, reason },
            Failure::Unclear(reason) | Failure::Busy(reason) => {
                StoreError::Unavailable { operation, key, reason }
            }
            Failure::NoTable => {
                let reason = "the database has no table dotdo_objects".to_owned();
                StoreError::Unavailable { operation, key, reason }
            }
        }
    }
}

impl Database {
    pub(super) fn new(link: Link, place: &str) -> Self {
        let location = link.address().replacen("https://", "libsql://", 1);
        let time = Arc::new(StoreTime::new(link.clock()));
        let link = Arc::new(link);
        let writer = Writer::new(Arc::clone(&link), Arc::clone(&time));
        Self { link, writer, place: place.to_owned(), location, time }
    }

    fn place(&self) -> Argument {
        Argument::from(self.place.as_str())
    }

    /// Reads; the first value of the first row is the time.
    async fn read(&self, statement: Statement) -> Result<Rows, Failure> {
        let rows = self.link.send(&Pipeline::read(statement)).await?.statement(1)?;
        if let Some(now_ms) = rows.first_number() {
            self.time.saw(now_ms);
        }
        Ok(rows)
    }

    /// The outcome of an attempt; of a second one if there was no table.
    async fn with_table<T, F: Future<Output = Result<T, Failure>> + Send>(
        &self,
        attempt: impl Fn() -> F + Send,
    ) -> Result<T, Failure> {
        match attempt().await {
            Err(Failure::NoTable) => {}
            outcome => return outcome,
        }
        self.writer.write(&Statement::new(TABLE, [])).await?;
        attempt().await
    }

    /// The time after which a create does nothing.
    fn latest_ms(&self) -> i64 {
        self.time.now_ms().map_or(i64::MAX, |now_ms| now_ms.saturating_add(LATE_MS))
    }

    /// The parts of an object, each of which is inserted by a statement.
    fn parts(&self, insert: Insert, key: &Key, bytes: &Bytes) -> Vec<Statement> {
        let part = |(number, part): (usize, &[u8])| {
            let args = [
                self.place(),
                Argument::from(key.as_str()),
                Argument::from(number as u64),
                Argument::from(bytes.len() as u64),
                Argument::from(part),
                Argument::from(insert.latest_ms),
            ];
            Statement::new(insert.sql, args)
        };
        if bytes.is_empty() {
            return vec![part((0, &[]))];
        }
        bytes.chunks(PART_BYTES).enumerate().map(part).collect()
    }

    fn check(asked: Asked<'_>, bytes: &Bytes) -> Result<(), StoreError> {
        if bytes.len() <= OBJECT_BYTES_MAX {
            return Ok(());
        }
        Err(asked.failed(Failure::Refused(format!(
            "expected at most {OBJECT_BYTES_MAX} bytes, as much as the database takes at once, got {}; change less in one request",
            bytes.len()
        ))))
    }

    async fn create_whole(&self, key: &Key, bytes: &Bytes) -> Result<(), Failure> {
        let latest_ms = self.latest_ms();
        if bytes.len() > PART_BYTES {
            let parts = self.parts(Insert { sql: INSERT, latest_ms }, key, bytes);
            return self.with_table(|| self.writer.transact(&parts)).await;
        }
        let [create] = &self.parts(Insert { sql: CREATE, latest_ms }, key, bytes)[..] else {
            return Err(Failure::Refused("expected one part".to_owned()));
        };
        let created = self.with_table(|| self.writer.write(create)).await?;
        if created.affected_row_count == 1 { Ok(()) } else { Err(Failure::Taken) }
    }

    async fn put_whole(&self, key: &Key, bytes: &Bytes) -> Result<(), Failure> {
        if bytes.len() <= PART_BYTES {
            let args = [
                self.place(),
                Argument::from(key.as_str()),
                Argument::from(bytes.len() as u64),
                Argument::from(&bytes[..]),
                Argument::from(PART_BYTES as u64),
            ];
            let replace = Statement::new(REPLACE, args);
            let replaced = self.with_table(|| self.writer.write(&replace)).await?;
            if replaced.affected_row_count == 1 {
                return Ok(());
            }
        }
        // What is there, or what comes, has several parts.
        let remove = Statement::new(REMOVE, [self.place(), Argument::from(key.as_str())]);
        let parts = self.parts(Insert { sql: INSERT, latest_ms: i64::MAX }, key, bytes);
        let statements: Vec<Statement> = [remove].into_iter().chain(parts).collect();
        self.with_table(|| self.writer.transact(&statements)).await
    }

    /// The parts of an object after the first.
    async fn more(&self, key: &Key, head: Head) -> Result<Bytes, Failure> {
        let mut bytes = head.body;
        for part in 1..head.bytes.div_ceil(PART_BYTES as u64) {
            let args = [
                self.place(),
                Argument::from(key.as_str()),
                Argument::from(head.bytes),
                Argument::from(head.modified_ms),
                Argument::from(part),
            ];
            let rows = self.read(Statement::new(GET_PART, args)).await?;
            let body = rows.rows.first().and_then(|row| row.get(1)?.bytes());
            let replaced =
                || Failure::Unclear("the object was replaced while it was read".to_owned());
            bytes.extend(body.ok_or_else(replaced)?);
        }
        if bytes.len() as u64 != head.bytes {
            let text = format!("expected {} bytes, got {}", head.bytes, bytes.len());
            return Err(Failure::Unclear(text));
        }
        Ok(bytes.into())
    }

    async fn page(&self, below: &str, after: &str, limit: usize) -> Result<Vec<Entry>, Failure> {
        let from = after.max(below);
        let to = behind(below);
        let args = [
            self.place(),
            Argument::from(from),
            Argument::from(to.as_str()),
            Argument::from(limit as u64),
        ];
        let rows = match self.read(Statement::new(LIST, args)).await {
            Err(Failure::NoTable) => return Ok(Vec::new()),
            rows => rows?,
        };
        let entries: Option<Vec<Entry>> = rows.rows.iter().map(|row| entry(row)).collect();
        entries.ok_or_else(|| Failure::Unclear("expected keys, sizes and times".to_owned()))
    }

    async fn folders(
        &self,
        below: &str,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, Failure> {
        let begin = format!("{below}{}", names.begin);
        let after = names.after.map(|name| behind(&format!("{below}{name}/")));
        let to = if names.begin.is_empty() { behind(below) } else { behind(&begin) };
        let args = [
            self.place(),
            Argument::from(after.unwrap_or(begin).as_str()),
            Argument::from(to.as_str()),
            Argument::from(below.chars().count() as u64 + 1),
            Argument::from(limit as u64),
        ];
        let rows = match self.read(Statement::new(FOLDERS, args)).await {
            Err(Failure::NoTable) => return Ok(Vec::new()),
            rows => rows?,
        };
        let found = rows.rows.iter().map(|row| row.get(1)?.text().map(str::to_owned));
        found
            .collect::<Option<Vec<String>>>()
            .ok_or_else(|| Failure::Unclear("expected names of folders".to_owned()))
    }
}

/// How the keys below `prefix` begin.
fn below(prefix: &Key) -> String {
    match prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}

/// A key behind everything that begins with `below`.
fn behind(below: &str) -> String {
    match below.strip_suffix('/') {
        // `0` follows `/`.
        Some(prefix) => format!("{prefix}0"),
        None => format!("{below}{}", char::MAX),
    }
}

/// A statement that inserts a part, unless it arrives after a time: a row without a body is refused.
#[derive(Clone, Copy)]
struct Insert {
    sql: &'static str,
    latest_ms: i64,
}

/// The first row of an object.
struct Head {
    bytes: u64,
    modified_ms: i64,
    body: Vec<u8>,
}

fn entry(row: &[Value]) -> Option<Entry> {
    let [_, key, bytes, modified_ms] = row else { return None };
    Some(Entry {
        key: Key::new(key.text()?),
        bytes: u64::try_from(bytes.number()?).ok()?,
        modified_ms: modified_ms.number()?,
    })
}

#[async_trait]
impl Bucket for Database {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let asked = Asked { operation: "create", key };
        Self::check(asked, &bytes)?;
        self.create_whole(key, &bytes).await.map_err(|failure| asked.failed(failure))
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let asked = Asked { operation: "put", key };
        Self::check(asked, &bytes)?;
        self.put_whole(key, &bytes).await.map_err(|failure| asked.failed(failure))
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        let asked = Asked { operation: "get", key };
        let args = [self.place(), Argument::from(key.as_str()), Argument::from(bytes_max)];
        let rows = match self.read(Statement::new(GET, args)).await {
            Err(Failure::NoTable) => return Ok(None),
            rows => rows.map_err(|failure| asked.failed(failure))?,
        };
        let unclear =
            || asked.failed(Failure::Unclear("expected a size, a time and bytes".to_owned()));
        let [_, bytes, modified_ms, body] =
            rows.rows.first().map(Vec::as_slice).ok_or_else(unclear)?
        else {
            return Err(unclear());
        };
        if matches!(bytes, Value::Null) {
            return Ok(None);
        }
        let bytes =
            bytes.number().and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(unclear)?;
        if bytes > bytes_max {
            return Err(StoreError::TooLarge { key: key.clone(), bytes, bytes_max });
        }
        let modified_ms = modified_ms.number().ok_or_else(unclear)?;
        let head = Head { bytes, modified_ms, body: body.bytes().ok_or_else(unclear)? };
        let bytes = self.more(key, head).await.map_err(|failure| asked.failed(failure))?;
        Ok(Some(Stored { bytes, modified_ms }))
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let below = below(prefix);
        let mut entries: Vec<Entry> = Vec::new();
        while entries.len() < limit {
            let wanted = (limit - entries.len()).min(PAGE);
            let last = entries.last().map(|entry| &entry.key).or(after);
            let page = self.page(&below, last.map_or("", Key::as_str), wanted).await;
            let page =
                page.map_err(|failure| Asked { operation: "list", key: prefix }.failed(failure))?;
            let is_last = page.len() < wanted;
            entries.extend(page);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let asked = Asked { operation: "list", key: prefix };
        let below = below(prefix);
        let mut found: Vec<String> = Vec::new();
        while found.len() < limit {
            let after = found.last().map(String::as_str).or(names.after);
            let wanted = (limit - found.len()).min(PAGE);
            let page = self.folders(&below, Names { after, ..names }, wanted).await;
            let page = page.map_err(|failure| asked.failed(failure))?;
            let is_last = page.len() < wanted;
            found.extend(page);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        for page in keys.chunks(PAGE) {
            let asked = Asked { operation: "delete", key: &page[0] };
            let names: Vec<&str> = page.iter().map(Key::as_str).collect();
            let names = serde_json::Value::from(names).to_string();
            let delete = Statement::new(DELETE, [self.place(), Argument::from(names.as_str())]);
            match self.writer.write(&delete).await {
                Ok(_) | Err(Failure::NoTable) => {}
                Err(failure) => return Err(asked.failed(failure)),
            }
        }
        Ok(())
    }

    fn store_time_ms(&self, _of: Part) -> Option<i64> {
        self.time.now_ms()
    }

    fn store_time_error(&self) -> Duration {
        TIME_ERROR
    }

    fn is_gone(&self, _instance: Uuid) -> bool {
        false
    }

    fn location(&self) -> &str {
        &self.location
    }
}
