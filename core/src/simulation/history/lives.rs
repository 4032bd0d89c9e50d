//! Whether what clients were told of objects that are deleted, and begin anew, can be true.
//!
//! The list of such an object does not only grow, so an answer has no place in one order of writes.
//! What is checked instead is what a deletion promises, and what it must not be blamed for: what was
//! there before an end is not there after it, and what is not there any more was ended.

use super::{Ask, History, Operation, Outcome};

/// A list that somebody has seen, some time between two moments.
struct View<'a> {
    what: String,
    began: u64,
    ended: u64,
    list: &'a [i64],
}

impl History {
    /// Checks everything that was seen of objects some of which were deleted.
    ///
    /// # Errors
    ///
    /// What can't be true, in a sentence.
    pub(in super::super) fn check_lives(&self, finals: &[Vec<i64>]) -> Result<(), String> {
        for (object, list) in finals.iter().enumerate() {
            for view in self.views(object, list) {
                self.check_view(object, &view)
                    .map_err(|what| format!("object {object}: {what}, but {}", view.what))?;
            }
        }
        let wrong = self.operations.iter().find_map(|operation| match &operation.ended {
            Some((_, Outcome::Wrong(error))) => Some((operation.request.number, error)),
            _ => None,
        });
        wrong.map_or(Ok(()), |(number, error)| Err(format!("operation {number}: {error}")))
    }

    /// What was seen of an object, and its list in the end.
    fn views<'a>(&'a self, object: usize, list: &'a [i64]) -> Vec<View<'a>> {
        let end = View {
            what: format!("in the end there is {list:?}"),
            began: u64::MAX,
            ended: u64::MAX,
            list,
        };
        let seen = self.operations.iter().filter_map(|operation| {
            let (request, (ended, outcome)) = (operation.request, operation.ended.as_ref()?);
            let Outcome::List(list) = outcome else { return None };
            let is_present = !request.antics.ends && !matches!(request.ask, Ask::Past(_));
            (request.object == object && is_present).then(|| View {
                what: format!("operation {} saw {list:?}", request.number),
                began: operation.began,
                ended: *ended,
                list,
            })
        });
        seen.chain([end]).collect()
    }

    fn check_view(&self, object: usize, view: &View<'_>) -> Result<(), String> {
        for (place, value) in view.list.iter().enumerate() {
            if view.list[..place].contains(value) {
                return Err(format!("{value} is there twice"));
            }
            let write =
                self.appends(object).find(|write| write.request.ask.value() == Some(*value));
            let write = write.ok_or_else(|| format!("nobody wrote {value}"))?;
            if matches!(write.ended, Some((_, Outcome::Nothing(_)))) {
                return Err(format!("{value} was promised to be undone"));
            }
            let Some((written, Outcome::List(_))) = write.ended else { continue };
            let is_between = |end: &Operation| {
                let ended =
                    matches!(end.ended, Some((ended, Outcome::List(_))) if ended < view.began);
                ended && written < end.began
            };
            if let Some(end) = self.ends(object).find(|end| is_between(end)) {
                return Err(format!(
                    "{value} was there before operation {} deleted the object",
                    end.request.number
                ));
            }
        }
        self.appends(object).try_for_each(|write| self.check_kept(object, view, write))
    }

    /// What was acknowledged is there, unless the object may have been deleted since.
    fn check_kept(&self, object: usize, view: &View<'_>, write: &Operation) -> Result<(), String> {
        let Some((written, Outcome::List(_))) = write.ended else { return Ok(()) };
        let is_there = write.request.ask.value().is_some_and(|value| view.list.contains(&value));
        if is_there || written >= view.began {
            return Ok(());
        }
        let may_explain = |end: &Operation| {
            let happened_by = match &end.ended {
                Some((_, Outcome::Nothing(_))) => return false,
                Some((ended, Outcome::List(_))) => *ended,
                _ => u64::MAX,
            };
            end.began < view.ended && happened_by > write.began
        };
        if self.ends(object).any(may_explain) {
            return Ok(());
        }
        Err(format!("operation {} was answered and nobody deleted it", write.request.number))
    }

    fn appends(&self, object: usize) -> impl Iterator<Item = &Operation> {
        let is_append = |operation: &&Operation| matches!(operation.request.ask, Ask::Append(_));
        let of = self.operations.iter().filter(move |operation| operation.request.object == object);
        of.filter(is_append).filter(|operation| !operation.request.antics.ends)
    }

    fn ends(&self, object: usize) -> impl Iterator<Item = &Operation> {
        let of = self.operations.iter().filter(move |operation| operation.request.object == object);
        of.filter(|operation| {
            operation.request.antics.ends && matches!(operation.request.ask, Ask::Append(_))
        })
    }
}

mod tests {
    use super::super::{Antics, Request};
    use super::*;

    /// A history of one object: what was asked, when it began and ended, and what was seen.
    fn history(operations: &[(Option<i64>, [u64; 2], &[i64])]) -> History {
        let mut history = History::default();
        for (number, (value, [began, ended], seen)) in operations.iter().enumerate() {
            let ask = Ask::Append(value.unwrap_or_default());
            let antics = Antics { ends: value.is_none(), ..Antics::default() };
            let request = Request { number, object: 0, ask, keyed: false, antics };
            let began = history.begin(request, *began);
            history.end(began.number, *ended, Outcome::List(seen.to_vec()));
        }
        history
    }

    #[test]
    fn what_was_deleted_does_not_come_back_and_nothing_else_goes() {
        let good =
            history(&[(Some(1), [1, 2], &[1]), (None, [3, 4], &[]), (Some(2), [5, 6], &[2])]);
        good.check_lives(&[vec![2]]).expect("it can be");
        let back = good.check_lives(&[vec![1, 2]]).expect_err("1 was deleted");
        assert!(back.contains("1 was there before operation 1"), "{back}");
        let lost = good.check_lives(&[vec![]]).expect_err("2 was not deleted");
        assert!(lost.contains("operation 2 was answered"), "{lost}");
        // One of them may have been first.
        let together = history(&[(Some(1), [1, 4], &[1]), (None, [2, 3], &[])]);
        together.check_lives(&[vec![1]]).expect("it was written after the end");
        together.check_lives(&[vec![]]).expect("it was written before the end");
    }
}
