//! Durable objects in a bucket. Must not know: servers, the environment, real clocks.

mod activation;
mod administration;
mod alarms;
mod budget;
mod change;
mod class_ends;
mod clock;
mod cluster;
mod engine;
mod error;
mod executor;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod iceberg;
mod id;
mod idempotency;
mod image;
mod inspection;
mod lease;
mod limits;
mod log;
mod messages;
#[doc(hidden)]
pub mod millis;
mod object;
mod planted;
mod rollup;
mod router;
mod segment;
mod settings;
#[cfg(test)]
mod simulation;
mod snapshot;
mod sockets;
mod sqlite;
mod stack;
mod store;
#[doc(hidden)]
pub mod sync;
mod tenants;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace;

pub use activation::{Components, Deleted, Precondition, Replaced};
pub use administration::{Administration, Executed, SnapshotName, StatementRows, Statements};
pub use alarms::{AlarmInfo, Weekdays, next_cron_time};
pub use budget::{Account, Budget, Charge, Use};
pub use change::{Value, ValueRef};
pub use clock::{Clock, Instant, Random};
pub use cluster::{
    Directory, Forward, Forwarded, Holding, Listener, NotTaken, Owner, OwnershipChange, PeerError,
    Peers, Received, RequestContext,
};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use executor::{Executor, Inline};
pub use id::{
    CLASS_BYTES_MAX, ID_BYTES_MAX, ObjectId, TENANT_NAME_BYTES_MAX, Tenant, TenantClaims,
    is_class_name,
};
pub use idempotency::{IDEMPOTENCY_KEY_HEADER, IDEMPOTENCY_REPLAYED_HEADER, idempotency_key};
pub use image::{SqliteColumn, SqliteFile, SqliteObject, SqliteTable};
pub use inspection::{
    AlarmItem, Answer, ClassItem, ColumnItem, DatabaseFile, DatabaseItem, Description, Fault,
    Finding, IcebergMetadata, IcebergTables, Inspection, LogItem, MessagesItem, ObjectItem,
    ObjectPage, ObjectQuery, OwnerItem, RowQuery, SchedulesItem, SnapshotItem, SnapshotsItem,
    Statement, TableItem, Totals, Verification,
};
pub use lease::FencingToken;
pub use limits::{HOPS_MAX, RETENTION_MIN};
pub use messages::Delivery;
pub use object::{
    App, Body, Caller, Class, Context, DurableObject, Identity, IntoParams, IntoResponse,
    IntoValue, Json, ListOptions, MISSING_SCOPE, Matcher, Message, RemoteObject, Request,
    RequestExt, Response, ResultExt, Schedule, Scope, Scopes, SealedCaller, Sql, SqlCursor, Stay,
    Step, Storage, Stub, Taken, Turns, WebSocket, When, json, message_answer, message_request,
};
pub use rollup::RolledUp;
pub use router::{
    AT_HEADER, Administered, At, CATALOG, ID_HEADER, OBJECT_AT, OBJECT_HEADERS, OBJECT_ID,
    OBJECT_TYPE, ObjectHeader, REQUEST_ID_HEADER, Route, Router, Subject, TYPE_HEADER, Target,
    names_object, no_object, parse_at,
};
pub use settings::{Checkpoint, CheckpointMode, Ownership, Settings, Upkeep};
pub use sockets::{
    GatewaySocket, Handshake, HeldConnection, SocketClose, SocketConnection, SocketEnd,
    SocketFrame, SocketMessage, SocketPart, SocketTransport, TransportError,
};
pub use store::{
    AccessKeyProvider, AccessKeys, AccessKeysError, AzureConfig, AzureCredentials, Bucket, Entry,
    Files, GcsConfig, GcsCredentials, Key, Memory, Names, Part, ProvidedKeys, S3Config,
    S3Credentials, Secret, StoreConfig, StoreError, StoreTime, Stored, Stores, check_store, open,
    open_files, probe, retried,
};
#[cfg(feature = "s3")]
pub use store::{AwsSigner, S3Opener};
pub use tenants::{BucketOfTenant, Buckets, SHARED_FOLDERS, SharedBucket, with_log};
