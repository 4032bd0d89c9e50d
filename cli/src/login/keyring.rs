//! The system's keyring: Keychain, Credential Manager, or the Secret Service.
//!
//! Promises: an answer within [`ANSWER_MAX`], even while a keyring waits to be unlocked.

use std::sync::mpsc;
use std::time::Duration;

use dotdo::engine::Secret;
use keyring::{Entry, Error};

use crate::failure::plain;

/// The name under which keyrings show the entries.
const SERVICE: &str = "dotdo";
/// How long a keyring may take; it may ask its user for a password.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Why a keyring does not do what it is asked.
pub(super) struct NoKeyring(pub(super) String);

/// Stores a text.
pub(super) fn store(name: &str, text: &Secret) -> Result<(), NoKeyring> {
    let text = text.reveal().to_owned();
    with_entry(name, move |entry| entry.set_password(&text))
}

/// Reads a text; `None` when there is none.
pub(super) fn read(name: &str) -> Result<Option<Secret>, NoKeyring> {
    with_entry(name, |entry| match entry.get_password() {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(Error::NoEntry) => Ok(None),
        Err(other) => Err(other),
    })
}

/// Removes a text, if there is one.
pub(super) fn remove(name: &str) -> Result<(), NoKeyring> {
    with_entry(name, |entry| match entry.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(other) => Err(other),
    })
}

/// Runs `work` on the entry `name`, on a thread that may be left behind.
fn with_entry<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&Entry) -> keyring::Result<T> + Send + 'static,
) -> Result<T, NoKeyring> {
    let (tell, told) = mpsc::channel();
    let name = name.to_owned();
    std::thread::spawn(move || {
        let outcome = Entry::new(SERVICE, &name).and_then(|entry| work(&entry));
        // Nobody waits any more if it took too long.
        let _ = tell.send(outcome.map_err(|error| NoKeyring(reason(&error))));
    });
    told.recv_timeout(ANSWER_MAX).unwrap_or_else(|_| {
        Err(NoKeyring(format!("it does not answer within {} s", ANSWER_MAX.as_secs())))
    })
}

/// What went wrong, without the text: some errors have it.
fn reason(error: &Error) -> String {
    match error {
        Error::PlatformFailure(cause) | Error::NoStorageAccess(cause) => plain(&cause.to_string()),
        Error::TooLong(_, most) => format!("it takes at most {most} characters"),
        Error::NoDefaultStore => match Entry::store_status() {
            Err(Error::PlatformFailure(cause) | Error::NoStorageAccess(cause)) => {
                plain(&cause.to_string())
            }
            _ => "there is none".to_owned(),
        },
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "its entry is damaged".to_owned(),
        Error::Ambiguous(_) => "it has several entries of that name".to_owned(),
        _ => "it refuses".to_owned(),
    }
}
