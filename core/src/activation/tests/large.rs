//! Changes that fit into no record.

use super::*;
use crate::log::set_record_bytes_max;

/// Adds a blob of so many bytes as the query says.
struct Blobs;

impl DurableObject for Blobs {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let bytes: i64 =
            request.uri().query().and_then(|query| query.parse().ok()).unwrap_or_default();
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS blobs (content BLOB)", ())?;
        ctx.sql().exec("INSERT INTO blobs VALUES (zeroblob(?))", (bytes,))?;
        let count: i64 = ctx.sql().exec("SELECT count(*) FROM blobs", ())?.one()?;
        Ok(Response::new(count.to_string().into()))
    }
}

#[tokio::test]
async fn a_request_that_fits_into_no_record_fails_alone() {
    set_record_bytes_max(1 << 20);
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::of(App::new().class("Counter", || Blobs));
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        assert_eq!(get(&engine, "/?1").await.expect("it fits"), "1");
        let mut answers =
            join_all([get(&engine, "/?2"), get(&engine, "/?2000000"), get(&engine, "/?3")]).await;
        let third = answers.pop().expect("three").expect("it fits");
        let refused = answers.pop().expect("two").expect_err("it fits into no record");
        assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
        assert_eq!(
            (answers.pop().expect("one").expect("it fits").as_str(), third.as_str()),
            ("2", "3")
        );
        assert_eq!(get(&engine, "/?4").await.expect("the object goes on"), "4");
    }
}
