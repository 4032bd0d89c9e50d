//! Records, and the history that the checker keeps beside the store to judge by.

use crate::writes::Writes;

/// Tells a record from every other: its nonce. Instances count theirs, so that equal histories make
/// equal states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RecordId {
    pub(crate) instance: u8,
    pub(crate) nonce: u8,
}

/// What a put sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) id: RecordId,
    /// Which life of the writer wrote it: a restarted process is another writer.
    pub(crate) life: u8,
    pub(crate) sequence: u8,
    /// Stands for the hash of the record before.
    pub(crate) previous: Option<RecordId>,
    pub(crate) writes: Writes,
    /// For how many ticks its writer may answer from memory; 0: not at all.
    pub(crate) lease: u8,
    /// The state after it, if that does not follow from the state before.
    pub(crate) anew: Option<Anew>,
}

/// A whole state that a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Anew {
    /// The number of the file that holds it.
    pub(crate) file: u8,
    pub(crate) writes: Writes,
}

/// What really happened, as nobody in the model can see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct History {
    /// The record that filled each slot first, with what it wrote. A slot that was freed does not
    /// forget.
    first: Vec<Option<(RecordId, Writes)>>,
    /// The longest list that any answer has shown.
    pub(crate) seen: u8,
    /// Somebody was told that it won a slot that another record had filled first.
    pub(crate) two_winners: bool,
    /// An answer showed a state that was not in the log, or one from before the request.
    pub(crate) wrong_answer: bool,
}

impl History {
    pub(crate) fn filled(&mut self, record: &Record) {
        let slot = usize::from(record.sequence - 1);
        if self.first.len() <= slot {
            self.first.resize(slot + 1, None);
        }
        self.first[slot].get_or_insert((record.id, record.writes));
    }

    /// An instance believes that its record is in the log.
    pub(crate) fn told_won(&mut self, record: &Record) {
        let first = self.first.get(usize::from(record.sequence - 1)).copied().flatten();
        self.two_winners |= first.is_none_or(|(id, _)| id != record.id);
    }

    /// An answer shows the list `shown`; the request began when `floor` writes had been shown to
    /// somebody.
    pub(crate) fn answered(&mut self, shown: Writes, floor: u8) {
        self.wrong_answer |= shown.len() < floor || !shown.is_prefix_of(self.writes());
        self.seen = self.seen.max(shown.len());
    }

    /// Everything that was written, in the order of the log.
    pub(crate) fn writes(&self) -> Writes {
        let mut writes = Writes::default();
        self.first.iter().map_while(|first| *first).for_each(|(_, more)| writes.extend(more));
        writes
    }

    /// How many instances have written something.
    pub(crate) fn writers(&self) -> usize {
        let mut writers: Vec<u8> = self.first.iter().flatten().map(|(id, _)| id.instance).collect();
        writers.sort_unstable();
        writers.dedup();
        writers.len()
    }
}
