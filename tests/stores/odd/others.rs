//! The answers of stores with a protocol of their own, as their documentation shows them.

use dotdo_core::{AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Secret, StoreConfig};
use dotdo_tests::{Asked, Odd};

use super::table::Is::{Done, Found, Missing, Refused, Taken, Unclear};
use super::table::{Case, OK, PAGE, XML, answer, case};
use Asked::{Create, Delete, Get, List, Put};

/// A service account's key that is not exchanged for tokens, as emulators take it.
const KEY: &str = r#"{"private_key": "sesame-secret", "private_key_id": "1", "client_email": "a@example.com", "disable_oauth": true}"#;

/// How a Google bucket at this address is reached.
pub(super) fn google(odd: &Odd) -> StoreConfig {
    StoreConfig::Gcs(GcsConfig {
        bucket: "promises".to_owned(),
        prefix: "google".to_owned(),
        endpoint: Some(odd.endpoint()),
        credentials: GcsCredentials::ServiceAccountKey(Secret::new(KEY)),
    })
}

/// How an Azure container at this address is reached.
pub(super) fn azure(odd: &Odd) -> StoreConfig {
    StoreConfig::Azure(AzureConfig {
        account: "account".to_owned(),
        container: "promises".to_owned(),
        prefix: "azure".to_owned(),
        endpoint: Some(odd.endpoint()),
        credentials: AzureCredentials::AccessKey(Secret::new("c2VzYW1lLXNlY3JldA==")),
    })
}

/// Google's client does without a tag, not without a date.
const DATE: &str = "last-modified: Sun, 01 Nov 2026 08:00:00 GMT";

const G_FAILED: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold.</Message><Details>x-goog-if-generation-match</Details></Error>";
const G_SLOW: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
const G_AWAY: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ServiceUnavailable</Code><Message>Service unavailable. Please retry.</Message></Error>";
const G_NO_KEY: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
const G_NO_BUCKET: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>";
const G_DENIED: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access denied.</Message></Error>";
const G_ANONYMOUS: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>AuthenticationRequired</Code><Message>Authentication required.</Message></Error>";
const G_INTERNAL: &str = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>";

/// Those of Google Cloud Storage.
pub(super) const GOOGLE: &[Case] = &[
    case("a generation", Create, answer("412 Precondition Failed", &[XML], G_FAILED), Taken),
    case("a generation without a word", Create, answer("412 Precondition Failed", &[], ""), Taken),
    case(
        "too many creates",
        Create,
        answer("429 Too Many Requests", &[XML], G_SLOW),
        Unclear("SlowDown"),
    ),
    case(
        "too many creates, and when to come again",
        Create,
        answer("429 Too Many Requests", &["retry-after: 1"], ""),
        Unclear("429"),
    ),
    case("a conflict of writes", Create, answer("409 Conflict", &[], ""), Unclear("409")),
    case(
        "a service that is away",
        Create,
        answer("503 Service Unavailable", &[XML], G_AWAY),
        Unclear("ServiceUnavailable"),
    ),
    case(
        "a put while it is away",
        Put,
        answer("503 Service Unavailable", &[XML], G_AWAY),
        Unclear("ServiceUnavailable"),
    ),
    case(
        "a create that failed by its body",
        Create,
        answer(OK, &[XML], G_INTERNAL),
        Unclear("InternalError"),
    ),
    case("a gateway's error", Get, answer("502 Bad Gateway", &[], PAGE), Unclear("502")),
    case("a missing key", Get, answer("404 Not Found", &[XML], G_NO_KEY), Missing),
    case(
        "a missing bucket",
        Get,
        answer("404 Not Found", &[XML], G_NO_BUCKET),
        Refused("NoSuchBucket"),
    ),
    case("a plain ETag of an object", Get, answer(OK, &["etag: abc", DATE], "one"), Found("one")),
    case(
        "nobody's create",
        Create,
        answer("401 Unauthorized", &[XML], G_ANONYMOUS),
        Refused("AuthenticationRequired"),
    ),
    case(
        "a create that is forbidden",
        Create,
        answer("403 Forbidden", &[XML], G_DENIED),
        Refused("AccessDenied"),
    ),
    case(
        "a listing of too many",
        List,
        answer("429 Too Many Requests", &[XML], G_SLOW),
        Unclear("SlowDown"),
    ),
];

const A_EXISTS: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobAlreadyExists</Code><Message>The specified blob already exists.\nRequestId:0\nTime:2026-11-01T08:00:00.0Z</Message></Error>";
const A_FALSE: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ConditionNotMet</Code><Message>The condition specified using HTTP conditional header(s) is not met.</Message></Error>";
const A_ENDING: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ContainerBeingDeleted</Code><Message>The specified container is being deleted. Try operation later.</Message></Error>";
const A_BUSY: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ServerBusy</Code><Message>The server is busy.</Message></Error>";
const A_TIMED: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>OperationTimedOut</Code><Message>Operation could not be completed within the specified time.</Message></Error>";
const A_NO_BLOB: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>The specified blob does not exist.</Message></Error>";
const A_NO_CONTAINER: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ContainerNotFound</Code><Message>The specified container does not exist.</Message></Error>";
const A_UNSIGNED: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message></Error>";
const A_EMPTY: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"http://account\" ContainerName=\"promises\"><Blobs /><NextMarker /></EnumerationResults>";

/// Those of Azure Blob Storage.
pub(super) const AZURE: &[Case] = &[
    case("a blob that exists", Create, answer("409 Conflict", &[XML], A_EXISTS), Taken),
    case(
        "a condition that is false",
        Create,
        answer("412 Precondition Failed", &[XML], A_FALSE),
        Taken,
    ),
    case(
        "a container that ends",
        Create,
        answer("409 Conflict", &[XML], A_ENDING),
        Unclear("ContainerBeingDeleted"),
    ),
    case("a conflict without a word", Create, answer("409 Conflict", &[], ""), Unclear("409")),
    case(
        "a busy account",
        Create,
        answer("503 Server Busy", &[XML], A_BUSY),
        Unclear("ServerBusy"),
    ),
    case(
        "a busy account, and when to come again",
        Create,
        answer("503 Server Busy", &[XML, "retry-after: 10"], A_BUSY),
        Unclear("ServerBusy"),
    ),
    case(
        "a create that took too long",
        Create,
        answer("500 Internal Server Error", &[XML], A_TIMED),
        Unclear("OperationTimedOut"),
    ),
    case(
        "a read while busy",
        Get,
        answer("503 Server Busy", &[XML], A_BUSY),
        Unclear("ServerBusy"),
    ),
    case("a missing blob", Get, answer("404 Not Found", &[XML], A_NO_BLOB), Missing),
    case(
        "a missing container",
        Get,
        answer("404 Not Found", &[XML], A_NO_CONTAINER),
        Refused("ContainerNotFound"),
    ),
    case(
        "a wrong key",
        Create,
        answer("403 Forbidden", &[XML], A_UNSIGNED),
        Refused("AuthenticationFailed"),
    ),
    case("an empty listing", List, answer(OK, &[XML], A_EMPTY), Found("")),
    case(
        "a listing while busy",
        List,
        answer("503 Server Busy", &[XML], A_BUSY),
        Unclear("ServerBusy"),
    ),
    case(
        "a delete while busy",
        Delete,
        answer("503 Server Busy", &[XML], A_BUSY),
        Unclear("ServerBusy"),
    ),
    case("a create without an ETag", Create, answer("201 Created", &[], ""), Done),
];
