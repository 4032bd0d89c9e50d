//! The way of forwarding, chosen once at startup.

use std::net::SocketAddr;
use std::sync::Arc;

use dotdo_core::{Error, Ownership, Peers, Result, Secret};
use uuid::Uuid;

use super::fly::{self, Replay};
use super::forwarded::ForwardedRequests;
use super::proxy::Proxy;
use super::secrets::{Keys, first, place};
use super::tls::{Acceptor, Identity};
use crate::config::{Config, Forwarding};

/// The way of forwarding.
pub(crate) enum Plan {
    /// Not at all.
    Off,
    /// Over HTTP and the servers' own TLS, with a shared secret.
    Proxy {
        /// The address under which others reach this server. A process with per-request ownership
        /// needs none.
        address: Option<String>,
        /// The shared secret; during a rotation, the one that this server uses.
        secret: Secret,
        /// The keys of all secrets.
        keys: Keys,
        /// The two sides of the TLS.
        identity: Identity,
    },
    /// By Fly's proxy.
    Fly {
        /// This machine.
        machine: String,
    },
}

impl Plan {
    /// The plan of a server that listens at `bound`.
    ///
    /// # Errors
    ///
    /// `Invalid` when a setting for the configured way is missing.
    pub(crate) fn new(config: &Config, bound: SocketAddr) -> Result<Self> {
        let machine = config.fly_machine.clone();
        let reachable = config.settings.ownership == Ownership::Leased;
        let own = || (reachable && !bound.ip().is_unspecified()).then(|| format!("http://{bound}"));
        let address = config.settings.address.clone().or_else(own);
        match (config.forwarding, machine, config.peer_secret.clone()) {
            (Forwarding::Auto | Forwarding::FlyReplay, Some(machine), _)
                if fly::is_machine(&machine) =>
            {
                Ok(Self::Fly { machine })
            }
            (Forwarding::Auto | Forwarding::FlyReplay, Some(machine), _) => {
                Err(fly::no_machine(&machine))
            }
            (Forwarding::FlyReplay, None, _) => {
                Err(lacks("forwarding is fly-replay, but FLY_MACHINE_ID is not set"))
            }
            (Forwarding::Auto | Forwarding::Proxy, _, Some(secret)) => {
                let address = checked(address, config.settings.ownership)?;
                let keys = Keys::new(&secret);
                Ok(Self::Proxy {
                    address,
                    secret: first(&secret),
                    identity: Identity::new(&keys)?,
                    keys,
                })
            }
            (Forwarding::Proxy, _, None) => Err(lacks(
                "forwarding is proxy, but DOTDO_PEER_SECRET is not set; set the same secret on all servers of the bucket",
            )),
            (Forwarding::Auto | Forwarding::Off, ..) => Ok(Self::Off),
        }
    }

    /// The address of this server.
    pub(crate) fn address(&self) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Proxy { address, .. } => address.clone(),
            Self::Fly { machine } => Some(format!("{}{machine}", fly::ADDRESS_PREFIX)),
        }
    }

    /// The signed address for records of this server with the process id `me`; `None` keeps the
    /// setting. It is signed because anyone with access to the bucket could write addresses.
    pub(crate) fn told_address(&self, me: Uuid) -> Option<String> {
        match self {
            Self::Proxy { address, keys, .. } => {
                address.as_ref().map(|address| keys.signed(address, me))
            }
            Self::Off | Self::Fly { .. } => self.address(),
        }
    }

    /// The acceptor for connections of other servers, if there are any.
    pub(crate) fn acceptor(&self) -> Option<Acceptor> {
        match self {
            Self::Proxy { identity, .. } => Some(identity.acceptor()),
            Self::Off | Self::Fly { .. } => None,
        }
    }

    /// The shared secret, if it is used for forwarding.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Proxy { secret, .. } => Some(secret),
            Self::Off | Self::Fly { .. } => None,
        }
    }

    /// The client for other servers.
    pub(crate) fn peers(&self, me: Uuid) -> Option<Arc<dyn Peers>> {
        match self {
            Self::Off => None,
            Self::Proxy { keys, identity, .. } => {
                Some(Arc::new(Proxy::new(keys.clone(), identity, me)))
            }
            Self::Fly { machine } => Some(Arc::new(Replay { machine: machine.clone() })),
        }
    }

    /// How requests of other servers are accepted.
    pub(crate) fn forwarded_requests(&self, me: Uuid) -> ForwardedRequests {
        match self {
            Self::Off => ForwardedRequests::Closed,
            Self::Proxy { .. } => ForwardedRequests::Peers(me),
            Self::Fly { .. } => ForwardedRequests::Fly,
        }
    }

    /// The name of the way, for the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Proxy { .. } => "proxy",
            Self::Fly { .. } => "fly-replay",
        }
    }
}

/// The address of a server, if others can use it.
fn checked(address: Option<String>, ownership: Ownership) -> Result<Option<String>> {
    match address {
        Some(address) if place(&address).is_none() => Err(lacks(&format!(
            "address: expected http://host:port because servers forward to each other, got {address:?}; servers encrypt their connections themselves, on the port that this server listens on"
        ))),
        None if ownership == Ownership::Leased => Err(lacks(
            "DOTDO_PEER_SECRET is set, but this server listens on all addresses; set DOTDO_ADDRESS to the one under which other servers reach it, such as http://10.0.0.7:8787, or set DOTDO_FORWARDING=off",
        )),
        address => Ok(address),
    }
}

fn lacks(what: &str) -> Error {
    Error::invalid(what).with_code("BAD_CONFIG")
}
