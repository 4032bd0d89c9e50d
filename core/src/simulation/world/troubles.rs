//! What happens to the machines of a world.

use super::World;
use crate::simulation::nemesis::Act;
use crate::simulation::plan::MS;
use crate::simulation::timeline::Event;

impl World {
    pub(super) fn act(&mut self) {
        if self.acts == 0 || self.is_calm {
            return;
        }
        self.acts -= 1;
        let act = {
            let mut state = self.timeline.lock();
            let act = Act::draw(&mut state, &self.plan);
            state.note(format_args!("{act:?}"));
            let pause_us = state.chance.spread(MS..=self.plan.act_pause_us);
            state.schedule(pause_us, Event::Act);
            act
        };
        match act {
            Act::Freeze(machine, length_us) => self.timeline.lock().freeze(machine, length_us),
            Act::FreezeAll(length_us) => (0..self.machines.len())
                .for_each(|machine| self.timeline.lock().freeze(machine, length_us)),
            Act::Crash(machine, pause_us) => self.end_process(machine, pause_us),
            Act::Stop(machine) => {
                self.machines[machine].stop();
                if !self.timeline.lock().machines[machine].frozen {
                    self.step(machine);
                }
            }
            Act::Cut(machine, length_us) => {
                let mut state = self.timeline.lock();
                state.machines[machine].cut_until_us = state.now_us + length_us;
            }
            Act::Part(one, other, length_us) => {
                let mut state = self.timeline.lock();
                state.parted = (one, other, state.now_us + length_us);
            }
            Act::Outage(length_us) => {
                let mut state = self.timeline.lock();
                let until_us = state.now_us + length_us;
                // Of two stores one or the other, and now and then both.
                let which = if state.files.is_some() { state.chance.index(3) } else { 0 };
                let (log, files) = [(true, false), (false, true), (true, true)][which];
                if log {
                    state.store.outage_until_us = until_us;
                }
                if let Some(store) = state.files.as_mut().filter(|_| files) {
                    store.outage_until_us = until_us;
                }
            }
            Act::Jump(machine, by_us) => self.timeline.lock().machines[machine].clock.jump(by_us),
        }
    }

    /// Kills a process; the next one starts after a pause. Its clients find out.
    pub(super) fn end_process(&mut self, machine: usize, pause_us: u64) {
        let lost = self.machines[machine].crash();
        for number in lost {
            self.wake_client_of(number);
        }
        self.timeline.lock().schedule(pause_us, Event::Start(machine));
    }

    pub(super) fn thaw(&mut self, machine: usize, freezes: u64) {
        let mut state = self.timeline.lock();
        let now_us = state.now_us;
        let outside = &mut state.machines[machine];
        if !outside.frozen || outside.freezes != freezes {
            return;
        }
        outside.frozen = false;
        outside.clock.thaw(now_us);
        state.note(format_args!("m{machine} thaws"));
        let mut held = self.machines[machine].held();
        state.chance.shuffle(&mut held);
        let process = self.machines[machine].process;
        for delivery in held {
            state.schedule(0, Event::Deliver(process, delivery));
        }
    }
}
