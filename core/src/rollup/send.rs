//! Talks to the roll-up of a class.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::activation::Activations;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::ROLLUP_PIECE_BYTES;
use crate::messages::Delivery;
use crate::object::{Body, Request};
use crate::rollup::message::{Answer, Held, Item, Piece, What, Writer, read_answer};
use crate::rollup::names::rollup_of;
use crate::rollup::since::{Copy, Since};

/// What was done for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Nothing,
    Changed,
    Copied,
    Removed,
}

/// The roll-up of a class, which is told what has become of its objects. What is small is said
/// together.
pub(super) struct Link<'a> {
    activations: &'a Arc<Activations>,
    rollup: ObjectId,
    /// As whom it is told.
    sender: ObjectId,
    tables: Arc<[String]>,
    writer: Writer,
    /// What the message that is being put together does, and up to which record.
    said: Vec<(String, u64, Done)>,
    pub(super) outcomes: BTreeMap<String, Result<Done>>,
}

impl<'a> Link<'a> {
    /// The roll-up of `class` of `tenant`.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NOT_ROLLED_UP`) when the program rolls nothing of the class up.
    pub(super) fn to(
        activations: &'a Arc<Activations>,
        (tenant, class): (&Tenant, &str),
    ) -> Result<Self> {
        let tables = activations.runtime.app.rolled_up(class).ok_or_else(|| {
            let text = format!("expected a class with tables for analytics, got {class:?}");
            Error::invalid(text).with_code("NOT_ROLLED_UP")
        })?;
        Ok(Self {
            activations,
            rollup: rollup_of(tenant, class)?,
            sender: tenant.object(class, class)?,
            writer: Writer::new(&tables),
            tables,
            said: Vec::new(),
            outcomes: BTreeMap::new(),
        })
    }

    pub(super) fn tables(&self) -> &[String] {
        &self.tables
    }

    /// What the roll-up has of these objects.
    pub(super) async fn ask(&self, objects: Vec<String>) -> Result<BTreeMap<String, Held>> {
        self.say(Writer::new(&self.tables).ask(objects)).await.map(|answer| answer.objects)
    }

    /// What the roll-up has, by object.
    pub(super) async fn ask_all(&self) -> Result<BTreeMap<String, Held>> {
        self.say(Writer::new(&self.tables).ask_all()).await.map(|answer| answer.objects)
    }

    /// Tells what has become of an object. The outcome is known after [`Link::finish`].
    pub(super) async fn tell(&mut self, object: &str, since: Since) {
        match since {
            Since::Nothing => _ = self.outcomes.insert(object.to_owned(), Ok(Done::Nothing)),
            Since::Gone { to } => {
                let item = Item { object: object.to_owned(), to, what: What::Gone, bytes: 0 };
                self.add(item, &[], Done::Removed).await;
            }
            Since::Changes(steps) => {
                for step in steps {
                    let what = What::Changes { from: step.from };
                    let item = Item { object: object.to_owned(), to: step.to, what, bytes: 0 };
                    self.add(item, &step.rows, Done::Changed).await;
                }
            }
            Since::Copy(copy) => self.copy(object, copy).await,
        }
    }

    async fn copy(&mut self, object: &str, copy: Copy) {
        let name = self.activations.runtime.uuid().to_string();
        let count = copy.pieces.len();
        let (mut tables, mut schema) = (copy.tables, copy.schema);
        for (number, rows) in copy.pieces.iter().enumerate() {
            let piece = Piece {
                copy: name.clone(),
                number: number as u64,
                is_last: number + 1 == count,
                tables: std::mem::take(&mut tables),
                schema: std::mem::take(&mut schema),
            };
            let is_last = piece.is_last;
            let item =
                Item { object: object.to_owned(), to: copy.to, what: What::Copy(piece), bytes: 0 };
            if is_last {
                self.add(item, rows, Done::Copied).await;
            } else {
                self.make_room(rows.len()).await;
                self.writer.push(item, rows);
            }
        }
    }

    async fn add(&mut self, item: Item, rows: &[u8], done: Done) {
        self.make_room(rows.len()).await;
        self.said.push((item.object.clone(), item.to, done));
        self.writer.push(item, rows);
    }

    /// Sends what there is if `bytes` more would be too much.
    async fn make_room(&mut self, bytes: usize) {
        if !self.writer.is_empty() && self.writer.bytes() + bytes > ROLLUP_PIECE_BYTES {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        let writer = std::mem::replace(&mut self.writer, Writer::new(&self.tables));
        let said = std::mem::take(&mut self.said);
        let answer = self.say(writer).await;
        for (object, to, done) in said {
            let outcome = match &answer {
                Ok(answer) => taken(answer.objects.get(&object), to).map(|()| done),
                Err(error) => Err(error.clone()),
            };
            // A step after one that was not taken is not taken either.
            self.outcomes.insert(object, outcome);
        }
    }

    /// Sends the rest, and returns what was done for each object, or why it was not.
    pub(super) async fn finish(mut self) -> BTreeMap<String, Result<Done>> {
        if !self.writer.is_empty() {
            self.flush().await;
        }
        self.outcomes
    }

    async fn say(&self, writer: Writer) -> Result<Answer> {
        let runtime = self.activations.runtime.as_ref();
        let host = runtime.host.upgrade();
        let host = host.ok_or_else(|| Error::new(ErrorKind::Busy, "the server is stopping"))?;
        let mut request = Request::new(Body::from(writer.finish()?));
        *request.method_mut() = http::Method::POST;
        request.extensions_mut().insert(Delivery { sender: self.sender.clone(), number: 0 });
        let _place = runtime.couriers.acquire(self.rollup.tenant()).await;
        let response = host.fetch(&self.rollup, None, request).await?;
        read_answer(&response.into_body().bytes().await?)
    }
}

/// Checks that a roll-up has an object up to the record `to`.
fn taken(held: Option<&Held>, to: u64) -> Result<()> {
    let held = held.cloned().unwrap_or_default();
    match held.error {
        Some(error) => Err(Error::handler(error).with_code("NOT_ROLLED_UP")),
        None if held.sequence >= to => Ok(()),
        None => {
            let text = format!(
                "expected the roll-up to have record {to} of the object, got {}; another process may be copying it",
                held.sequence
            );
            Err(Error::new(ErrorKind::Busy, text))
        }
    }
}
