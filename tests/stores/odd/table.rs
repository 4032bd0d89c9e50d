//! The answers, and what each means.

use dotdo_tests::{Asked, Then};

/// An odd answer to a request.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) asked: Asked,
    /// Whether the store executes the request.
    pub(super) is_done: bool,
    pub(super) answer: Answer,
    pub(super) then: Then,
    /// Whether only the first request is answered so.
    pub(super) passes: bool,
    pub(super) is: Is,
}

/// What it must mean to the caller.
#[derive(Debug, Clone, Copy)]
pub(super) enum Is {
    /// Success.
    Done,
    /// No such object.
    Missing,
    /// This content, or these keys.
    Found(&'static str),
    /// The key has an object.
    Taken,
    /// Nothing is known, and the same request may succeed; the error says this.
    Unclear(&'static str),
    /// Nothing was done, and nothing will be; the error says this.
    Refused(&'static str),
}

/// A response, with its length unless its headers have one.
pub(super) struct Answer {
    status: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        let mut text = format!("HTTP/1.1 {}\r\n", self.status);
        for header in self.headers {
            text += &format!("{header}\r\n");
        }
        let is_told = |header: &&str| {
            header.starts_with("content-length") || header.starts_with("transfer-encoding")
        };
        if !self.headers.iter().any(is_told) {
            text += &format!("content-length: {}\r\n", self.body.len());
        }
        text + "\r\n" + self.body
    }
}

pub(super) const fn answer(
    status: &'static str,
    headers: &'static [&'static str],
    body: &'static str,
) -> Answer {
    Answer { status, headers, body }
}

/// An answer to every such request, which the store does not execute.
pub(super) const fn case(name: &'static str, asked: Asked, answer: Answer, is: Is) -> Case {
    Case { name, asked, is_done: false, answer, then: Then::Next, passes: false, is }
}

/// The same of a request that the store executes.
const fn done(case: Case) -> Case {
    Case { is_done: true, ..case }
}

/// The same to the first request only.
const fn once(case: Case) -> Case {
    Case { passes: true, ..case }
}

const fn then(case: Case, then: Then) -> Case {
    Case { then, ..case }
}

pub(super) const XML: &str = "content-type: application/xml";
const HTML: &str = "content-type: text/html";
pub(super) const OK: &str = "200 OK";

const CONFLICT: &str =
    "<Error><Code>ConditionalRequestConflict</Code><Message>conflicting</Message></Error>";
const ABORTED: &str = "<Error><Code>OperationAborted</Code><Message>conflicting</Message></Error>";
const FAILED: &str =
    "<Error><Code>PreconditionFailed</Code><Message>one is false</Message></Error>";
const SLOW: &str = "<Error><Code>SlowDown</Code><Message>reduce your rate</Message></Error>";
const INTERNAL: &str =
    "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>again</Message></Error>";
const SKEWED: &str =
    "<Error><Code>RequestTimeTooSkewed</Code><Message>too far apart</Message></Error>";
const UNSIGNED: &str =
    "<Error><Code>SignatureDoesNotMatch</Code><Message>check your key</Message></Error>";
const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
const NO_KEY: &str = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>";
const NO_BUCKET: &str = "<Error><Code>NoSuchBucket</Code><Message>no bucket</Message></Error>";
const UNKNOWN_HEADER: &str = "<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message></Error>";
pub(super) const PAGE: &str = "<!DOCTYPE html>\n<html><body>nginx</body></html>";

const EMPTY_LIST: &str =
    "<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>";
const CUT_LIST: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>";
const CUT_TAG: &str = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>fold";
const UNDELETED: &str = "<DeleteResult><Error><Key>folder/there</Key><Code>InternalError</Code><Message>again</Message></Error></DeleteResult>";

use self::Is::{Done, Found, Missing, Refused, Taken, Unclear};
use Asked::{Create, Delete, Get, List, Put};

/// Every odd answer that is known of stores with the protocol of S3.
pub(super) const CASES: &[Case] = &[
    // Conditions.
    case(
        "a conflict that stored nothing",
        Create,
        answer("409 Conflict", &[XML], CONFLICT),
        Unclear("ConditionalRequestConflict"),
    ),
    done(case(
        "a conflict that stored",
        Create,
        answer("409 Conflict", &[XML], CONFLICT),
        Unclear("ConditionalRequestConflict"),
    )),
    case(
        "an aborted operation",
        Create,
        answer("409 Conflict", &[XML], ABORTED),
        Unclear("OperationAborted"),
    ),
    case("a conflict without a word", Create, answer("409 Conflict", &[], ""), Unclear("409")),
    case("a conflict of a gateway", Create, answer("409 Conflict", &[HTML], PAGE), Unclear("409")),
    case("a failed condition", Create, answer("412 Precondition Failed", &[XML], FAILED), Taken),
    case(
        "a failed condition without a word",
        Create,
        answer("412 Precondition Failed", &[], ""),
        Taken,
    ),
    case(
        "a failed condition as a page",
        Create,
        answer("412 Precondition Failed", &[HTML], PAGE),
        Taken,
    ),
    case("a condition that fails as reads do", Create, answer("304 Not Modified", &[], ""), Taken),
    case(
        "a store without conditions",
        Create,
        answer("501 Not Implemented", &[XML], UNKNOWN_HEADER),
        Refused("NotImplemented: A header you provided implies"),
    ),
    // Successes.
    done(case("a plain ETag", Create, answer(OK, &["etag: abc"], ""), Done)),
    done(case("a weak ETag", Create, answer(OK, &["etag: W/\"abc\""], ""), Done)),
    done(case("no ETag", Create, answer(OK, &[], ""), Done)),
    done(case("a put without an ETag", Put, answer("204 No Content", &[], ""), Done)),
    case("a plain ETag of an object", Get, answer(OK, &["etag: abc"], "one"), Found("one")),
    case("a weak ETag of an object", Get, answer(OK, &["etag: W/\"abc\""], "one"), Found("one")),
    // Errors in a success.
    case(
        "a create that failed by its body",
        Create,
        answer(OK, &[XML], INTERNAL),
        Unclear("InternalError"),
    ),
    case(
        "a put that failed by its body",
        Put,
        answer(OK, &[XML], INTERNAL),
        Unclear("InternalError"),
    ),
    once(case("a put that failed once by its body", Put, answer(OK, &[XML], INTERNAL), Done)),
    case(
        "a read that failed by its body",
        Get,
        answer(OK, &[XML], INTERNAL),
        Unclear("InternalError"),
    ),
    case(
        "a listing that failed by its body",
        List,
        answer(OK, &[XML], INTERNAL),
        Unclear("InternalError"),
    ),
    once(case(
        "a listing that failed once by its body",
        List,
        answer(OK, &[XML], SLOW),
        Found("folder/there"),
    )),
    case("a delete that failed by its body", Delete, answer(OK, &[XML], INTERNAL), Unclear("")),
    case("a delete of which a part failed", Delete, answer(OK, &[XML], UNDELETED), Unclear("")),
    // Too many requests, or too busy.
    case("too many creates", Create, answer("429 Too Many Requests", &[], ""), Unclear("429")),
    case(
        "too many creates, and when to come again",
        Create,
        answer("429 Too Many Requests", &["retry-after: 1"], ""),
        Unclear("429"),
    ),
    once(case(
        "too many reads",
        Get,
        answer("429 Too Many Requests", &["retry-after: 1"], ""),
        Found("one"),
    )),
    once(case(
        "too many reads without a time",
        Get,
        answer("429 Too Many Requests", &[HTML], PAGE),
        Found("one"),
    )),
    case("a busy store", Create, answer("503 Slow Down", &[XML], SLOW), Unclear("SlowDown")),
    done(case(
        "a busy store that stored",
        Create,
        answer("503 Slow Down", &[XML], SLOW),
        Unclear("SlowDown"),
    )),
    once(case("a store that is busy once", Put, answer("503 Slow Down", &[XML], SLOW), Done)),
    once(case(
        "a listing while busy",
        List,
        answer("503 Slow Down", &[XML], SLOW),
        Found("folder/there"),
    )),
    done(case(
        "an error after the write",
        Create,
        answer("500 Internal Server Error", &[XML], INTERNAL),
        Unclear("InternalError"),
    )),
    case(
        "a gateway without a store",
        Get,
        answer("502 Bad Gateway", &[HTML], PAGE),
        Unclear("502"),
    ),
    // What is missing, and what only looks so.
    case("a missing key", Get, answer("404 Not Found", &[XML], NO_KEY), Missing),
    case("a missing key without a word", Get, answer("404 Not Found", &[], ""), Missing),
    case(
        "a missing bucket",
        Get,
        answer("404 Not Found", &[XML], NO_BUCKET),
        Refused("NoSuchBucket"),
    ),
    case("a page of a web server", Get, answer("404 Not Found", &[HTML], PAGE), Refused("404")),
    case(
        "a clock that is wrong",
        Create,
        answer("403 Forbidden", &[XML], SKEWED),
        Refused("set this machine's clock"),
    ),
    once(case(
        "a read with a clock that is wrong",
        Get,
        answer("403 Forbidden", &[XML], SKEWED),
        Refused("RequestTimeTooSkewed"),
    )),
    once(case(
        "a read with a wrong signature",
        Get,
        answer("403 Forbidden", &[XML], UNSIGNED),
        Refused("SignatureDoesNotMatch"),
    )),
    once(case(
        "a read that is forbidden",
        Get,
        answer("403 Forbidden", &[XML], DENIED),
        Refused("AccessDenied"),
    )),
    once(case("a firewall's page", Get, answer("403 Forbidden", &[HTML], PAGE), Refused("403"))),
    // Listings.
    case("an empty listing", List, answer(OK, &[XML], EMPTY_LIST), Found("")),
    case("a listing that is cut between entries", List, answer(OK, &[XML], CUT_LIST), Unclear("")),
    case("a listing that is cut in an entry", List, answer(OK, &[XML], CUT_TAG), Unclear("")),
    once(case(
        "a listing that is cut once",
        List,
        answer(OK, &[XML], CUT_LIST),
        Found("folder/there"),
    )),
    case("a listing that is a page", List, answer(OK, &[HTML], PAGE), Unclear("")),
    case("nothing at all for a listing", List, answer(OK, &[], ""), Unclear("")),
    // Lengths and time.
    then(
        case(
            "a body that is shorter than it says",
            Get,
            answer(OK, &["content-length: 10", "etag: 1"], "one"),
            Unclear(""),
        ),
        Then::End,
    ),
    then(
        case(
            "a listing that is shorter than it says",
            List,
            answer(OK, &["content-length: 4000"], EMPTY_LIST),
            Unclear(""),
        ),
        Then::End,
    ),
    then(
        case(
            "an answer that ends in its head",
            Create,
            answer("200", &["content-length: 0", "x"], ""),
            Unclear(""),
        ),
        Then::End,
    ),
    then(
        case(
            "a body that trickles",
            Get,
            answer(OK, &["content-length: 100000", "etag: 1"], ""),
            Unclear("no response within"),
        ),
        Then::Trickle,
    ),
    then(
        case(
            "a listing that trickles",
            List,
            answer(OK, &["content-length: 100000"], ""),
            Unclear("no response within"),
        ),
        Then::Trickle,
    ),
];
