//! Makes sure, before a record that needs it, that the bucket has a marker for the object's alarm.
//!
//! Always holds: while a row in the log names a marker, that marker is in the bucket. It is written
//! before the first record that names it, and deleted once a record that does not is in the log.

use std::sync::Arc;

use crate::activation::{Activation, Resident};
use crate::alarms::due::Due;
use crate::alarms::marker::{self, Name};
use crate::alarms::row::{marker_of, note_marker};
use crate::clock::Instant;
use crate::error::Result;
use crate::executor::offload;
use crate::limits::ALARM_RECORD_WITHIN;
use crate::planted::{Bug, planted};
use crate::sqlite::{Database, Mode};

/// The alarm or schedule of an object that runs next, and the marker that the object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) due: Option<Due>,
    pub(super) marker: Option<Name>,
}

/// What is done about an object's marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It stays as it is.
    Keep,
    /// It is not needed any more.
    Remove,
    /// One for this time takes its place.
    Write(i64),
}

impl Known {
    /// What the open transaction knows.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub(super) fn read(database: &mut Database) -> Result<Self> {
        let (due, marker) = (Due::of(database)?, marker_of(database)?);
        Ok(Self { due, marker: marker.as_deref().and_then(Name::parse) })
    }

    /// When somebody must look at the object: at the time of its marker, which is not later than its
    /// alarm; at once when it has an alarm and no marker.
    pub(super) fn wake_ms(&self) -> Option<i64> {
        match (&self.due, &self.marker) {
            (_, Some(marker)) => Some(marker.at_ms),
            (Some(_), None) => Some(0),
            (None, None) => None,
        }
    }

    /// Whether the marker is not what the alarm needs at `now_ms`.
    pub(super) fn is_unsettled(&self, now_ms: i64) -> bool {
        self.step(now_ms) != Step::Keep
    }

    /// What is done about the marker. One whose time has not come stays, also for a later alarm, or
    /// for none: what is set and cleared again and again costs one marker for that time.
    fn step(&self, now_ms: i64) -> Step {
        let coming = self.marker.as_ref().map(|marker| marker.at_ms).filter(|at| *at > now_ms);
        match (self.due.as_ref().map(Due::next_ms), coming) {
            (None, None) if self.marker.is_some() => Step::Remove,
            (None, _) => Step::Keep,
            (Some(next_ms), Some(at_ms)) if at_ms <= next_ms => Step::Keep,
            (Some(next_ms), _) => Step::Write(next_ms),
        }
    }
}

/// Settles the marker of an object in whose open transaction the alarm was touched, and times the
/// object for when the record is in the log. Returns what is known then.
///
/// # Errors
///
/// Those of the store and the database: the caller rolls the transaction back.
pub(crate) async fn settle(
    activation: &Arc<Activation>,
    resident: &mut Resident,
) -> Result<Option<i64>> {
    let runtime = activation.runtime.as_ref();
    let database = &mut resident.context.database;
    let mut known = offload(runtime.executor.as_ref(), || Known::read(database))?;
    let step = known.step(resident.context.request.now_ms);
    let (mut former, mut written) = (None, None);
    if step != Step::Keep {
        former = known.marker.take();
    }
    if let Step::Write(at_ms) = step {
        let name = Name::new(runtime, at_ms);
        written = Some(Instant::now(runtime.clock.as_ref()));
        if !planted(Bug::AlarmUnmarked) {
            marker::write(runtime, &activation.log, &name).await?;
        }
        known.marker = Some(name);
    }
    if step != Step::Keep {
        let (database, name) = (&mut resident.context.database, known.marker.as_ref());
        offload(runtime.executor.as_ref(), || note_marker(database, name.map(Name::as_str)))?;
    }
    if planted(Bug::AlarmMarkerGoneEarly)
        && let Some(former) = former.take()
    {
        marker::remove(&activation.log, &former).await;
    }
    let wake_ms = known.wake_ms();
    let recorded = Recorded { activation: activation.clone(), known, former, written };
    resident.context.request.after_commit.push(Box::new(move || recorded.follow()));
    Ok(wake_ms)
}

/// What follows the record of a transaction that has touched an alarm.
struct Recorded {
    activation: Arc<Activation>,
    known: Known,
    /// A marker that nothing refers to any more.
    former: Option<Name>,
    /// A moment before the new marker was written.
    written: Option<Instant>,
}

