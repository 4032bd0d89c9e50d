//! What statements take is reserved before, where a transaction has a reservation.

use std::sync::{Arc, Mutex};

use super::super::super::{Memory, Reservation};
use super::*;

/// Memory that somebody else has as well: how much is left, and what is reserved of it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<(u64, [u64; 2])>>);

struct Part {
    shared: Shared,
    taken: [u64; 2],
}

impl Shared {
    fn new(left: u64) -> Self {
        Self(Arc::new(Mutex::new((left, [0; 2]))))
    }

    fn part(&self) -> Box<dyn Reservation> {
        Box::new(Part { shared: self.clone(), taken: [0; 2] })
    }

    fn reserved(&self, memory: Memory) -> u64 {
        self.0.lock().expect("nobody panics with it").1[memory as usize]
    }
}

impl Reservation for Part {
    fn temporary_bytes(&self) -> u64 {
        0
    }

    fn try_grow(&mut self, memory: Memory, bytes: u64) -> Result<u64> {
        let bytes = bytes.max(256 << 10);
        let mut shared = self.shared.0.lock().expect("nobody panics with it");
        let spent = || crate::Error::new(ErrorKind::Busy, "spent").with_code("MEMORY_EXHAUSTED");
        shared.0 = shared.0.checked_sub(bytes).ok_or_else(spent)?;
        shared.1[memory as usize] += bytes;
        self.taken[memory as usize] += bytes;
        Ok(bytes)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut shared = self.shared.0.lock().expect("nobody panics with it");
        shared.0 += self.taken.iter().sum::<u64>();
        for (reserved, taken) in shared.1.iter_mut().zip(self.taken) {
            *reserved -= taken;
        }
    }
}

#[test]
fn what_statements_take_is_reserved_before_and_given_back_with_the_transaction() {
    let shared = Shared::new(64 << 20);
    let mut database = Database::new(&LIMITS).expect("a database opens");
    fill(&mut database);
    for end in [Database::rollback, |database: &mut Database| database.commit().expect("it can")] {
        database.begin_reserved(Mode::ReadWrite, shared.part()).expect("a transaction begins");
        assert_eq!(shared.reserved(Memory::Temporary), 0);
        let bytes = database.bytes();
        rows(&mut database, "UPDATE t SET b = b || 'x'", Vec::new()).expect("it runs");
        let pages = database.page_bytes();
        rows(&mut database, "INSERT INTO t VALUES (-1, zeroblob(900000))", Vec::new())
            .expect("it runs");
        let reserved = Memory::ALL.map(|memory| shared.reserved(memory));
        assert!(
            database.bytes() - bytes <= reserved.iter().sum(),
            "from {bytes} to {}, with {reserved:?}",
            database.bytes()
        );
        assert!(database.page_bytes() - pages <= reserved[0], "what is not there yet is reserved");
        end(&mut database);
        assert_eq!(Memory::ALL.map(|memory| shared.reserved(memory)), [0, 0]);
    }
    database.begin_reserved(Mode::ReadWrite, shared.part()).expect("a transaction begins");
    rows(&mut database, "UPDATE t SET b = b || 'y'", Vec::new()).expect("it runs");
    drop(database);
    assert_eq!(shared.reserved(Memory::Temporary), 0, "also when the database ends first");
}

#[test]
fn a_statement_for_which_nothing_can_be_reserved_fails_and_the_object_goes_on() {
    let grows = "INSERT INTO t SELECT NULL, hex(randomblob(400)) FROM t";
    for sql in HUNGRY.into_iter().chain([grows]) {
        let mut database = Database::new(&LIMITS).expect("a database opens");
        fill(&mut database);
        let before = dump(&mut database);
        let shared = Shared::new(500 << 10);
        database.begin_reserved(Mode::ReadWrite, shared.part()).expect("a transaction begins");
        rows(&mut database, "INSERT INTO t VALUES (-1, 'lost')", Vec::new()).expect("it runs");
        let error = rows(&mut database, sql, Vec::new()).expect_err(sql);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "MEMORY_EXHAUSTED"), "{sql}");
        let lost = database.prepare_commit().expect_err("the transaction is lost");
        assert_eq!(lost.code(), "MEMORY_EXHAUSTED", "{sql}");
        database.rollback();
        assert_same(&before, &dump(&mut database), sql);
        database.begin_reserved(Mode::ReadWrite, shared.part()).expect("a transaction begins");
        rows(&mut database, "INSERT INTO t VALUES (-1, 'kept')", Vec::new()).expect("it runs");
        database.commit().expect("it commits");
    }
}
