//! The alarm of an object, as its handlers set it.

use crate::alarms::{alarm_of, clear_alarm, set_alarm};
use crate::error::Result;
use crate::object::context::Context;

impl Context {
    /// Sets the object's alarm to a time in milliseconds since 1970, in the place of one that is set:
    /// an object has one alarm. At that time [`DurableObject::alarm`](crate::DurableObject::alarm)
    /// runs, at once if the time has passed.
    ///
    /// The alarm is part of the object's state, set by this request's record and not at all if the
    /// request fails. It survives crashes, hand-overs and restarts. Costs a second request to the
    /// store, before the record, unless an earlier time was set before that has not come yet. On
    /// platforms that freeze the program, the platform's timer determines the precision.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// use dotdo::{AlarmInfo, Context, DurableObject, Request, Response, Result};
    ///
    /// struct Reminder;
    ///
    /// impl DurableObject for Reminder {
    ///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    ///         let in_an_hour_ms = ctx.now_ms() + 3_600_000;
    ///         ctx.set_alarm(in_an_hour_ms)?;
    ///         Ok(Response::default())
    ///     }
    ///
    ///     async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
    ///         ctx.storage().put("reminded_of", &info.scheduled_ms)?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_ALARM_TIME`) for a time before 1970 or after 9999; errors of the
    /// database, which is read-only on a former state.
    pub fn set_alarm(&mut self, at_ms: i64) -> Result<()> {
        set_alarm(&mut self.database, at_ms)?;
        self.request.touched_alarm = true;
        Ok(())
    }

    /// The time of the object's alarm, in milliseconds since 1970; `None` when none is set, and
    /// while the handler of the alarm runs, in its turn or outside, unless that has set it again.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn ensure_alarm(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     if ctx.alarm()?.is_none() {
    ///         ctx.set_alarm(ctx.now_ms() + 60_000)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn alarm(&mut self) -> Result<Option<i64>> {
        let alarm = alarm_of(&mut self.database)?.filter(|alarm| !alarm.is_under_way);
        Ok(alarm.map(|alarm| alarm.due_ms))
    }

    /// Deletes the object's alarm, if one is set.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub fn delete_alarm(&mut self) -> Result<()> {
        clear_alarm(&mut self.database)?;
        self.request.touched_alarm = true;
        Ok(())
    }
}
