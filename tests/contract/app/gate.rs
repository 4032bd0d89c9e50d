//! Gates: a handler says to the test that it has come so far, and goes on when the test lets it.

use dotdo::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Says `word` at the gate that listens on `address`, and waits there until it opens.
pub(crate) async fn pass(address: &str, word: &str) -> Result<()> {
    let closed = |cause: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("the gate {address}: {cause}"))
    };
    let mut gate = TcpStream::connect(address).await.map_err(closed)?;
    gate.write_all(format!("{word}\n").as_bytes()).await.map_err(closed)?;
    gate.read_u8().await.map_err(closed)?;
    Ok(())
}
