//! Who can watch, and where: addresses, ports, and the certificate for other machines.

pub mod certificate;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Result, anyhow};

use certificate::Certificate;

/// Where the page and the signalling server are.
#[derive(Debug)]
pub struct Serving {
    /// The address that is listened on.
    pub address: SocketAddr,
    /// With it, the page and the signalling server speak TLS.
    pub certificate: Option<Certificate>,
    /// This machine's addresses in its networks, if others may watch.
    lan: Vec<IpAddr>,
}

impl Serving {
    /// For the browsers of this machine only.
    ///
    /// # Errors
    ///
    /// A sentence for people if the port is taken.
    pub fn local(port: u16) -> Result<Self> {
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        check_free(address)?;
        Ok(Self {
            address,
            certificate: None,
            lan: Vec::new(),
        })
    }

    /// For every machine that can reach this one: browsers show cameras and full screens over TLS only.
    ///
    /// # Errors
    ///
    /// A sentence for people if the port is taken or the certificate cannot be made.
    pub fn lan(port: u16) -> Result<Self> {
        let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        check_free(address)?;
        let lan = lan_addresses()?;
        let certificate = certificate::for_addresses(&lan)?;
        Ok(Self {
            address,
            certificate: Some(certificate),
            lan,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test(address: SocketAddr) -> Self {
        Self {
            address,
            certificate: None,
            lan: Vec::new(),
        }
    }

    /// The addresses to open in a browser, this machine's own first, then those for others. The page plays at once.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let own = [IpAddr::from(Ipv4Addr::LOCALHOST)];
        let url = |address: &IpAddr| {
            format!(
                "{scheme}://{}/?autoplay=all",
                SocketAddr::new(*address, self.address.port())
            )
        };
        own.iter().chain(&self.lan).map(url).collect()
    }
}

fn check_free(address: SocketAddr) -> Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(anyhow!(
            "port {} is taken by another program; --port N chooses another",
            address.port()
        )),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(anyhow!(
            "port {} is not for everyone; --port N chooses another, such as 8080",
            address.port()
        )),
        Err(error) => Err(anyhow!("nothing can listen on {address}: {error}")),
    }
}

/// This machine's IPv4 addresses in its networks, for that is what is listened on.
fn lan_addresses() -> Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()
        .map_err(|error| anyhow!("this machine's addresses are not to be had: {error}"))?;
    let mut addresses: Vec<_> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .filter(IpAddr::is_ipv4)
        .collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let sentence = format!("port {port} is taken by another program; --port N chooses another");
        assert_eq!(Serving::local(port).unwrap_err().to_string(), sentence);
    }

    #[test]
    fn without_the_network_only_this_machine_is_served_and_without_tls() {
        let serving = Serving::for_test(SocketAddr::from(([127, 0, 0, 1], 8080)));
        assert_eq!(serving.urls(), ["http://127.0.0.1:8080/?autoplay=all"]);
    }
}
