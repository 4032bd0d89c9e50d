//! The realms of one bundle: each has a part of the objects, by their ids, or answers a part of the
//! requests in front, and ends alone.
//!
//! Promises: an object's events run in one realm; a realm that has ended is replaced by a new one
//! with the next event, in which values are made anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;

use dotdo::engine::Random;
use dotdo::engine::sync::Mutex;
use dotdo::{Error, ErrorKind, ObjectId, Result};
use tokio::sync::{Semaphore, oneshot};

use crate::assets::Assets;
use crate::bodies::{Arrived, Ended};
use crate::engine::Parts;
use crate::event::{Answer, Failed, Fault, Head};
use crate::fetching::Fetcher;
use crate::limits::{REALMS_MAX, RESUMING_MAX};
use crate::machine::Machine;
use crate::realm::Realm;
use crate::wire;

/// All realms of a bundle.
pub(crate) struct Realms {
    parts: Arc<Parts>,
    random: Arc<dyn Random>,
    fetcher: Fetcher,
    /// Places for slices that wait for a realm in a turn.
    pub(crate) resuming: Semaphore,
    /// Those of objects, and as many of the worker in front: an object that ends its realm leaves the
    /// request that has called it.
    places: Vec<Place>,
    /// Realms for the next places that need one, so that these need not wait for it.
    spare: Mutex<Vec<Realm>>,
    /// The last number that was given to an event, an instance or a realm.
    numbers: AtomicU64,
    /// The place whose turn it is to answer a request in front.
    turn: AtomicUsize,
}

/// The place of a realm, in which there is none before the first event and after a fault.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) realm: tokio::sync::Mutex<Option<Realm>>,
    /// Instances and requests in front that have left memory since the last event.
    gone: Mutex<Vec<u64>>,
    /// Events that have not ended, and who waits for them.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Ended>>>,
    /// Number of operations of the worker that are under way.
    pub(crate) operations: AtomicUsize,
}

impl Realms {
    /// A realm for objects for each thread, and as many in front. The first is loaded, wherever its place
    /// will be, and tells what the bundle exports.
    ///
    /// # Errors
    ///
    /// `Invalid` when something is wrong with the bundle.
    pub(crate) fn start(
        parts: Arc<Parts>,
        Machine { random, threads: count, private_networks, .. }: Machine,
    ) -> Result<(Self, String)> {
        let (fetcher, resuming) = (Fetcher::new(private_networks), Semaphore::new(RESUMING_MAX));
        let places = (0..2 * count.clamp(1, REALMS_MAX)).map(|_| Place::default()).collect();
        let realms = Self {
            parts,
            random,
            fetcher,
            resuming,
            places,
            spare: Mutex::default(),
            numbers: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
        };
        let (loaded, exported) = mpsc::channel();
        let first = realms.make(loaded)?;
        let exported = exported.recv().unwrap_or_else(|_| Err("its thread has ended".to_owned()));
        let exported =
            exported.map_err(|text| Error::invalid(format!("cannot load the worker: {text}")))?;
        realms.spare.lock().push(first);
        Ok((realms, exported))
    }

    /// Begins to load another realm: a first request needs one in front and one of an object.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the system has no thread left.
    pub(crate) fn prepare(&self) -> Result<()> {
        let realm = self.make(mpsc::channel().0)?;
        self.spare.lock().push(realm);
        Ok(())
    }

    pub(crate) fn assets(&self) -> Option<&Assets> {
        self.parts.assets.as_ref()
    }

    /// Reads an asset for code: the answer of the operation `id`.
    pub(crate) async fn asset(&self, id: u64, head: Head) -> (Answer, Option<Arrived>) {
        let read = async {
            let url =
                url::Url::parse(&head.url).map_err(|cause| Error::invalid(cause.to_string()))?;
            let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
            let uri = path.parse().map_err(|_| Error::invalid("the URL has no path of HTTP"))?;
            let method = http::Method::from_bytes(head.method.as_bytes());
            let method = method.map_err(|_| Error::invalid("it is no method of HTTP"))?;
            let assets = self.assets().ok_or_else(|| Error::invalid("there are no assets"))?;
            let headers = wire::headers_of(&head.headers)?;
            let (parts, body) = assets.fetch(&method, &uri, &headers).await?.into_parts();
            let headers = wire::texts(&parts.headers);
            let status = parts.status.as_u16();
            let answer = Answer { call: id, status, headers, ..Answer::default() };
            Ok::<_, Error>((answer, Some(Arrived::of(body).await?)))
        };
        read.await.unwrap_or_else(|error| {
            (Answer { call: id, error: Some(Failed::of(&error)), ..Answer::default() }, None)
        })
    }

    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The next number, which is given once.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the place of an object.
    pub(crate) fn place_of(&self, object: &ObjectId) -> usize {
        let hash = blake3::hash(object.to_string().as_bytes());
        usize::from(hash.as_bytes()[0]) % (self.places.len() / 2)
    }

