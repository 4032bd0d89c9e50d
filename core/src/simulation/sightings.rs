//! What was seen of the objects beside the lists in answers: everything else in their databases,
//! and former states.

use std::collections::BTreeMap;

use crate::router::At;
use crate::simulation::schemas::Reference;

/// What was seen of all objects.
#[derive(Default)]
pub(super) struct Sightings {
    /// By object and list: what else was there, and the operation that saw it.
    contents: BTreeMap<(usize, Vec<i64>), (usize, String)>,
    /// By object: the record that was asked for, and how long the list was.
    former: Vec<(usize, u64, usize)>,
    /// Two sightings that contradict each other.
    contradiction: Option<String>,
}

impl Sightings {
    /// What `number` saw of `object` beside `list`.
    pub(super) fn content(&mut self, object: usize, number: usize, list: &[i64], content: &str) {
        let (other, before) = self
            .contents
            .entry((object, list.to_vec()))
            .or_insert_with(|| (number, content.to_owned()));
        if before != content {
            let text = format!(
                "object {object}: beside {list:?} operation {other} saw\n{before}\nand operation {number} saw\n{content}"
            );
            self.contradiction.get_or_insert(text);
        }
    }

    /// A read of `object` as it was showed a list.
    pub(super) fn former(&mut self, object: usize, at: At, list: &[i64]) {
        if let At::Sequence(sequence) = at {
            self.former.push((object, sequence, list.len()));
        }
    }

    /// Checks what was seen against what the lists in the end say.
    ///
    /// # Errors
    ///
    /// What can't be true.
    pub(super) fn check(&self, finals: &[Vec<i64>]) -> Result<(), String> {
        if let Some(contradiction) = &self.contradiction {
            return Err(contradiction.clone());
        }
        for (object, list) in finals.iter().enumerate() {
            let mut reference = Reference::new();
            for length in 0..=list.len() {
                if length > 0 {
                    reference.add(list[length - 1]);
                }
                let Some((number, content)) = self.contents.get(&(object, list[..length].to_vec()))
                else {
                    continue;
                };
                let expected = reference.content();
                if *content != expected {
                    let list = &list[..length];
                    return Err(format!(
                        "object {object}: beside {list:?} operation {number} saw\n{content}\nbut there must be\n{expected}"
                    ));
                }
            }
        }
        for (object, sequence, length) in &self.former {
            let later = self.former.iter().find(|(other, later, shorter)| {
                other == object && later >= sequence && shorter < length
            });
            if let Some((_, later, shorter)) = later {
                return Err(format!(
                    "object {object}: as of record {sequence} there were {length} values, as of record {later} {shorter}"
                ));
            }
        }
        Ok(())
    }
}
