//! What the subscriber of one test gets although tests on other threads have none.

use std::sync::LazyLock;

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

/// Lets the subscriber of this thread get every event, whichever thread reaches its callsite first.
///
/// While a process has only one subscriber, tracing-core asks the default one *of the thread* that
/// reaches a callsite first, and keeps the answer for all threads (`Rebuilder::JustOne` in its
/// `callsite` module). A thread without a subscriber so turns a callsite off for the test that
/// listens. As soon as there are two, each of them is asked, whoever comes first; the second one is
/// kept here.
pub(crate) fn ask_every_subscriber() {
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
}
