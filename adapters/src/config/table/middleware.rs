//! Who may come in, and what is done with every request.

use crate::auth::is_skip_path;
use crate::config::knob::{Knob, Slot, list, secret};

/// What stands between the clients and the objects, from the outside in.
pub(super) static MIDDLEWARE: &[Knob] = &[
    Knob::new(
        "auth.tokens",
        secret!(edge.auth.tokens),
        "The bearer tokens of those who may come in, separated by commas, each of at least 32 letters, digits or `-._~+/`. With it every request \
         needs the header `Authorization: Bearer …` with one of them, and other addresses than loopback can be served. \
         `openssl rand -hex 32` makes a good one.",
    ),
    Knob::new(
        "auth.skip_paths",
        list!("paths, such as /health, or /do/Public/* for everything below one", is_skip_path, edge.auth.skip_paths),
        "The paths that need no token. A request that names its object in a header needs one whatever its path.",
    ),
];
