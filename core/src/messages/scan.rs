//! Finds objects whose messages nobody delivers and whose alarms nobody runs, at the start and at
//! regular intervals, tenant by tenant.
//!
//! Promises: it lists at most once in [`OUTBOX_PAGE_PAUSE`], however many tenants there are; the
//! tenant that was looked after the longest time ago comes next.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::activation::{Activations, restart_on_panic};
use crate::alarms::AlarmVisits;
use crate::class_ends::ClassEnds;
use crate::clock::Clock;
use crate::error::Result;
use crate::id::{ClassNames, Tenant};
use crate::limits::{OUTBOX_PAGE_PAUSE, TENANTS_LIST_ROUNDS};
use crate::messages::visits::Visits;
use crate::rollup;
use crate::settings::Settings;
use crate::store::Key;

/// Begins; ends when the engine is gone. On a platform that freezes its programs, a scan that is
/// overdue runs when the next request thaws it.
pub(crate) fn start_scanning(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    tokio::spawn(restart_on_panic("scan of markers", clock.clone(), move || {
        run(activations.clone(), clock.clone())
    }));
}

async fn run(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    let mut scan = Scan::default();
    while let Some(activations) = activations.upgrade() {
        if activations.runtime.stopping.is_closed() {
            return;
        }
        scan.list_tenants(&activations).await;
        scan.visit_next(&activations).await;
        let pause = scan.pause(clock.monotonic(), &activations.runtime.settings);
        drop(activations);
        clock.sleep(pause).await;
    }
}

/// The tenants whose markers are looked after.
#[derive(Default)]
struct Scan {
    tenants: BTreeMap<Tenant, Turn>,
    list: List,
}

/// A tenant, and when it is its turn, by the monotonic clock.
#[derive(Default)]
struct Turn {
    visits: Visits,
    due: Duration,
    alarms: AlarmVisits,
    /// When it is the turn of its alarms.
    alarms_due: Duration,
    ends: ClassEnds,
    /// When it is the turn of its classes that have ended.
    ends_due: Duration,
    /// The round of the list in which the tenant was on it.
    round: u64,
}

/// What a tenant's markers are about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Messages,
    Alarms,
    Classes,
}

impl Turn {
    fn new(names: &ClassNames) -> Self {
        let ends = ClassEnds::of(names);
        let ends_due = if ends.are_done() { Duration::MAX } else { Duration::ZERO };
        Self { ends, ends_due, ..Self::default() }
    }

    /// When it is its turn next, and for what.
    fn next(&self, settings: &Settings) -> (Duration, About) {
        let (due, about) = if self.alarms_due < self.due && !settings.alarm_scan.is_zero() {
            (self.alarms_due, About::Alarms)
        } else {
            (self.due, About::Messages)
        };
        if self.ends_due < due { (self.ends_due, About::Classes) } else { (due, about) }
    }

    /// Looks after the next page of markers. Returns how long to wait before the one after it.
    async fn visit(
        &mut self,
        activations: &Arc<Activations>,
        (tenant, about): (&Tenant, About),
    ) -> Result<Duration> {
        let settings = &activations.runtime.settings;
        let bucket = activations.runtime.tenants.bucket(tenant)?;
        match about {
            About::Messages => {
                self.visits.page(activations, &bucket).await?;
                Ok(self.visits.pause(settings))
            }
            About::Alarms => {
                self.alarms.page(activations, &bucket).await?;
                Ok(self.alarms.pause(settings))
            }
            About::Classes => {
                self.ends.page(activations, &bucket).await?;
                Ok(self.ends.pause(settings))
            }
        }
    }
}

/// Where the list of tenants is read, and when, by the monotonic clock.
#[derive(Default)]
struct List {
    after: Option<Key>,
    due: Duration,
    round: u64,
}

impl Scan {
    /// Reads the next page of the list of tenants, when it is time to. Who is on it no more is
    /// looked after no more.
    async fn list_tenants(&mut self, activations: &Activations) {
        let runtime = activations.runtime.as_ref();
        let (now, names) = (runtime.clock.monotonic(), runtime.app.names());
        if now < self.list.due {
            return;
        }
        let mut found = met_with_ends(activations);
        match runtime.tenants.page(self.list.after.as_ref()).await {
            Ok(page) => {
                found.extend(page.tenants);
                self.list.after = page.next;
                self.list.due = now + OUTBOX_PAGE_PAUSE;
            }
            Err(error) => {
                tracing::debug!(%error, "cannot list the tenants with messages; retrying later");
                // The local tenant is on no list.
                self.note(Tenant::local(), names);
                self.list.due = now + runtime.settings.outbox_scan;
                return;
            }
        }
        found.into_iter().for_each(|tenant| self.note(tenant, names));
        if self.list.after.is_none() {
            let round = self.list.round;
            self.tenants.retain(|_, turn| turn.round == round);
            self.list.round += 1;
            self.list.due = now + runtime.settings.outbox_scan * TENANTS_LIST_ROUNDS;
        }
    }

