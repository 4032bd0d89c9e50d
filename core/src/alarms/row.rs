//! An object's alarm, and the marker that the bucket has for it, as rows of its database.
//!
//! The alarm belongs to the object's state; the marker to its history, because another object's
//! marker, or an old one, stands for nothing.

use crate::alarms::info::AlarmInfo;
use crate::change::Value;
use crate::error::{Error, Result};
use crate::limits::{ALARM_MS_MAX, ALARM_PAUSE_MAX, ALARM_PAUSE_MIN};
use crate::millis;
use crate::object::Sql;
use crate::object::table::{bytes, exists, integer, malformed};
use crate::sqlite::Database;

/// The table of the alarm.
pub(crate) const ALARM: &str = "_dotdo_alarm";
const CREATE_ALARM: &str = "CREATE TABLE IF NOT EXISTS _dotdo_alarm (number INTEGER PRIMARY KEY CHECK (number = 1), due_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, retries INTEGER NOT NULL, error TEXT)";

/// The table of the marker's name.
pub(crate) const MARKER: &str = "_dotdo_alarm_marker";
const CREATE_MARKER: &str = "CREATE TABLE IF NOT EXISTS _dotdo_alarm_marker (number INTEGER PRIMARY KEY CHECK (number = 1), name TEXT NOT NULL)";

/// What the row has in the place of an error while its handler is under way outside of its turn. It
/// stays when the process ends before the handler does.
const UNDER_WAY: &str = "its handler has left its turn, and has not ended yet";

/// Maximum length of an error message with an alarm.
const ERROR_CHARS_MAX: usize = 300;

/// The definition of the alarm's table, as SQLite keeps it.
pub(crate) fn alarm_definition() -> String {
    CREATE_ALARM.replacen("IF NOT EXISTS ", "", 1)
}

/// An alarm that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// The time that was set, in milliseconds since 1970.
    pub(crate) due_ms: i64,
    /// When it runs next: that time, or later after a failure.
    pub(crate) next_ms: i64,
    /// How often it has failed.
    pub(crate) retries: u32,
    /// Whether its handler is under way outside of its turn.
    pub(crate) is_under_way: bool,
}

impl Alarm {
    /// What its handler is told.
    pub(crate) fn info(&self) -> AlarmInfo {
        AlarmInfo::new(self.due_ms, self.retries)
    }
}

/// Sets the object's alarm, in the place of one that is set.
///
/// # Errors
///
/// `Invalid` (code `BAD_ALARM_TIME`) for a time before 1970 or after 9999; errors of the database.
pub(crate) fn set_alarm(database: &mut Database, at_ms: i64) -> Result<()> {
    if !(0..=ALARM_MS_MAX).contains(&at_ms) {
        let text = format!(
            "expected an alarm time of 0 to {ALARM_MS_MAX} milliseconds since 1970, got {at_ms}"
        );
        return Err(Error::invalid(text).with_code("BAD_ALARM_TIME"));
    }
    Sql::own(database).exec(CREATE_ALARM, ())?;
    let upsert = "INSERT INTO _dotdo_alarm (number, due_ms, next_ms, retries, error) VALUES (1, ?1, ?1, 0, NULL)
        ON CONFLICT (number) DO UPDATE SET due_ms = ?1, next_ms = ?1, retries = 0, error = NULL";
    Sql::own(database).exec(upsert, (at_ms,)).map(drop)
}

/// The alarm, if one is set.
///
/// # Errors
///
/// Errors of the database; of a row that dotdo has not written.
pub(crate) fn alarm_of(database: &mut Database) -> Result<Option<Alarm>> {
    if !exists(database, ALARM)? {
        return Ok(None);
    }
    let rows = Sql::own(database)
        .exec("SELECT due_ms, next_ms, retries, error IS ? FROM _dotdo_alarm", (UNDER_WAY,))?
        .values()?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [due, next, retries, under_way]: [Value; 4] =
        row.try_into().map_err(|_| malformed("it has too many columns"))?;
    let time = |value: &Value| integer(value).map(|time| time.clamp(0, ALARM_MS_MAX));
    let retries = u32::try_from(integer(&retries)?).unwrap_or(0);
    let is_under_way = integer(&under_way)? != 0;
    Ok(Some(Alarm { due_ms: time(&due)?, next_ms: time(&next)?, retries, is_under_way }))
}

