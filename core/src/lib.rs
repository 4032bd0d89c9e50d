//! Durable objects in a bucket. This crate knows no server, no environment and no clock but the one
//! it is given.

mod budget;
mod change;
mod clock;
mod directory;
mod engine;
mod error;
mod executor;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod iceberg;
mod id;
mod instance;
mod lease;
mod limits;
mod log;
mod object;
mod past;
mod peers;
mod planted;
mod restore;
mod router;
mod segment;
mod settings;
#[cfg(test)]
mod simulation;
mod snapshot;
mod sqlite;
mod store;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace;

pub use budget::{Account, Budget, Charge, Use};
pub use change::{Value, ValueRef};
pub use clock::{Clock, Instant, Random};
pub use directory::{Directory, Ear, Holding, News};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use executor::{Executor, Inline};
pub use id::{CLASS_BYTES_MAX, ID_BYTES_MAX, ObjectId, Tenant, is_class_name};
pub use instance::Components;
pub use lease::FencingToken;
pub use limits::{HOPS_MAX, RETENTION_MIN};
pub use object::{
    App, Body, Context, Delivery, DurableObject, IDEMPOTENCY_KEY_HEADER,
    IDEMPOTENCY_REPLAYED_HEADER, Identity, IntoParams, IntoValue, ListOptions, RemoteObject,
    Request, Response, Sql, SqlCursor, Storage, json,
};
pub use peers::{Forward, Journey, NotTaken, Owner, Passed, PeerError, Peers, Received};
pub use router::{
    AT_HEADER, At, ID_HEADER, OBJECT_AT, OBJECT_HEADERS, OBJECT_ID, OBJECT_TYPE, ObjectHeader,
    REQUEST_ID_HEADER, Route, Router, TYPE_HEADER, Target, names_object, parse_at,
};
pub use settings::{Checkpoint, CheckpointMode, Ownership, Settings};
pub use store::{
    AzureConfig, AzureCredentials, Bucket, Entry, GcsConfig, GcsCredentials, Key, Memory, S3Config,
    S3Credentials, Secret, StoreConfig, StoreError, Stored, open, probe,
};
