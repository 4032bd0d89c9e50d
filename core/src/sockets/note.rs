//! What is noted in the bucket about a connection that something else holds, by which whatever comes
//! of it finds its object.

use serde::{Deserialize, Serialize};

use crate::id::{ObjectId, Tenant};
use crate::object::{Caller, SealedCaller};
use crate::sockets::event::Place;

/// What is noted about a connection, format version 1.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Note {
    format: u32,
    address: String,
    org: String,
    tenant: String,
    class: String,
    id: String,
    caller: SealedCaller,
}

impl Note {
    /// About the connection at `address` of `caller` to `object`.
    pub(crate) fn new(address: &str, object: &ObjectId, caller: &Caller) -> Self {
        Self {
            format: 1,
            address: address.to_owned(),
            org: object.tenant().org().to_owned(),
            tenant: object.tenant().name().to_owned(),
            class: object.class().to_owned(),
            id: object.id().to_owned(),
            caller: SealedCaller::new(caller),
        }
    }

    /// Where the connection is, its object, and its caller; `None` for anything that
    /// [`Note::new`] has not made.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Place, ObjectId, Caller)> {
        let note: Self =
            serde_json::from_slice(bytes).ok().filter(|note: &Self| note.format == 1)?;
        let tenant = Tenant::new(&note.org, &note.tenant).ok()?;
        let caller = note.caller.opened(&tenant)?;
        let object = tenant.object(&note.class, &note.id).ok()?;
        Some((Place::held(&note.address), object, caller))
    }
}

/// A target for fuzzers: a note, which leads to a connection that something else holds.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_note(data: &[u8]) {
    let Some((place, object, caller)) = Note::read(data) else { return };
    let address = place.held_at().expect("no server has it");
    let again = serde_json::to_vec(&Note::new(address, &object, &caller)).expect("JSON");
    assert_eq!(Note::read(&again), Some((place, object, caller)), "a note says something else");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_leads_to_its_connection_and_other_bytes_to_none() {
        let tenant = Tenant::new("acme", "Eu.1").expect("a tenant");
        let object = tenant.object("Room", "a/b").expect("an object");
        let caller = Caller::new("ada").of_tenant(tenant);
        let note = serde_json::to_vec(&Note::new("a/b/c=", &object, &caller)).expect("JSON");
        let (place, found, by) = Note::read(&note).expect("a good note");
        assert_eq!((place.held_at(), found, by), (Some("a/b/c="), object, caller));
        assert_ne!(place.socket, Place::held("a/b/d=").socket);
        assert!(place.server().is_none());
        for at in 0..note.len() {
            assert!(Note::read(&note[..at]).is_none(), "cut off after {at} bytes");
            let mut other = note.clone();
            other[at] ^= 0x01;
            fuzz_note(&other);
        }
    }
}
