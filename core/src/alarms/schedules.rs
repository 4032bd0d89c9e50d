//! The schedules of an object, as rows of its database: named times at which its handler runs, beside
//! its one alarm. They belong to the object's state, as the alarm does.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::alarms::row::{pause, shortened};
use crate::change::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::ALARM_MS_MAX;
use crate::millis;
use crate::object::Sql;
use crate::object::table::{bytes, exists, integer, malformed};
use crate::sqlite::Database;

/// The table of the schedules.
pub(crate) const SCHEDULE: &str = "_dotdo_schedule";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_schedule (name TEXT PRIMARY KEY, cron TEXT, due_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, retries INTEGER NOT NULL, error TEXT, payload TEXT NOT NULL)";

/// Maximum number of schedules of an object. The next one is looked for among all of them whenever
/// one is set or runs.
const SCHEDULES_MAX: u64 = 10_000;

/// Maximum size of a schedule's name and payload, in bytes: what is more belongs in a table.
const SCHEDULE_BYTES_MAX: usize = 64 << 10;

const COLUMNS: &str = "name, cron, due_ms, next_ms, retries, payload";

/// The definition of the table, as SQLite keeps it.
pub(crate) fn schedule_definition() -> String {
    CREATE.replacen("IF NOT EXISTS ", "", 1)
}

/// A schedule that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScheduleRow {
    pub(crate) name: String,
    /// The expression by which it is repeated.
    pub(crate) cron: Option<String>,
    /// The time that it runs for, in milliseconds since 1970.
    pub(crate) due_ms: i64,
    /// When it runs next: that time, or later after a failure.
    pub(crate) next_ms: i64,
    /// How often it has failed for that time.
    pub(crate) retries: u32,
    /// JSON.
    pub(crate) payload: String,
}

/// The first time after `after_ms` that fits a cron expression, in UTC; `None` when there is none
/// before the year 10000.
///
/// # Errors
///
/// `Invalid` (code `BAD_CRON`) for what is no expression.
pub(crate) fn next_time(cron: &str, after_ms: i64) -> Result<Option<i64>> {
    next_cron_time(cron, after_ms, Weekdays::FromZero)
}

/// The numbers of weekdays in a cron expression. [`next_cron_time`] has an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weekdays {
    /// Sunday is 0, and 7: those of cron. Seconds may be in front.
    FromZero,
    /// Sunday is 1 and Saturday 7: those of Cloudflare's triggers, which have no seconds.
    FromOne,
}

/// The first time after `after_ms` that fits a cron expression, in UTC and in milliseconds since 1970;
/// `None` when there is none before the year 10000.
///
/// ```
/// # mod dotdo { pub mod engine { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::engine::{Weekdays, next_cron_time};
///
/// // 1970 began on a Thursday.
/// let friday = next_cron_time("0 0 * * 6", 0, Weekdays::FromOne)?;
/// assert_eq!(friday, Some(24 * 3_600_000));
/// assert_eq!(friday, next_cron_time("0 0 * * FRI", 0, Weekdays::FromZero)?);
/// # Ok::<(), dotdo::Error>(())
/// ```
///
/// # Errors
///
/// `Invalid` (code `BAD_CRON`) for what is no expression.
pub fn next_cron_time(cron: &str, after_ms: i64, weekdays: Weekdays) -> Result<Option<i64>> {
    let builder = CronParser::builder().year(Year::Disallowed);
    let parser = match weekdays {
        Weekdays::FromZero => builder.seconds(Seconds::Optional).build(),
        Weekdays::FromOne => {
            builder.seconds(Seconds::Disallowed).alternative_weekdays(true).build()
        }
    };
    let parsed: Cron = parser.parse(cron).map_err(|cause| {
        let text = format!(
            "expected a cron expression, such as \"30 6 * * MON-FRI\" (minute, hour, day, month, weekday; UTC), got {cron:?}: {cause}"
        );
        Error::invalid(text).with_code("BAD_CRON")
    })?;
    let after = Timestamp::from_millisecond(after_ms)
        .map_err(|cause| Error::internal(format!("a time out of range: {cause}")))?;
    let after = after.to_zoned(TimeZone::UTC).datetime();
    let Ok(next) = parsed.find_next_occurrence(&after, false) else { return Ok(None) };
    let next = next.to_zoned(TimeZone::UTC).ok().map(|next| next.timestamp().as_millisecond());
    Ok(next.filter(|next| *next <= ALARM_MS_MAX))
}

