//! Alarms: an object's handler runs at a time that the object has set.
//!
//! Promises: an alarm is a row of the object's database, so it is set, changed and done by the
//! record of the transaction in which that happened; its effects happen once, and its handler runs
//! until it has succeeded once. While the row is in the log, the bucket has a marker that names the
//! object, so that some server finds it whoever crashes (docs/design/0030-alarms.md). Must not know:
//! HTTP servers, platforms.

mod answer;
mod due;
mod fire;
mod info;
mod marker;
mod row;
pub(crate) mod schedules;
mod settle;
mod timers;
mod visits;

pub(crate) use answer::{AlarmRequest, answer_alarm};
pub(crate) use fire::start_alarms;
pub use info::AlarmInfo;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use marker::fuzz_name;
pub(crate) use row::{ALARM, MARKER, alarm_definition, alarm_of, clear_alarm, set_alarm};
pub(crate) use schedules::{SCHEDULE, ScheduleRow, schedule_definition};
pub use schedules::{Weekdays, next_cron_time};
pub(crate) use settle::{mark_state, settle};
pub(crate) use timers::OwnTimers;
pub(crate) use visits::AlarmVisits;