/// Removes the alarm.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn clear_alarm(database: &mut Database) -> Result<()> {
    if exists(database, ALARM)? {
        Sql::own(database).exec("DELETE FROM _dotdo_alarm", ())?;
    }
    Ok(())
}

/// Notes that the handler of `alarm` is under way, which runs again at `next_ms` if nothing is heard
/// of it: the alarm as it is then.
///
/// # Errors
///
/// Errors of the database.
pub(super) fn note_under_way(database: &mut Database, alarm: Alarm, next_ms: i64) -> Result<Alarm> {
    let next_ms = next_ms.min(ALARM_MS_MAX);
    let upsert = "INSERT INTO _dotdo_alarm (number, due_ms, next_ms, retries, error) VALUES (1, ?1, ?2, ?3, ?4)
        ON CONFLICT (number) DO UPDATE SET due_ms = ?1, next_ms = ?2, retries = ?3, error = ?4";
    Sql::own(database).exec(upsert, (alarm.due_ms, next_ms, alarm.retries, UNDER_WAY))?;
    Ok(Alarm { next_ms, is_under_way: true, ..alarm })
}

/// Notes at `now_ms` that the alarm has failed, with its `error`: it runs again after a pause.
///
/// # Errors
///
/// Errors of the database.
pub(super) fn note_failure(
    database: &mut Database,
    alarm: Alarm,
    (now_ms, error): (i64, &str),
) -> Result<()> {
    let next_ms = now_ms.saturating_add(millis::signed(pause(alarm.retries))).min(ALARM_MS_MAX);
    let error = shortened(error);
    let update = "UPDATE _dotdo_alarm SET next_ms = ?, retries = ?, error = ?";
    Sql::own(database).exec(update, (next_ms, alarm.retries.saturating_add(1), error)).map(drop)
}

/// An error's text as it is kept.
pub(super) fn shortened(error: &str) -> String {
    error.chars().take(ERROR_CHARS_MAX).collect()
}

/// The pause after a failure, when there were so many before.
pub(super) fn pause(retries: u32) -> std::time::Duration {
    (ALARM_PAUSE_MIN * 2_u32.pow(retries.min(16))).min(ALARM_PAUSE_MAX)
}

/// The name of the object's marker, if it has one.
///
/// # Errors
///
/// Errors of the database; of a row that dotdo has not written.
pub(super) fn marker_of(database: &mut Database) -> Result<Option<String>> {
    if !exists(database, MARKER)? {
        return Ok(None);
    }
    let rows = Sql::own(database).exec("SELECT name FROM _dotdo_alarm_marker", ())?.values()?;
    let Some(name) = rows.into_iter().next().and_then(|row| row.into_iter().next()) else {
        return Ok(None);
    };
    String::from_utf8(bytes(name)?).map(Some).map_err(|_| malformed("a text is not UTF-8"))
}

/// Notes the name of the object's marker; `None`: it has none.
///
/// # Errors
///
/// Errors of the database.
pub(super) fn note_marker(database: &mut Database, name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        if exists(database, MARKER)? {
            Sql::own(database).exec("DELETE FROM _dotdo_alarm_marker", ())?;
        }
        return Ok(());
    };
    Sql::own(database).exec(CREATE_MARKER, ())?;
    let upsert = "INSERT INTO _dotdo_alarm_marker (number, name) VALUES (1, ?1) ON CONFLICT (number) DO UPDATE SET name = ?1";
    Sql::own(database).exec(upsert, (name,)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn pauses_double_from_two_seconds_to_an_hour() {
        let pauses: Vec<u64> = (0..12).map(|retries| pause(retries).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600]);
        assert_eq!(pause(u32::MAX), Duration::from_secs(3600));
    }
}