/// Sets a schedule, in the place of one of this name. Its times of failures begin anew.
///
/// # Errors
///
/// `Invalid` (code `TOO_MANY_SCHEDULES`) when there are too many; `TooLarge` when the name and the
/// payload are too long; errors of the database.
pub(crate) fn set(database: &mut Database, row: &ScheduleRow) -> Result<()> {
    let bytes = row.name.len() + row.payload.len();
    if bytes > SCHEDULE_BYTES_MAX {
        let text = format!(
            "expected a name and a payload of at most {SCHEDULE_BYTES_MAX} bytes for a schedule, got {bytes}"
        );
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    Sql::own(database).exec(CREATE, ())?;
    let upsert = "INSERT INTO _dotdo_schedule (name, cron, due_ms, next_ms, retries, error, payload) VALUES (?1, ?2, ?3, ?4, 0, NULL, ?5)
        ON CONFLICT (name) DO UPDATE SET cron = ?2, due_ms = ?3, next_ms = ?4, retries = 0, error = NULL, payload = ?5";
    let params =
        (row.name.as_str(), row.cron.as_deref(), row.due_ms, row.next_ms, row.payload.as_str());
    Sql::own(database).exec(upsert, params)?;
    let count: u64 = Sql::own(database).exec("SELECT count(*) FROM _dotdo_schedule", ())?.one()?;
    if count > SCHEDULES_MAX {
        let text = format!("expected at most {SCHEDULES_MAX} schedules of an object, got more");
        return Err(Error::invalid(text).with_code("TOO_MANY_SCHEDULES"));
    }
    Ok(())
}

/// Removes the schedule of this name; `false` when there is none.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn remove(database: &mut Database, name: &str) -> Result<bool> {
    if !exists(database, SCHEDULE)? {
        return Ok(false);
    }
    let delete = "DELETE FROM _dotdo_schedule WHERE name = ? RETURNING name";
    let removed: Option<String> = Sql::own(database).exec(delete, (name,))?.first()?;
    Ok(removed.is_some())
}

/// All schedules, by name.
///
/// # Errors
///
/// Errors of the database; of a row that dotdo has not written.
pub(crate) fn list(database: &mut Database) -> Result<Vec<ScheduleRow>> {
    if !exists(database, SCHEDULE)? {
        return Ok(Vec::new());
    }
    let query = format!("SELECT {COLUMNS} FROM _dotdo_schedule ORDER BY name");
    Sql::own(database).exec(&query, ())?.values()?.into_iter().map(parse).collect()
}

/// The schedule of this name.
///
/// # Errors
///
/// Those of [`list`].
pub(crate) fn find(database: &mut Database, name: &str) -> Result<Option<ScheduleRow>> {
    one(database, &format!("SELECT {COLUMNS} FROM _dotdo_schedule WHERE name = ?"), Some(name))
}

/// The schedule that runs next.
///
/// # Errors
///
/// Those of [`list`].
pub(crate) fn next(database: &mut Database) -> Result<Option<ScheduleRow>> {
    let query = format!("SELECT {COLUMNS} FROM _dotdo_schedule ORDER BY next_ms, name LIMIT 1");
    one(database, &query, None)
}

fn one(database: &mut Database, query: &str, name: Option<&str>) -> Result<Option<ScheduleRow>> {
    if !exists(database, SCHEDULE)? {
        return Ok(None);
    }
    let mut cursor = match name {
        Some(name) => Sql::own(database).exec(query, (name,))?,
        None => Sql::own(database).exec(query, ())?,
    };
    cursor.values()?.into_iter().next().map(parse).transpose()
}

