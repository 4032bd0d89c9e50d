//! Authentication between servers: TLS 1.3 in which both sides prove that they have the key that is
//! derived from the shared secret.
//!
//! The key is a raw public key (RFC 7250), so there is nothing to issue, nothing that expires and
//! no name to check. The receiver is authenticated before the sender sends any HTTP, and the sender
//! before the receiver reads any. There are no tickets and no early data, so nothing can be
//! replayed.
//!
//! Must not know: HTTP, objects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig,
    SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::secrets::Keys;

/// The protocol inside. A server with another version can't be used: requests then wait for the
/// lease.
const PROTOCOL: &[u8] = b"dotdo/1";

/// The first byte of a connection that begins with TLS (a handshake record). No method of HTTP
/// begins with it.
pub(crate) const FIRST_BYTE: u8 = 0x16;

/// Timeout for authentication.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// The seed of an Ed25519 key as PKCS #8 (RFC 8410 section 7) begins with this.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Both sides of the servers' TLS.
pub(crate) struct Identity {
    pub(super) client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// Accepts connections whose other side proves that it is a server of the same bucket.
#[derive(Clone)]
pub(crate) struct Acceptor(TlsAcceptor);

impl Identity {
    /// Of a server with the first of `keys`, to those with any of them.
    ///
    /// # Errors
    ///
    /// `Internal` when the cryptography does not know these kinds of keys.
    pub(super) fn new(keys: &Keys) -> Result<Self> {
        let failed = |cause: rustls::Error| {
            Error::internal(format!("cannot set up TLS between servers: {cause}"))
        };
        Self::made(keys).map_err(failed)
    }

    fn made(keys: &Keys) -> std::result::Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let signers: Vec<_> = keys
            .identities()
            .map(|seed| signer(&provider, seed))
            .collect::<std::result::Result<_, _>>()?;
        let accepted: Vec<_> =
            signers.iter().map(public_key).collect::<std::result::Result<_, _>>()?;
        let (own, public) = (Arc::clone(&signers[0]), accepted[0].clone());
        let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], own));
        let ours =
            Arc::new(Ours { accepted, algorithms: provider.signature_verification_algorithms });

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(ours.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&key),
            )));
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(ours)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// Accepts connections of other servers.
    pub(super) fn acceptor(&self) -> Acceptor {
        Acceptor(TlsAcceptor::from(Arc::clone(&self.server)))
    }
}

impl Acceptor {
    /// The connection, once its other side is authenticated; `None` if that fails.
    pub(crate) async fn accept<I: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: I,
    ) -> Option<TlsStream<I>> {
        match tokio::time::timeout(HANDSHAKE_MAX, self.0.accept(io)).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(PROTOCOL) => Some(stream),
            Ok(Ok(_)) => None,
            Ok(Err(cause)) => {
                tracing::debug!(%cause, "a connection from another server failed authentication");
                None
            }
            Err(_) => None,
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

fn signer(
    provider: &CryptoProvider,
    seed: &[u8; 32],
) -> std::result::Result<Arc<dyn SigningKey>, rustls::Error> {
    let der = [&PKCS8_PREFIX[..], seed].concat();
    provider.key_provider.load_private_key(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)))
}

fn public_key(signer: &Arc<dyn SigningKey>) -> std::result::Result<Vec<u8>, rustls::Error> {
    let key = signer
        .public_key()
        .ok_or_else(|| rustls::Error::General("the key has no public part".to_owned()))?;
    Ok(key.to_vec())
}

/// Accepts a peer that has one of the keys.
#[derive(Debug)]
struct Ours {
    accepted: Vec<Vec<u8>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Ours {
    fn check(&self, key: &CertificateDer<'_>) -> std::result::Result<(), rustls::Error> {
        let is_ours = self.accepted.iter().any(|accepted| accepted.as_slice() == key.as_ref());
        if is_ours { Ok(()) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }

    fn signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(key.as_ref()),
            signed,
            &self.algorithms,
        )
    }
}

/// The error for a version of TLS that neither side offers.
fn old() -> rustls::Error {
    rustls::Error::General("servers speak TLS 1.3 to each other".to_owned())
}

impl ServerCertVerifier for Ours {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        self.check(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Ours {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        self.check(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Err(old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
