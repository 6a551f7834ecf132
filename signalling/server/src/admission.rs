//! Who may connect at all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections, in total and by address.
#[derive(Debug)]
pub(crate) struct Admission {
    max_total: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    /// None for this machine.
    network: Option<IpAddr>,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    Total,
    Address,
}

impl Admission {
    pub(crate) fn new(max_total: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            max_total,
            max_per_address,
            counts: Mutex::default(),
        })
    }

    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, TurnedAway> {
        let network = network_of(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.max_total {
            return Err(TurnedAway::Total);
        }
        if let Some(network) = network {
            let count = counts.by_network.entry(network).or_default();
            if *count >= self.max_per_address {
                return Err(TurnedAway::Address);
            }
            *count += 1;
        }
        counts.total += 1;
        Ok(Permit {
            admission: self.clone(),
            network,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self
            .admission
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        let Some(network) = self.network else { return };
        if let Some(count) = counts.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.by_network.remove(&network);
            }
        }
    }
}

/// What counts as one address: a site gets 64 bits of IPv6 to itself. None for this machine.
fn network_of(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_free_again_once_its_connection_is_gone() {
        let admission = Admission::new(2, 2);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        let _second = admission.admit(ip("192.0.2.2")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.3")).unwrap_err(), TurnedAway::Total);
        drop(first);
        let _third = admission.admit(ip("192.0.2.3")).unwrap();
    }

    #[test]
    fn one_address_cannot_take_all_places_and_nothing_is_kept_of_addresses_that_left() {
        let admission = Admission::new(10, 1);
        let held = admission.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.1")).unwrap_err(), TurnedAway::Address);
        assert_eq!(
            admission.admit(ip("::ffff:192.0.2.1")).unwrap_err(),
            TurnedAway::Address
        );
        drop(held);
        assert!(admission.counts.lock().unwrap().by_network.is_empty());
        let _again = admission.admit(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let admission = Admission::new(10, 1);
        let _held = admission.admit(ip("2001:db8::1")).unwrap();
        assert_eq!(
            admission.admit(ip("2001:db8::ffff:1")).unwrap_err(),
            TurnedAway::Address
        );
        let _other = admission.admit(ip("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn this_machine_is_counted_in_total_only() {
        let admission = Admission::new(3, 1);
        let _held: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1"]
            .map(|address| admission.admit(ip(address)).unwrap())
            .into();
        assert_eq!(admission.admit(ip("127.0.0.1")).unwrap_err(), TurnedAway::Total);
    }
}
