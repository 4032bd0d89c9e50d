//! What the start of a Vercel function is compared with: Vercel's own library and an answer that
//! needs nothing.

use vercel_runtime::{Error, Request, Response, ResponseBody, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(|_: Request| async { Ok::<_, Error>(Response::new(ResponseBody::from("0"))) }))
        .await
}
