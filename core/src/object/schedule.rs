//! The schedules of an object, as its handlers set them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::alarms::{ScheduleRow, schedules};
use crate::error::{Error, Result};
use crate::limits::ALARM_MS_MAX;
use crate::object::context::Context;

/// When a schedule runs: once at a time, or again and again ([`Context::schedule`]).
///
/// ```
/// # mod dotdo { pub mod schedules { pub use dotdo_core::*; } pub use dotdo_core::*; }
/// use dotdo::schedules::When;
/// use dotdo::{Context, Result};
///
/// fn remind(ctx: &mut Context, daily: bool) -> Result<()> {
///     let in_an_hour = ctx.now_ms() + 3_600_000;
///     let when = if daily { When::from("0 9 * * *") } else { When::At(in_an_hour) };
///     ctx.schedule("reminder", when, "water the plants")
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// Once, at this time in milliseconds since 1970; at once if it has passed.
    At(i64),
    /// At the times of a cron expression, in UTC.
    Cron(String),
}

impl From<i64> for When {
    fn from(at_ms: i64) -> Self {
        Self::At(at_ms)
    }
}

impl From<&str> for When {
    fn from(cron: &str) -> Self {
        Self::Cron(cron.to_owned())
    }
}

/// A schedule of an object: what its handler is told, and what is listed. [`Context::schedule`] has
/// an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schedule {
    /// Its name, of which an object has one.
    pub name: String,
    /// The time that it runs for, in milliseconds since 1970.
    pub scheduled_ms: i64,
    /// The cron expression by which it is repeated.
    pub cron: Option<String>,
    /// How often the handler has failed for this time. A server that crashed in between is not
    /// counted.
    pub retry_count: u32,
    payload: String,
}

impl Schedule {
    /// What was given to [`Context::schedule`].
    ///
    /// # Errors
    ///
    /// `Invalid` when it is of another type.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.payload).map_err(|cause| {
            let text =
                format!("the payload of the schedule {:?} is of another type: {cause}", self.name);
            Error::invalid(text)
        })
    }

    pub(crate) fn of(row: ScheduleRow) -> Self {
        let ScheduleRow { name, cron, due_ms, retries, payload, next_ms: _ } = row;
        Self { name, scheduled_ms: due_ms, cron, retry_count: retries, payload }
    }
}

impl Context {
    /// Has [`DurableObject::scheduled`](crate::DurableObject::scheduled) run at a time, or again and
    /// again at the times of a cron expression, with a payload that it is given. It takes the place
    /// of a schedule with the same name. An object has up to 10,000 of them, beside its one alarm
    /// ([`Context::set_alarm`]), which they leave alone.
    ///
    /// A cron expression has the fields minute, hour, day, month and weekday, in UTC, with seconds
    /// in front if there are six: `"30 6 * * MON-FRI"`, `"*/10 * * * *"`, `"@daily"`, `"0 12 L * *"`
    /// (the last day of a month). If both a day and a weekday are given, either is enough, as for
    /// cron.
    ///
    /// It is part of the object's state, set by this request's record and not at all if the request
    /// fails, and has the same guarantees as an alarm: it runs at least once for its time, on
    /// whatever server has the object then, and its changes happen once. Times that passed while
    /// nobody could run it are made up for by one run. It costs as much as an alarm.
    ///
    /// ```
    /// # mod dotdo { pub use dotdo_core::*; pub mod schedules { pub use dotdo_core::*; } }
    /// use dotdo::schedules::Schedule;
    /// use dotdo::{Context, DurableObject, Request, Response, Result};
    ///
    /// struct Newsletter;
    ///
    /// impl DurableObject for Newsletter {
    ///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    ///         ctx.schedule("weekly", "0 8 * * MON", &"all")?;
    ///         ctx.schedule("welcome", ctx.now_ms() + 60_000, &"ada@example.com")?;
    ///         Ok(Response::default())
    ///     }
    ///
    ///     async fn scheduled(&mut self, schedule: Schedule, ctx: &mut Context) -> Result<()> {
    ///         let to: String = schedule.payload()?;
    ///         ctx.storage().put(&schedule.name, &to)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that is empty or longer than 512 bytes (code `BAD_NAME`), for a time before 1970 or after 9999 (`BAD_ALARM_TIME`), for
    /// what is no cron expression or has no time left (`BAD_CRON`), and when there are too many (`TOO_MANY_SCHEDULES`);
    /// `TooLarge` for a payload of more than 64 KiB; errors of the database, which is read-only on a
    /// former state.
    pub fn schedule<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        when: impl Into<When>,
        payload: &T,
    ) -> Result<()> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let text = format!(
                "expected a name of 1 to {NAME_BYTES_MAX} bytes for a schedule, got {}",
                name.len()
            );
            return Err(Error::invalid(text).with_code("BAD_NAME"));
        }
        let (cron, due_ms) = match when.into() {
            When::At(at_ms) => (None, checked(at_ms)?),
            When::Cron(cron) => {
                let next = schedules::next_time(&cron, self.now_ms())?;
                let next = next.ok_or_else(|| {
                    Error::invalid(format!("the cron expression {cron:?} has no time that comes"))
                        .with_code("BAD_CRON")
                })?;
                (Some(cron), next)
            }
        };
        let (name, payload) = (name.to_owned(), serde_json::to_string(payload)?);
        let row = ScheduleRow { name, cron, due_ms, next_ms: due_ms, retries: 0, payload };
        self.transaction(|ctx| schedules::set(&mut ctx.database, &row))?;
        self.request.touched_alarm = true;
        Ok(())
    }

    /// The object's schedules, by name. In the handler of one that is not repeated, that is not
    /// among them.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn schedules(&mut self) -> Result<Vec<Schedule>> {
        Ok(schedules::list(&mut self.database)?.into_iter().map(Schedule::of).collect())
    }

    /// The object's schedule of this name.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn find_schedule(&mut self, name: &str) -> Result<Option<Schedule>> {
        Ok(schedules::find(&mut self.database, name)?.map(Schedule::of))
    }

    /// Cancels a schedule; `false` when there is none of this name.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn cancel_schedule(&mut self, name: &str) -> Result<bool> {
        let cancelled = schedules::remove(&mut self.database, name)?;
        self.request.touched_alarm |= cancelled;
        Ok(cancelled)
    }
}

/// Maximum length of a schedule's name, in bytes: as for an id.
const NAME_BYTES_MAX: usize = crate::id::ID_BYTES_MAX;

fn checked(at_ms: i64) -> Result<i64> {
    if (0..=ALARM_MS_MAX).contains(&at_ms) {
        return Ok(at_ms);
    }
    let text =
        format!("expected a time of 0 to {ALARM_MS_MAX} milliseconds since 1970, got {at_ms}");
    Err(Error::invalid(text).with_code("BAD_ALARM_TIME"))
}