    pub(crate) fn place(&self, number: usize) -> &Place {
        &self.places[number]
    }

    /// The number of the place for the next request in front.
    pub(crate) fn next(&self) -> usize {
        let half = self.places.len() / 2;
        half + self.turn.fetch_add(1, Ordering::Relaxed) % half
    }

    /// The realm in a place that is locked.
    ///
    /// # Errors
    ///
    /// `Unavailable` when a new one can't be started.
    pub(crate) fn in_place<'a>(&self, place: &'a mut Option<Realm>) -> Result<&'a Realm> {
        let realm = match place.take() {
            Some(realm) => realm,
            None => self.spared().map_or_else(|| self.make(mpsc::channel().0), Ok)?,
        };
        Ok(place.insert(realm))
    }

    /// The realm that has waited for a place for the longest time.
    fn spared(&self) -> Option<Realm> {
        let mut spare = self.spare.lock();
        (!spare.is_empty()).then(|| spare.remove(0))
    }

    fn make(&self, loaded: mpsc::Sender<std::result::Result<String, String>>) -> Result<Realm> {
        Realm::start(self.parts.clone(), self.random.clone(), self.number(), loaded)
    }

    /// What clients and logs are told of a realm's end.
    pub(crate) fn error_of(&self, fault: &Fault) -> Error {
        tracing::error!(target: "dotdo::javascript", ?fault, "a realm has ended; its objects are made anew");
        let ms = self.parts.time_max.as_millis();
        match fault {
            Fault::Time => Error::new(
                ErrorKind::TimedOut,
                format!("JavaScript computed for more than {ms} ms and was stopped"),
            )
            .with_code("CPU_LIMIT"),
            Fault::Memory => Error::handler(format!(
                "JavaScript used more than {} MiB of memory and was stopped",
                crate::limits::MEMORY_BYTES_MAX >> 20
            ))
            .with_code("MEMORY_LIMIT"),
            Fault::Broken(text) => {
                Error::internal(format!("the realm of an object has failed: {text}"))
                    .confidential("the server failed while it ran JavaScript; its log has details")
            }
        }
    }
}

/// Locks a realm from a turn that can't await it. What it may wait for is another slice, which never
/// waits for a turn.
pub(crate) fn lock_at_once(
    realm: &tokio::sync::Mutex<Option<Realm>>,
) -> tokio::sync::MutexGuard<'_, Option<Realm>> {
    realm.try_lock().unwrap_or_else(|_| tokio::task::block_in_place(|| realm.blocking_lock()))
}

impl Place {
    /// An instance has left memory, or a request in front.
    pub(crate) fn forget(&self, instance: u64) {
        self.gone.lock().push(instance);
    }

    /// Those that have left memory since this was asked last.
    pub(crate) fn take_gone(&self) -> Vec<u64> {
        std::mem::take(&mut *self.gone.lock())
    }

    /// Waits for the end of `event`, whoever brings it about.
    pub(crate) fn wait_for(&self, event: u64) -> oneshot::Receiver<Ended> {
        let (ended, waiting) = oneshot::channel();
        self.waiting.lock().insert(event, ended);
        waiting
    }

    /// `event` has ended.
    pub(crate) fn settle(&self, event: u64, ended: Ended) {
        let waiting = self.waiting.lock().remove(&event);
        if let Some(waiting) = waiting {
            // Who has waited may be gone.
            drop(waiting.send(ended));
        }
    }

    /// Nobody waits for `event` any more.
    pub(crate) fn wait_no_more(&self, event: u64) {
        self.waiting.lock().remove(&event);
    }
}
