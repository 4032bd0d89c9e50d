//! Signs requests to other AWS services with the credentials of a bucket (Signature Version 4).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::HttpRequestBody;

use super::super::config::{S3Config, S3Credentials};
use super::build::{Place, client, no_retry};
use super::s3::signer;
use crate::error::{Error, ErrorKind, Result};

/// Signs requests to an AWS service, such as the token service (STS), with the credentials of an S3
/// bucket.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use dotdo::bytes::Bytes;
/// use dotdo::engine::{AwsSigner, S3Config, S3Credentials, Secret};
/// use dotdo::http::Request;
///
/// let credentials = S3Credentials::Keys {
///     access_key_id: "AKIA…".to_owned(),
///     secret_access_key: Secret::new("…"),
///     session_token: None,
/// };
/// let config = S3Config { bucket: "state".to_owned(), credentials, ..S3Config::default() };
/// let ask = Request::post("https://sts.amazonaws.com/")
///     .body(Bytes::from("Action=GetCallerIdentity"))?;
/// let signed = AwsSigner::new(&config)?.sign(ask, "sts", "us-east-1").await?;
/// assert!(signed.headers().contains_key("authorization"));
/// # Ok(())
/// # });
/// ```
pub struct AwsSigner {
    credentials: AwsCredentialProvider,
}

impl AwsSigner {
    /// A signer with the credentials of `config`. Nothing is sent until a request is signed, and
    /// then only to where the platform gives out its identity.
    ///
    /// # Errors
    ///
    /// `Invalid` when the configuration has no credentials that can sign.
    pub fn new(config: &S3Config) -> Result<Self> {
        let place = Place::new("s3", &config.bucket, &config.prefix)?;
        let builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(config.region.as_deref().unwrap_or("us-east-1"))
            .with_client_options(client())
            .with_retry(no_retry());
        let store = identified(builder, &config.credentials)?
            .build()
            .map_err(|error| place.wrong(&error))?;
        Ok(Self { credentials: Arc::clone(store.credentials()) })
    }

    /// `request` with the headers of its signature for `service` in `region`.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the platform does not give out its identity now.
    pub async fn sign(
        &self,
        request: Request<Bytes>,
        service: &str,
        region: &str,
    ) -> Result<Request<Bytes>> {
        // The client's own text may repeat an answer with keys.
        let silent = |_| {
            Error::new(
                ErrorKind::Unavailable,
                "the platform does not give credentials to sign with",
            )
            .with_code("NO_CREDENTIALS")
        };
        let credential = self.credentials.get_credential().await.map_err(silent)?;
        let (head, body) = request.into_parts();
        let mut signed = Request::from_parts(head, HttpRequestBody::from(body.clone()));
        AwsAuthorizer::new(&credential, service, region)
            .try_authorize(&mut signed, None)
            .map_err(|_| Error::internal("a request to an AWS service can't be signed"))?;
        Ok(signed.map(|_| body))
    }
}

/// `builder` with credentials that can sign for other services.
fn identified(builder: AmazonS3Builder, credentials: &S3Credentials) -> Result<AmazonS3Builder> {
    match credentials {
        S3Credentials::Keys { access_key_id, secret_access_key, session_token } => {
            let builder = builder
                .with_access_key_id(access_key_id)
                .with_secret_access_key(secret_access_key.reveal());
            Ok(session_token
                .iter()
                .fold(builder, |builder, token| builder.with_token(token.reveal())))
        }
        S3Credentials::Instance => Ok(builder),
        S3Credentials::Task { relative_uri } => Ok(builder
            .with_config(AmazonS3ConfigKey::ContainerCredentialsRelativeUri, relative_uri)),
        S3Credentials::Pod { full_uri, token_file } => Ok(builder
            .with_config(AmazonS3ConfigKey::ContainerCredentialsFullUri, full_uri)
            .with_config(
                AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
                token_file.to_string_lossy(),
            )),
        S3Credentials::Provided(keys) => Ok(builder.with_credentials(signer(keys))),
        S3Credentials::Unsigned => Err(Error::invalid(
            "requests to the token service need keys or the platform's identity; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
        .with_code("BAD_CONFIG")),
    }
}

impl fmt::Debug for AwsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsSigner(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::config::Secret;
    use super::*;

    #[tokio::test]
    async fn a_request_is_signed_for_its_service_and_never_shows_the_secret() {
        let config = S3Config {
            bucket: "bucket".to_owned(),
            credentials: S3Credentials::Keys {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret_access_key: Secret::new("hunter2-hunter2"),
                session_token: Some(Secret::new("session")),
            },
            ..S3Config::default()
        };
        let signer = AwsSigner::new(&config).expect("a configuration with keys");
        let request = Request::post("https://sts.us-east-1.amazonaws.com/")
            .body(Bytes::from_static(b"Action=AssumeRole"))
            .expect("a request");
        let signed = signer.sign(request, "sts", "us-east-1").await.expect("a signature");
        let header = |name: &str| signed.headers()[name].to_str().expect("text").to_owned();
        let authorization = header("authorization");
        assert!(
            authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
            "{authorization}"
        );
        assert!(authorization.contains("/us-east-1/sts/aws4_request"), "{authorization}");
        assert_eq!(header("x-amz-security-token"), "session");
        assert_eq!(signed.body(), "Action=AssumeRole");
        assert!(!format!("{signed:?} {signer:?}").contains("hunter2"));
    }
}
