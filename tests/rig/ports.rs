//! Free ports of the loopback interface.

use std::net::TcpListener;

/// `COUNT` different ports that nobody listens on at this moment. Somebody may before they are
/// used: starts are tried again.
pub(crate) fn free<const COUNT: usize>() -> [u16; COUNT] {
    // All are held until the last is found, so that they differ.
    let held = [(); COUNT]
        .map(|()| TcpListener::bind("127.0.0.1:0").expect("the loopback interface has free ports"));
    held.map(|listener| listener.local_addr().expect("a bound listener has an address").port())
}
