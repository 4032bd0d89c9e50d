//! Which object a request reaches, and what it sees there.

use dotdo_tests::scratch;

use crate::host::{Host, bytes, post};
use crate::setup;

pub(crate) async fn an_object_is_found_by_its_path_and_counts(host: &dyn Host) {
    let folder = scratch();
    let program = host.start(&setup(&format!("file://{}", folder.path().display()))).await;
    for count in 1..=3 {
        let answer = program.send(post("/do/Mirror/a/own", "")).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &*bytes(answer).await), (200, format!("{{\"count\":{count}}}").as_bytes()));
    }
}
