//! What runs next in an object: its alarm, or one of its schedules.

use crate::activation::{Resident, Runtime, run_alarm, run_scheduled};
use crate::alarms::row::{self, Alarm, alarm_of, clear_alarm};
use crate::alarms::schedules::{self, ScheduleRow};
use crate::error::Result;
use crate::object::Schedule;
use crate::sqlite::Database;

/// An alarm or a schedule that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    Alarm(Alarm),
    Schedule(ScheduleRow),
}

impl Due {
    /// What runs next; the alarm if both are due at the same time.
    ///
    /// # Errors
    ///
    /// Errors of the database; of a row that dotdo has not written.
    pub(super) fn of(database: &mut Database) -> Result<Option<Self>> {
        let alarm = alarm_of(database)?.map(Self::Alarm);
        let schedule = schedules::next(database)?.map(Self::Schedule);
        Ok([alarm, schedule].into_iter().flatten().min_by_key(Self::next_ms))
    }

    /// When it runs, in milliseconds since 1970.
    pub(super) fn next_ms(&self) -> i64 {
        match self {
            Self::Alarm(alarm) => alarm.next_ms,
            Self::Schedule(schedule) => schedule.next_ms,
        }
    }

    /// Notes that its handler has left its turn, and runs again at `next_ms` if nothing is heard of
    /// it: the alarm as it is then. Unless the handler has set it anew.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub(super) fn note_under_way(self, database: &mut Database, next_ms: i64) -> Result<Self> {
        match self {
            Self::Alarm(alarm) if alarm_of(database)?.is_none() => {
                row::note_under_way(database, alarm, next_ms).map(Self::Alarm)
            }
            other => Ok(other),
        }
    }

    /// Moves the time at which it runs again while its handler is under way.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub(super) fn put_off(&self, database: &mut Database, next_ms: i64) -> Result<()> {
        match self {
            Self::Alarm(alarm) => row::note_under_way(database, *alarm, next_ms).map(drop),
            Self::Schedule(_) => Ok(()),
        }
    }

    /// This alarm or schedule as the database has it now; `None` when it was set anew or deleted.
    ///
    /// # Errors
    ///
    /// Errors of the database; of a row that dotdo has not written.
    pub(super) fn as_it_is(&self, database: &mut Database) -> Result<Option<Self>> {
        let now = match self {
            Self::Alarm(_) => alarm_of(database)?.map(Self::Alarm),
            Self::Schedule(row) => schedules::find(database, &row.name)?.map(Self::Schedule),
        };
        Ok(now.filter(|now| now.is_same(self)))
    }

    /// Whether the other is the same alarm or schedule, for the same time.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Alarm(one), Self::Alarm(other)) => {
                one.due_ms == other.due_ms && one.is_under_way == other.is_under_way
            }
            (Self::Schedule(one), Self::Schedule(other)) => {
                (&one.name, one.due_ms) == (&other.name, other.due_ms)
            }
            _ => false,
        }
    }

    /// Notes that its handler runs at `now_ms`: it is not set any more, or for its next time.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub(super) fn take(&self, database: &mut Database, now_ms: i64) -> Result<()> {
        match self {
            Self::Alarm(_) => clear_alarm(database),
            Self::Schedule(schedule) => schedules::take(database, schedule, now_ms),
        }
    }

    /// Notes at `now_ms` that it has failed, with its `error`: it runs again after a pause.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub(super) fn note_failure(
        &self,
        database: &mut Database,
        (now_ms, error): (i64, &str),
    ) -> Result<()> {
        match self {
            Self::Alarm(alarm) => row::note_failure(database, *alarm, (now_ms, error)),
            Self::Schedule(schedule) => {
                schedules::note_failure(database, schedule, (now_ms, error))
            }
        }
    }

    /// Runs its handler.
    ///
    /// # Errors
    ///
    /// The handler's.
    pub(super) async fn run(self, runtime: &Runtime, resident: &mut Resident) -> Result<()> {
        match self {
            Self::Alarm(alarm) => run_alarm(runtime, resident, alarm.info()).await,
            Self::Schedule(schedule) => {
                run_scheduled(runtime, resident, Schedule::of(schedule)).await
            }
        }
    }
}
