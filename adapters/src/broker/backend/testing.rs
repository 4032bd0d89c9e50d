//! A token service for tests: the client of a server on this machine.

use dotdo_core::{AwsSigner, S3Config, S3Credentials, Secret};

use super::{Sts, StsSettings};

/// The secret key of the broker.
pub(in crate::broker) const SECRET: &str = "hunter2-of-the-broker";

/// The token service at `endpoint`, to which a caller's JWT is sent if `web_identity` says so.
pub(in crate::broker) fn sts(endpoint: String, web_identity: bool) -> Sts {
    let settings = StsSettings {
        endpoint,
        region: "eu-west-1".to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/dotdo".to_owned(),
        bucket: "bucket".to_owned(),
        web_identity,
    };
    let store = S3Config {
        bucket: "bucket".to_owned(),
        credentials: S3Credentials::Keys {
            access_key_id: "AKID".to_owned(),
            secret_access_key: Secret::new(SECRET),
            session_token: None,
        },
        ..S3Config::default()
    };
    let signer = AwsSigner::new(&store).expect("a configuration with keys");
    Sts::new(settings, signer).expect("a client")
}