    /// Notes that a tenant was found in this round.
    fn note(&mut self, tenant: Tenant, names: &ClassNames) {
        self.tenants.entry(tenant).or_insert_with(|| Turn::new(names)).round = self.list.round;
    }

    /// Looks after the next page of markers of the tenant whose turn it is, if it is time to.
    async fn visit_next(&mut self, activations: &Arc<Activations>) {
        let (clock, settings) = (&activations.runtime.clock, &activations.runtime.settings);
        let Some((tenant, turn)) =
            self.tenants.iter_mut().min_by_key(|(_, turn)| turn.next(settings).0)
        else {
            return;
        };
        let (due, about) = turn.next(settings);
        if clock.monotonic() < due {
            return;
        }
        let pause = match turn.visit(activations, (tenant, about)).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::debug!(%tenant, %error, "cannot search for objects with messages or alarms; retrying later");
                settings.outbox_scan
            }
        };
        let next = clock.monotonic().saturating_add(pause);
        match about {
            About::Messages => turn.due = next,
            About::Alarms => turn.alarms_due = next,
            About::Classes => turn.ends_due = next,
        }
    }

    /// How long to wait before the next listing.
    fn pause(&self, now: Duration, settings: &Settings) -> Duration {
        let turns = self.tenants.values().map(|turn| turn.next(settings).0);
        let due = turns.chain([self.list.due]).min().unwrap_or(self.list.due);
        due.saturating_sub(now).max(OUTBOX_PAGE_PAUSE.min(settings.outbox_scan))
    }
}

/// The tenants that this process has met, if classes have ended: those with neither messages nor
/// alarms are on no list.
fn met_with_ends(activations: &Activations) -> Vec<Tenant> {
    let runtime = activations.runtime.as_ref();
    if ClassEnds::of(runtime.app.names()).are_done() { Vec::new() } else { runtime.tenants.met() }
}

/// Looks once after the markers of all tenants, as a server does that has just started, and rolls up
/// what waits in this process.
///
/// # Errors
///
/// The last one of a tenant's, after the others were looked after; that of the list of tenants.
pub(crate) async fn look_once(activations: &Arc<Activations>) -> Result<()> {
    let (mut after, mut outcome) = (None, Ok(()));
    let mut more = met_with_ends(activations);
    loop {
        let page = activations.runtime.tenants.page(after.as_ref()).await?;
        let mut tenants = page.tenants;
        more.retain(|tenant| !tenants.contains(tenant));
        if page.next.is_none() {
            tenants.append(&mut more);
        }
        for tenant in tenants {
            if let Err(error) = look_once_for(activations, &tenant).await {
                tracing::warn!(%tenant, %error, "cannot search for objects with messages or alarms");
                outcome = Err(error);
            }
        }
        after = page.next;
        if after.is_none() {
            return rollup::drain_pending(activations).await.and(outcome);
        }
    }
}

async fn look_once_for(activations: &Arc<Activations>, tenant: &Tenant) -> Result<()> {
    let bucket = activations.runtime.tenants.bucket(tenant)?;
    let mut turn = Turn::new(activations.runtime.app.names());
    while !turn.ends.are_done() {
        turn.ends.page(activations, &bucket).await?;
        if turn.ends.is_over() {
            break;
        }
    }
    loop {
        turn.alarms.page(activations, &bucket).await?;
        if turn.alarms.is_over() {
            break;
        }
    }
    loop {
        turn.visits.page(activations, &bucket).await?;
        if turn.visits.is_over() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: usize) -> Tenant {
        Tenant::new("acme", &number.to_string()).expect("a good tenant")
    }

    #[test]
    fn however_many_tenants_are_due_there_is_a_pause_between_two_listings() {
        let (settings, now) = (Settings::default(), Duration::from_secs(1000));
        let mut scan = Scan::default();
        scan.list.due = now + Duration::from_secs(300);
        for number in 0..1000 {
            scan.tenants.insert(tenant(number), Turn::new(&ClassNames::default()));
        }
        assert_eq!(scan.pause(now, &settings), OUTBOX_PAGE_PAUSE);
        for turn in scan.tenants.values_mut() {
            (turn.due, turn.alarms_due) =
                (now + Duration::from_secs(9), now + Duration::from_secs(7));
        }
        assert_eq!(scan.pause(now, &settings), Duration::from_secs(7));
        scan.tenants.clear();
        assert_eq!(scan.pause(now, &settings), Duration::from_secs(300));
    }
}
