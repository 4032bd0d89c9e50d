//! Everything there is at one moment: the bucket, the instances, the clients, and the history that
//! the properties judge by.

use crate::bug::Bug;
use crate::instance::{Instance, Memory};
use crate::log::History;
use crate::setup::{Kind, Request, Setup};
use crate::store::Store;
use crate::writes::Writes;

/// A state of the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) store: Store,
    pub(crate) history: History,
    pub(crate) instances: Vec<Instance>,
    pub(crate) clients: Vec<Client>,
    pub(crate) mishaps_left: u8,
    pub(crate) releases_left: u8,
    /// Counted only where the setup bounds them.
    pub(crate) steps: u8,
}

/// The sender of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) stage: Stage,
    /// How long the longest list was that anybody had been shown when the request began.
    pub(crate) floor: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Has not sent the request yet.
    New,
    /// Will send the request again.
    Idle,
    /// Some instance has it.
    Sent,
    /// It has an answer.
    Answered,
    /// It was told that the outcome is unknown, and may not send it again.
    Unknown,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            store: Store::default(),
            history: History::default(),
            instances: setup.instances.iter().map(|_| Instance::default()).collect(),
            clients: setup
                .requests
                .iter()
                .map(|_| Client { stage: Stage::New, floor: None })
                .collect(),
            mishaps_left: setup.mishaps_max,
            releases_left: setup.releases,
            steps: 0,
        }
    }

    pub(crate) fn instance(&self, at: u8) -> &Instance {
        &self.instances[usize::from(at)]
    }

    pub(crate) fn instance_mut(&mut self, at: u8) -> &mut Instance {
        &mut self.instances[usize::from(at)]
    }

    /// The memory of an instance that has one: the caller has checked.
    pub(crate) fn memory_mut(&mut self, at: u8) -> &mut Memory {
        self.instance_mut(at)
            .memory
            .as_mut()
            .expect("an instance that acts on the object has it in memory")
    }

    fn client(&mut self, request: u8) -> &mut Client {
        &mut self.clients[usize::from(request)]
    }

    /// Whether the client may send the request now. Of requests that nobody has seen and that are
    /// alike, the first goes first: that is any of them by another name.
    pub(crate) fn may_arrive(&self, setup: &Setup, request: u8) -> bool {
        let is_new = |request: u8| self.clients[usize::from(request)].stage == Stage::New;
        let is_first = || {
            !(0..request)
                .any(|earlier| setup.request(earlier) == setup.request(request) && is_new(earlier))
        };
        let stage = self.clients[usize::from(request)].stage;
        let is_repeated = stage == Stage::Unknown && setup.has(Bug::UnknownRepeated);
        stage == Stage::Idle || is_repeated || (is_new(request) && is_first())
    }

    /// Whether an instance may begin: of those that are alike and have done nothing, the first goes
    /// first.
    pub(crate) fn may_open(&self, setup: &Setup, at: u8) -> bool {
        let is_new = |at: u8| *self.instance(at) == Instance::default();
        !is_new(at)
            || !(0..at).any(|earlier| setup.kind(earlier) == setup.kind(at) && is_new(earlier))
    }

    /// Whether a request has no answer yet.
    pub(crate) fn has_work(&self) -> bool {
        self.clients
            .iter()
            .any(|client| matches!(client.stage, Stage::New | Stage::Idle | Stage::Sent))
    }

    /// The writes whose clients were told that they happened.
    pub(crate) fn acknowledged(&self, setup: &Setup) -> impl Iterator<Item = u8> {
        let answered = |client: &Client| client.stage == Stage::Answered;
        let requests = (0..)
            .zip(&self.clients)
            .filter(move |(_, client)| answered(client))
            .map(|(request, _)| request);
        requests.filter(|request| !setup.is_read(*request)).collect::<Vec<u8>>().into_iter()
    }

    /// An instance begins to work on a request.
    pub(crate) fn begin(&mut self, request: u8) {
        let seen = self.history.seen;
        let client = self.client(request);
        client.stage = Stage::Sent;
        client.floor.get_or_insert(seen);
    }

    /// The client gets its answer, which shows the list `shown`. A write's own entry is its last.
    pub(crate) fn answer(&mut self, setup: &Setup, request: u8, shown: Writes) {
        let client = self.client(request);
        client.stage = Stage::Answered;
        let floor = client.floor.take().unwrap_or(0);
        self.history.answered(shown, floor + u8::from(!setup.is_read(request)));
    }

    /// The client is told that nothing has happened; it sends the request again.
    pub(crate) fn refuse(&mut self, setup: &Setup, request: u8) {
        let client = self.client(request);
        client.stage = Stage::Idle;
        if !setup.is_keyed(request) {
            client.floor = None;
        }
    }

    /// The client is told that the outcome is unknown, or is told nothing.
    pub(crate) fn leave_unknown(&mut self, setup: &Setup, request: u8) {
        let client = self.client(request);
        match setup.request(request) {
            Request::Write | Request::Replace => {
                (client.stage, client.floor) = (Stage::Unknown, None)
            }
            Request::KeyedWrite => client.stage = Stage::Idle,
            Request::Read => (client.stage, client.floor) = (Stage::Idle, None),
        }
    }

    /// Forgets the object, and returns who had been waiting for a response.
    pub(crate) fn forget(&mut self, at: u8) -> Vec<u8> {
        let memory = self.instance_mut(at).memory.take();
        memory
            .into_iter()
            .flat_map(|memory| memory.waiting)
            .map(|waiting| waiting.request)
            .collect()
    }

    /// What was under way may or may not be in the log, now or later.
    pub(crate) fn lose_track(&mut self, setup: &Setup, at: u8) {
        let mut affected = self.forget(at);
        affected.extend(self.instance_mut(at).held.take());
        self.instance_mut(at).upload = None;
        affected.into_iter().for_each(|request| self.leave_unknown(setup, request));
    }

    /// The process ends; another begins.
    pub(crate) fn crash(&mut self, setup: &Setup, at: u8) {
        self.lose_track(setup, at);
        let instance = self.instance_mut(at);
        *instance =
            Instance { life: instance.life + 1, nonce: instance.nonce, ..Instance::default() };
    }

    /// Time passes everywhere.
    pub(crate) fn tick(&mut self, setup: &Setup) {
        self.store.tick(setup);
        (0..)
            .zip(&mut self.instances)
            .for_each(|(at, instance)| instance.tick(setup, setup.kind(at)));
        self.doubt_what_was_dropped();
    }

    /// A put that is no longer under way will not be answered.
    pub(crate) fn doubt_what_was_dropped(&mut self) {
        let flying: Vec<_> = self.store.flying.iter().map(|put| put.record.id).collect();
        for memory in self.instances.iter_mut().filter_map(|instance| instance.memory.as_mut()) {
            let dropped = memory.appends.iter_mut().filter(|append| {
                append.stage == crate::instance::Stage::Sent && !flying.contains(&append.record.id)
            });
            dropped.for_each(|append| append.stage = crate::instance::Stage::Doubt);
        }
    }

    pub(crate) fn is_leased(setup: &Setup, at: u8) -> bool {
        setup.kind(at) == Kind::Leased
    }
}
