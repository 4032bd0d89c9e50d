//! Durable objects in a bucket. This crate knows no server, no environment and no clock but the one it is given.

mod change;
mod clock;
mod error;
mod iceberg;
mod id;
mod limits;
mod object;
mod router;
mod settings;
mod snapshot;
mod sqlite;
mod store;

pub use change::Value as SqlValue;
pub use clock::{Clock, Instant, Random};
pub use error::{Error, ErrorKind, Result};
pub use id::{CLASS_BYTES_MAX, ID_BYTES_MAX, ObjectId, Tenant, is_class_name};
pub use limits::RETENTION_MIN;
pub use object::{Body, IntoParams, IntoValue, Request, Response, Sql, SqlCursor};
pub use router::{AT_HEADER, At, ID_HEADER, REQUEST_ID_HEADER, Route, Router, TYPE_HEADER, Target, parse_at};
pub use settings::{Checkpoint, CheckpointMode, Settings};
pub use store::{
    AzureConfig, AzureCredentials, Bucket, Entry, GcsConfig, GcsCredentials, Key, Memory, S3Config, S3Credentials, Secret, StoreConfig,
    StoreError, Stored, open, probe,
};
