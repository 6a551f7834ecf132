//! Candidates of ours, as they are told to the peer.

use std::net::IpAddr;

/// The address at which a host behind a one-to-one mapping (a container, a cloud machine) is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicAddress(pub(crate) IpAddr);

impl PublicAddress {
    /// The candidate with its address replaced, if it is a host candidate of the same address family
    /// (RFC 8839, section 5.1); else as it is. Candidates of the other family are passed on unchanged.
    pub(crate) fn apply(self, candidate: &str) -> String {
        let mut fields: Vec<&str> = candidate.split(' ').collect();
        let is_host = fields.get(6) == Some(&"typ") && fields.get(7) == Some(&"host");
        let same_family = fields
            .get(4)
            .and_then(|address| address.parse::<IpAddr>().ok())
            .is_some_and(|address| address.is_ipv4() == self.0.is_ipv4());
        if !is_host || !same_family {
            return candidate.to_owned();
        }
        let address = self.0.to_string();
        fields[4] = &address;
        fields.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "candidate:1 1 UDP 2015363327 10.0.0.7 40001 typ host";

    #[test]
    fn a_host_candidate_is_told_with_the_public_address() {
        let public = PublicAddress("203.0.113.5".parse().expect("an address"));
        assert_eq!(
            public.apply(HOST),
            "candidate:1 1 UDP 2015363327 203.0.113.5 40001 typ host"
        );
    }

    #[test]
    fn candidates_of_the_other_family_and_of_other_kinds_stay_as_they_are() {
        let public = PublicAddress("2001:db8::5".parse().expect("an address"));
        assert_eq!(public.apply(HOST), HOST);
        let public = PublicAddress("203.0.113.5".parse().expect("an address"));
        let relay = "candidate:2 1 UDP 1 198.51.100.1 5000 typ relay raddr 10.0.0.7 rport 40001";
        assert_eq!(public.apply(relay), relay);
        assert_eq!(public.apply("candidate:"), "candidate:");
    }
}
