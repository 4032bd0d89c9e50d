//! What the start of a Lambda function is compared with: AWS's own library and an answer that needs
//! nothing.

use lambda_http::{Body, Error, Response, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(|_| async { Ok::<_, Error>(Response::new(Body::from("0"))) })).await
}