/// Notes at `now_ms` that the handler runs for this schedule: one that is repeated is set to its
/// next time, which is not before now, and any other is removed.
///
/// # Errors
///
/// Errors of the database.
pub(super) fn take(database: &mut Database, row: &ScheduleRow, now_ms: i64) -> Result<()> {
    let after_ms = row.due_ms.max(now_ms);
    let next_ms = row.cron.as_deref().map(|cron| next_time(cron, after_ms)).transpose()?.flatten();
    match next_ms {
        Some(next_ms) => {
            let update = "UPDATE _dotdo_schedule SET due_ms = ?1, next_ms = ?1, retries = 0, error = NULL WHERE name = ?2";
            Sql::own(database).exec(update, (next_ms, row.name.as_str())).map(drop)
        }
        None => remove(database, &row.name).map(drop),
    }
}

/// Notes at `now_ms` that the handler has failed for this schedule, with its `error`.
///
/// # Errors
///
/// Errors of the database.
pub(super) fn note_failure(
    database: &mut Database,
    row: &ScheduleRow,
    (now_ms, error): (i64, &str),
) -> Result<()> {
    let next_ms = now_ms.saturating_add(millis::signed(pause(row.retries))).min(ALARM_MS_MAX);
    let update = "UPDATE _dotdo_schedule SET next_ms = ?, retries = ?, error = ? WHERE name = ?";
    let retries = row.retries.saturating_add(1);
    let params = (next_ms, retries, shortened(error), row.name.as_str());
    Sql::own(database).exec(update, params).map(drop)
}

fn parse(row: Vec<Value>) -> Result<ScheduleRow> {
    let [name, cron, due, next, retries, payload]: [Value; 6] =
        row.try_into().map_err(|_| malformed("it has too many columns"))?;
    let text =
        |value| String::from_utf8(bytes(value)?).map_err(|_| malformed("a text is not UTF-8"));
    let time = |value: &Value| integer(value).map(|time| time.clamp(0, ALARM_MS_MAX));
    Ok(ScheduleRow {
        name: text(name)?,
        cron: if cron == Value::Null { None } else { Some(text(cron)?) },
        due_ms: time(&due)?,
        next_ms: time(&next)?,
        retries: u32::try_from(integer(&retries)?).unwrap_or(0),
        payload: text(payload)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    #[test]
    fn a_cron_expression_is_read_in_utc() {
        for (cron, after, next) in [
            ("* * * * *", "2026-01-01T00:00:00Z", Some("2026-01-01T00:01:00Z")),
            ("30 6 * * MON-FRI", "2026-01-02T06:30:00Z", Some("2026-01-05T06:30:00Z")),
            ("0 0 29 2 *", "2026-03-01T00:00:00Z", Some("2028-02-29T00:00:00Z")),
            ("*/15 * * * *", "2026-01-01T10:59:59.999Z", Some("2026-01-01T11:00:00Z")),
            ("*/10 * * * * *", "2026-01-01T00:00:01Z", Some("2026-01-01T00:00:10Z")),
            // Clocks are turned on that day in many places, and not in UTC.
            ("30 2 * * *", "2026-03-29T00:00:00Z", Some("2026-03-29T02:30:00Z")),
            ("0 12 L * *", "2026-02-01T00:00:00Z", Some("2026-02-28T12:00:00Z")),
            ("@daily", "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z")),
            ("0 0 30 2 *", "2026-01-01T00:00:00Z", None),
        ] {
            let found = next_time(cron, ms(after)).expect(cron);
            assert_eq!(found, next.map(ms), "{cron} after {after}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for bad in ["", "* * * *", "61 * * * *", "* * * * MOO", "* * * * * * 2026", "every day"] {
            assert_eq!(next_time(bad, 0).expect_err(bad).code(), "BAD_CRON");
        }
    }
}
