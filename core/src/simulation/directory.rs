//! A place where servers tell each other what they own, which lies, is late, and is away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::cluster::{Directory, Holding, Listener, Owner, OwnershipChange};
use crate::id::ObjectId;
use crate::simulation::clock::SimClock;
use crate::simulation::network::address;
use crate::simulation::plan::{MS, SECOND};
use crate::simulation::timeline::{Delivery, Event, Process, State, Timeline};
use crate::sync::Mutex;

/// How often a question is answered with a lie, or with nothing, in a thousand.
const LIES: u64 = 100;

/// What was told of an object, and until when it stays.
pub(super) type Entry = (Holding, u64);

/// Where a process hears what others tell; empty until the engine listens.
pub(super) type ListenerSlot = Arc<Mutex<Option<Listener>>>;

/// One process's way to the directory.
pub(super) struct SimDirectory {
    pub(super) timeline: Timeline,
    pub(super) process: Process,
    pub(super) clock: Arc<SimClock>,
    pub(super) listener_slot: ListenerSlot,
}

#[async_trait]
impl Directory for SimDirectory {
    fn listen(&self, listener: Listener) {
        *self.listener_slot.lock() = Some(listener);
    }

    async fn find(&self, object: &ObjectId) -> Option<Holding> {
        let (answer, after_us) = {
            let mut state = self.timeline.lock();
            let answer = state.look_up(object);
            (answer, state.chance.spread(100..=250 * MS))
        };
        self.clock.sleep(Duration::from_micros(after_us)).await;
        answer
    }

    fn announce(&self, object: &ObjectId, holding: Holding, change: OwnershipChange) {
        self.timeline.lock().told(self.process, object, holding, change);
    }

    async fn flush(&self) {}
}

impl State {
    fn look_up(&mut self, object: &ObjectId) -> Option<Holding> {
        if self.chance.in_thousand(LIES) {
            return None;
        }
        if self.chance.in_thousand(LIES) {
            let machine = self.chance.index(self.machines.len());
            let life =
                self.machines[machine].life.saturating_sub(u32::from(self.chance.in_thousand(300)));
            let instance = Process { machine, life }.uuid();
            let (epoch, remaining) =
                (self.chance.within(0..=6), Duration::from_secs(self.chance.within(0..=30)));
            return Some(Holding {
                owner: Owner { instance, address: address(machine) },
                epoch,
                sequence: 1,
                remaining,
            });
        }
        let (holding, until_us) = self.directory.get(object)?;
        let left_us = until_us.checked_sub(self.now_us)?;
        Some(Holding { remaining: Duration::from_micros(left_us), ..holding.clone() })
    }

    fn told(&mut self, by: Process, object: &ObjectId, holding: Holding, change: OwnershipChange) {
        if self.chance.in_thousand(LIES) {
            return;
        }
        if change == OwnershipChange::Released {
            self.directory.remove(object);
        } else {
            let until_us =
                self.now_us + u64::try_from(holding.remaining.as_micros()).expect("a lease");
            self.directory.insert(object.clone(), (holding.clone(), until_us));
        }
        for machine in (0..self.machines.len()).filter(|machine| *machine != by.machine) {
            let process = Process { machine, life: self.machines[machine].life };
            let after_us = self.chance.spread(MS..=10 * SECOND);
            self.schedule(
                after_us,
                Event::Deliver(
                    process,
                    Delivery::OwnershipChange(object.clone(), holding.clone(), change),
                ),
            );
        }
    }
}
