//! The address under which other servers reach this one, if the platform knows more than the
//! socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dotdo_core::Ownership;
use tokio::net::{UdpSocket, lookup_host};

use crate::config::{Config, Forwarding};
use crate::platforms::Reached;

/// Timeout to resolve names of the private network.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// The announced address: the configured one, otherwise, if requests are forwarded over HTTP, the
/// one from the platform. `None` if it is unknown or not needed.
pub(crate) async fn own_address(config: &Config, bound: SocketAddr) -> Option<String> {
    let forwards = match config.forwarding {
        Forwarding::Proxy => true,
        Forwarding::Auto => config.peer_secret.is_some() && config.fly_machine.is_none(),
        Forwarding::Off | Forwarding::FlyReplay => false,
    };
    let said = config.settings.address.clone();
    if said.is_some()
        || !forwards
        || config.settings.ownership != Ownership::Leased
        || !bound.ip().is_unspecified()
    {
        return said;
    }
    let port = bound.port();
    match config.reached.as_ref()? {
        Reached::At(address) => Some(match address.parse() {
            Ok(ip) => format!("http://{}", SocketAddr::new(ip, port)),
            Err(_) => format!("http://{address}:{port}"),
        }),
        Reached::Beside(name) => {
            Some(match tokio::time::timeout(LOOKUP_MAX, beside(name, port)).await.ok().flatten() {
                Some(ip) => format!("http://{}", SocketAddr::new(ip, port)),
                None => {
                    tracing::warn!(
                        name,
                        "cannot find this server's own address; other servers reach it by a name that it may share"
                    );
                    format!("http://{name}:{port}")
                }
            })
        }
    }
}

/// This machine's address on the network of `name`: the source address of packets to it. No packet
/// is sent.
async fn beside(name: &str, port: u16) -> Option<IpAddr> {
    let other = lookup_host((name, port)).await.ok()?.next()?;
    let any: IpAddr =
        if other.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(other).await.ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use dotdo_core::Secret;

    use super::*;

    fn forwarding(reached: Reached) -> Config {
        Config {
            peer_secret: Some(Secret::new("s".repeat(32))),
            reached: Some(reached),
            ..Config::default()
        }
    }

    async fn address(config: &Config, bound: &str) -> Option<String> {
        own_address(config, bound.parse().expect("an address")).await
    }

    #[tokio::test]
    async fn the_platform_s_address_is_told_where_the_socket_has_none() {
        let pod = |ip: &str| forwarding(Reached::At(ip.to_owned()));
        assert_eq!(
            address(&pod("10.1.2.3"), "0.0.0.0:80").await.as_deref(),
            Some("http://10.1.2.3:80")
        );
        assert_eq!(
            address(&pod("fdaa::3"), "[::]:80").await.as_deref(),
            Some("http://[fdaa::3]:80")
        );
        assert_eq!(address(&pod("10.1.2.3"), "127.0.0.1:80").await, None);
        let said = Config {
            settings: dotdo_core::Settings {
                address: Some("http://said".to_owned()),
                ..Default::default()
            },
            ..pod("10.1.2.3")
        };
        assert_eq!(address(&said, "0.0.0.0:80").await.as_deref(), Some("http://said"));
    }

    #[tokio::test]
    async fn without_forwarding_nothing_is_announced() {
        let pod = || forwarding(Reached::At("10.1.2.3".to_owned()));
        assert_eq!(
            address(&Config { forwarding: Forwarding::Off, ..pod() }, "0.0.0.0:80").await,
            None
        );
        assert_eq!(address(&Config { peer_secret: None, ..pod() }, "0.0.0.0:80").await, None);
        assert_eq!(
            address(&Config { fly_machine: Some("m1".to_owned()), ..pod() }, "0.0.0.0:80").await,
            None
        );
    }

    #[tokio::test]
    async fn the_own_address_is_found_on_the_network_of_a_shared_name() {
        let found =
            address(&forwarding(Reached::Beside("localhost".to_owned())), "0.0.0.0:80").await;
        assert!(
            matches!(found.as_deref(), Some("http://127.0.0.1:80" | "http://[::1]:80")),
            "{found:?}"
        );
        let found =
            address(&forwarding(Reached::Beside("nowhere.invalid".to_owned())), "0.0.0.0:80").await;
        assert_eq!(found.as_deref(), Some("http://nowhere.invalid:80"));
    }
}
