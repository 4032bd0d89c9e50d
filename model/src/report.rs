//! Exploring a setup, and what came of it.

use std::collections::BTreeSet;
use std::fmt;

use stateright::{Checker, HasDiscoveries, Model};

use crate::action::Action;
use crate::protocol::Protocol;
use crate::setup::Setup;

/// What an exploration found.
#[derive(Debug)]
pub struct Report {
    /// The setup's name.
    pub name: &'static str,
    /// Different states.
    pub states: usize,
    /// Steps that were tried.
    pub steps: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// What must hold and does not, with a shortest way to where it does not.
    pub broken: Vec<(&'static str, Vec<Action>)>,
    /// What must be possible and is not: the setup does not reach what it is there for.
    pub unreachable: Vec<&'static str>,
}

/// Explores every state within the bounds.
pub fn explore(setup: &Setup) -> Report {
    run(setup, HasDiscoveries::AnyFailures)
}

/// Explores until `property` is found broken, or every state was seen.
pub fn explore_until(setup: &Setup, property: &'static str) -> Report {
    run(setup, HasDiscoveries::AnyOf(BTreeSet::from([property])))
}

fn run(setup: &Setup, until: HasDiscoveries) -> Report {
    // One thread, breadth first: the numbers are the same each time, and counterexamples are
    // shortest.
    let checker =
        Protocol(setup.clone()).checker().threads(1).finish_when(until).spawn_bfs().join();
    let found = checker.discoveries();
    let properties = checker.model().properties();
    let (must, may): (Vec<_>, Vec<_>) =
        properties.iter().partition(|property| property.expectation.discovery_is_failure());
    let broken = must.iter().filter_map(|property| {
        Some((property.name, found.get(property.name)?.clone().into_actions()))
    });
    let unreachable =
        may.iter().map(|property| property.name).filter(|name| !found.contains_key(name));
    Report {
        name: setup.name,
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        broken: broken.collect(),
        unreachable: unreachable.collect(),
    }
}

impl Report {
    /// The shortest way to where `property` is broken.
    #[must_use]
    pub fn counterexample(&self, property: &str) -> Option<&[Action]> {
        self.broken
            .iter()
            .find(|(name, _)| *name == property)
            .map(|(_, actions)| actions.as_slice())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {} states, {} steps, depth {}",
            self.name, self.states, self.steps, self.depth
        )?;
        for (property, actions) in &self.broken {
            write!(formatter, "\n  broken after {} steps: {property}", actions.len())?;
            actions.iter().try_for_each(|action| write!(formatter, "\n    {action:?}"))?;
        }
        self.unreachable.iter().try_for_each(|name| write!(formatter, "\n  never: {name}"))
    }
}
