//! The model as the checker sees it, and what must always hold.

use stateright::{Model, Property};

use crate::action::Action;
use crate::setup::Setup;
use crate::world::World;
use crate::writes::Writes;

/// Acknowledged writes are in the state that a cold start would restore now.
pub const SURVIVE: &str = "acknowledged writes survive";
/// Whoever is told that it won a slot was the first to fill it, also when the slot was freed since.
pub const ONE_WINNER: &str = "no slot has two winners";
/// Every answer shows a state of the log that is at least as new as everything that was shown
/// before its request began.
pub const LINEARIZABLE: &str = "answers are linearizable";
/// No request is in the log twice.
pub const ONCE: &str = "a request is applied at most once";
/// A cold start restores what was written, all of it, in the order of the log; and every snapshot
/// has its files.
pub const RESTORABLE: &str = "the bucket holds the whole history";
/// However the steps are ordered, their number is bounded: nothing goes round in circles.
pub const ENDS: &str = "the work ends";
/// When nothing more can happen, every request has its answer.
pub const ANSWERED: &str = "every request is answered";

/// A setup, ready to be explored.
#[derive(Debug, Clone)]
pub struct Protocol(pub Setup);

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.0)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if self.0.steps.is_none_or(|most| world.steps < most) {
            world.actions(&self.0, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(&self.0, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(SURVIVE, |Self(setup), world: &World| {
                world.acknowledged_survive(setup)
            }),
            Property::always(ONE_WINNER, |_, world: &World| !world.history.two_winners),
            Property::always(LINEARIZABLE, |_, world: &World| !world.history.wrong_answer),
            Property::always(ONCE, |_, world: &World| !world.history.writes().has_one_twice()),
            Property::always(RESTORABLE, |_, world: &World| world.holds_history()),
            Property::sometimes("all is answered", |_, world: &World| world.all_are_answered()),
            Property::sometimes("two instances have written", |_, world: &World| {
                world.history.writers() > 1
            }),
        ];
        if self.0.retention.is_some() {
            properties.push(Property::sometimes("a record was deleted", |_, world: &World| {
                world.has_freed_slot()
            }));
        }
        if self.0.steps.is_some() {
            properties.push(Property::always(ENDS, |Self(setup), world: &World| {
                setup.steps.is_none_or(|most| world.steps < most)
            }));
            properties.push(Property::always(ANSWERED, |Self(setup), world: &World| {
                !world.is_stuck(setup)
            }));
        }
        properties
    }
}

impl World {
    fn acknowledged_survive(&self, setup: &Setup) -> bool {
        let mut acknowledged = self.acknowledged(setup).peekable();
        if acknowledged.peek().is_none() {
            return true;
        }
        let restored = self.store.restore().map_or(Writes::default(), |restored| restored.writes);
        acknowledged.all(|request| restored.contains(request))
    }

    fn holds_history(&self) -> bool {
        let is_whole =
            self.store.restore().is_some_and(|restored| restored.writes == self.history.writes());
        is_whole
            && self.store.snapshots.iter().all(|snapshot| snapshot.files & !self.store.files == 0)
    }

    fn all_are_answered(&self) -> bool {
        self.clients.iter().all(|client| client.stage == crate::world::Stage::Answered)
    }

    fn has_freed_slot(&self) -> bool {
        self.store.head() > 1 && self.store.slot(1).is_none()
    }

    fn is_stuck(&self, setup: &Setup) -> bool {
        let mut actions = Vec::new();
        if self.has_work() {
            self.actions(setup, &mut actions);
            // Whatever can happen only if something goes wrong does not count.
            actions.retain(|action| {
                !matches!(action, Action::PutFails(..) | Action::InstanceFails(..))
            });
        }
        self.has_work() && actions.is_empty()
    }
}
