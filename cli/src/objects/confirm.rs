//! Asks before something is done that the next command can't undo.

use crate::failure::Failure;
use crate::terminal;

/// Asks whether to do it.
///
/// # Errors
///
/// `Usage` without a terminal, with what to do; `Failed` when the answer is no.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    if !terminal::is_attended() {
        return Err(Failure::Usage(format!(
            "{question} there is no terminal to answer on; use --yes"
        )));
    }
    let agrees = terminal::agrees(question);
    match agrees.map_err(|cause| Failure::of("cannot read the answer", cause))? {
        true => Ok(()),
        false => Err(Failure::Failed("nothing was changed".to_owned())),
    }
}
