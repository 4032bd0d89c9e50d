//! What clients do and hear in a world.

use super::World;
use crate::error::Result;
use crate::simulation::history::{Ask, Outcome, Request, list_of};
use crate::simulation::machine::Machine;
use crate::simulation::plan::{MINUTE, MS, SECOND};
use crate::simulation::timeline::{Delivery, Event};

impl World {
    /// An answer reaches its client, who may have lost patience and listens all the same.
    pub(super) fn answered(&mut self, number: usize, answer: Result<String>) {
        let request = self.history.request(number);
        let parts =
            answer.as_ref().map(|text| text.split_once('\n').unwrap_or((text.as_str(), "")));
        let outcome = Outcome::of(request, parts.map(|(list, _)| list).map_err(Clone::clone));
        if let (Outcome::List(list), Ok((_, content)), false) = (&outcome, parts, self.plan.ends) {
            self.history.sightings.content(request.object, number, list, content);
            if let Ask::Past(at) = request.ask {
                self.history.sightings.former(request.object, at, list);
            }
        }
        let mut state = self.timeline.lock();
        state.note(format_args!("operation {number}: {outcome:?}"));
        let now = state.tick();
        drop(state);
        self.history.end(number, now, outcome);
        self.wake_client_of(number);
    }

    /// Something was seen outside of an object because of an operation.
    pub(super) fn left(&mut self, number: usize, text: &str) {
        let (list, content) = text.split_once('\n').unwrap_or((text, ""));
        let Some(list) = list_of(list) else { return };
        let mut state = self.timeline.lock();
        state.note(format_args!("operation {number} is over: {list:?} was seen"));
        let now = state.tick();
        drop(state);
        let object = self.history.request(number).object;
        if !self.plan.ends {
            self.history.sightings.content(object, number, &list, content);
        }
        self.history.left(number, now, list);
    }

    pub(super) fn wake_client_of(&mut self, number: usize) {
        let Some(client) = self.clients.iter().position(|client| client.waits_for == Some(number))
        else {
            return;
        };
        self.clients[client].waits_for = None;
        self.want_again(client, number);
        self.clients[client].wakes += 1;
        let wakes = self.clients[client].wakes;
        let mut state = self.timeline.lock();
        let mut think_us = state.chance.spread(1..=self.plan.think_us);
        if self.plan.crashes_only {
            // Everybody asks at about the same moments, which are as far apart as leases may be
            // long.
            let since_us = (state.now_us + think_us) % (5 * SECOND);
            think_us += 5 * SECOND - since_us + state.chance.below(400 * MS);
        }
        state.schedule(think_us, Event::Client(client, wakes));
    }

    /// A client loses patience, or does its next operation.
    pub(super) fn go_on(&mut self, client: usize) {
        if let Some(number) = self.clients[client].waits_for.take() {
            self.want_again(client, number);
            let gone = self.timeline.lock().chance.in_thousand(500);
            self.timeline.lock().note(format_args!("client {client} gives up operation {number}"));
            if gone {
                for machine in 0..self.machines.len() {
                    let is_frozen = self.timeline.lock().machines[machine].frozen;
                    if self.machines[machine].go_away(number) && !is_frozen {
                        self.step(machine);
                    }
                }
            }
        }
        if self.is_calm || self.clients[client].left == 0 {
            return;
        }
        if self.machines.iter().all(Machine::is_silent) {
            return self.wait_a_while(client);
        }
        self.values += 1;
        let (plan, value) = (&self.plan, self.values);
        let mut state = self.timeline.lock();
        let intention = self.clients[client].next(&mut state.chance, plan, value);
        let now = state.tick();
        let request = Request {
            number: 0,
            object: intention.object,
            ask: intention.ask,
            keyed: plan.keyed,
            antics: intention.antics,
        };
        let request = self.history.begin(request, now);
        state.note(format_args!(
            "client {client} asks m{} operation {} of o{}: {:?}, {:?}",
            intention.machine, request.number, request.object, request.ask, request.antics
        ));
        let process = self.machines[intention.machine].process;
        let way_us = state.chance.below(2 * MS);
        state.schedule(way_us, Event::Deliver(process, Delivery::Request(request)));
        self.clients[client].waits_for = Some(request.number);
        self.clients[client].wakes += 1;
        state.schedule(intention.patience_us, Event::Client(client, self.clients[client].wakes));
    }

    /// Lets a client that was not told that its value is there try again.
    fn want_again(&mut self, client: usize, number: usize) {
        let told = matches!(self.history.outcome(number), Some(Outcome::List(_)));
        let request = self.history.request(number);
        if !told
            && request.keyed
            && request.ask.value().is_some()
            && self.timeline.lock().chance.in_thousand(700)
        {
            self.clients[client].again = Some((request.object, request.ask));
        }
    }

    /// Nobody is there to be asked.
    pub(super) fn wait_a_while(&mut self, client: usize) {
        self.clients[client].wakes += 1;
        let mut state = self.timeline.lock();
        let after_us = state.chance.spread(SECOND..=30 * MINUTE);
        state.schedule(after_us, Event::Client(client, self.clients[client].wakes));
    }
}