impl Recorded {
    fn follow(self) {
        let runtime = self.activation.runtime.as_ref();
        if let Some(wake_ms) = self.known.wake_ms() {
            runtime.timers.arm(&self.activation.log.object, wake_ms);
        }
        // Somebody may have taken the marker for one without a record.
        let again = self.known.marker.filter(|_| {
            let age = self.written.map(|written| written.elapsed_at_most(runtime.clock.as_ref()));
            age.is_some_and(|age| age > ALARM_RECORD_WITHIN)
        });
        if self.former.is_none() && again.is_none() {
            return;
        }
        let activation = self.activation.clone();
        runtime.background.spawn(async move {
            if let Some(name) = again
                && let Err(error) = marker::write(&activation.runtime, &activation.log, &name).await
            {
                tracing::warn!(object = %activation.log.object, %error, "cannot write the marker of an alarm again; after a crash the alarm would wait until the object is used");
            }
            if let Some(former) = self.former {
                marker::remove(&activation.log, &former).await;
            }
        });
    }
}

impl Activation {
    /// Times the object, whose state in memory is `database`, outside of a transaction.
    pub(crate) fn time_alarm(&self, database: &mut Database) {
        let known = outside(database, Known::read);
        // A table that can't be read is reported by whoever looks at the object.
        if let Some(wake_ms) = known.map_or(Some(0), |known| known.wake_ms()) {
            self.runtime.timers.arm(&self.log.object, wake_ms);
        }
    }
}

/// Writes a marker for the alarm of `database`, a state that an object is about to have, and notes
/// it there. Returns when somebody must look.
///
/// # Errors
///
/// Those of the store and the database: the state can't be the object's then.
pub(crate) async fn mark_state(
    activation: &Activation,
    database: &mut Database,
) -> Result<Option<i64>> {
    let runtime = activation.runtime.as_ref();
    let Some(due) = offload(runtime.executor.as_ref(), || outside(database, Due::of))? else {
        return Ok(None);
    };
    let name = Name::new(runtime, due.next_ms());
    marker::write(runtime, &activation.log, &name).await?;
    offload(runtime.executor.as_ref(), || {
        database.begin(Mode::ReadWrite)?;
        note_marker(database, Some(name.as_str()))?;
        database.prepare_commit()?;
        database.commit()
    })?;
    Ok(Some(name.at_ms))
}

/// Reads the database in a transaction of its own.
fn outside<T>(database: &mut Database, read: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
    database.begin(Mode::ReadOnly)?;
    let found = read(database);
    database.rollback();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::row::Alarm;

    fn known(next_ms: Option<i64>, marker_ms: Option<i64>) -> Known {
        let alarm = |next_ms| {
            Due::Alarm(Alarm { due_ms: next_ms, next_ms, retries: 0, is_under_way: false })
        };
        let due = next_ms.map(alarm);
        let text = |at_ms| format!("{at_ms:016x}-{:032x}-0", 1);
        Known { due, marker: marker_ms.and_then(|at_ms| Name::parse(&text(at_ms))) }
    }

    #[test]
    fn a_marker_is_written_when_there_is_none_in_time() {
        let steps = [
            (None, None, Step::Keep),
            (Some(50), None, Step::Write(50)),
            (Some(5), None, Step::Write(5)),
            (Some(50), Some(50), Step::Keep),
            // The alarm was moved to a later time.
            (Some(90), Some(50), Step::Keep),
            // And to an earlier one.
            (Some(30), Some(50), Step::Write(30)),
            // The time of the marker has come.
            (Some(50), Some(10), Step::Write(50)),
            (Some(10), Some(10), Step::Write(10)),
            (None, Some(10), Step::Remove),
            // It may be set again.
            (None, Some(50), Step::Keep),
        ];
        for (alarm, marker, step) in steps {
            assert_eq!(known(alarm, marker).step(10), step, "{alarm:?} {marker:?}");
        }
    }

    #[test]
    fn somebody_looks_when_the_marker_says() {
        assert_eq!(known(None, None).wake_ms(), None);
        assert_eq!(known(Some(50), Some(20)).wake_ms(), Some(20));
        assert_eq!(known(None, Some(20)).wake_ms(), Some(20));
        assert_eq!(known(Some(50), None).wake_ms(), Some(0), "to write one");
    }
}
