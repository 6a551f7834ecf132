//! A certificate that this machine makes for itself.
//!
//! It is kept, so that the exception that a person made for it in a browser lasts. It is made anew when the machine has an
//! address that it does not name, or when it grows old.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Some systems refuse certificates that are valid for more than 398 days.
const VALIDITY: Duration = Duration::from_secs(397 * 24 * 60 * 60);
/// After this it is made anew.
const OLD: Duration = Duration::from_secs(360 * 24 * 60 * 60);

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM; readable by this user only.
    pub key: PathBuf,
}

/// A certificate for these addresses and this machine itself.
///
/// # Errors
///
/// If it can neither be found nor be written.
pub fn for_addresses(addresses: &[IpAddr]) -> Result<Certificate> {
    in_folder(&cache_folder()?, addresses)
}

/// The same, kept in a folder of the caller's choice.
///
/// # Errors
///
/// If it can neither be found nor be written.
pub fn in_folder(folder: &Path, addresses: &[IpAddr]) -> Result<Certificate> {
    let kept = Kept {
        folder: folder.to_owned(),
    };
    let names = names(addresses);
    if !kept.covers(&names) {
        kept.make(&names)
            .with_context(|| format!("no certificate can be kept in {}", folder.display()))?;
    }
    Ok(kept.certificate())
}

fn names(addresses: &[IpAddr]) -> BTreeSet<String> {
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    own.into_iter()
        .chain(addresses.iter().map(IpAddr::to_string))
        .collect()
}

/// The user's folder for what can be made again.
fn cache_folder() -> Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME is set")?
        .join("weir/certificate"))
}

struct Kept {
    folder: PathBuf,
}

impl Kept {
    fn certificate(&self) -> Certificate {
        Certificate {
            certificate: self.folder.join("certificate.pem"),
            key: self.folder.join("key.pem"),
        }
    }

    /// The names in the certificate, one a line: written last, so that its being there says that the rest is.
    fn list(&self) -> PathBuf {
        self.folder.join("names.txt")
    }

    fn covers(&self, names: &BTreeSet<String>) -> bool {
        let Ok(list) = fs::read_to_string(self.list()) else {
            return false;
        };
        let listed: BTreeSet<_> = list.lines().map(str::to_owned).collect();
        let made = self.list().metadata().and_then(|metadata| metadata.modified());
        let young = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < OLD));
        let Certificate { certificate, key } = self.certificate();
        names.is_subset(&listed) && young && certificate.is_file() && key.is_file()
    }

    fn make(&self, names: &BTreeSet<String>) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        if self.list().exists() {
            fs::remove_file(self.list())?;
        }
        let key = KeyPair::generate()?;
        let certificate = parameters(names)?.self_signed(&key)?;
        let paths = self.certificate();
        write(&paths.key, 0o600, &key.serialize_pem())?;
        write(&paths.certificate, 0o644, &certificate.pem())?;
        let lines: Vec<_> = names.iter().map(String::as_str).collect();
        write(&self.list(), 0o644, &lines.join("\n"))
    }
}

fn parameters(names: &BTreeSet<String>) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Weir demo");
    parameters.distinguished_name = subject;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Other machines' clocks may be a little behind.
    let begin = SystemTime::now() - DAY;
    parameters.not_before = begin.into();
    parameters.not_after = (begin + VALIDITY).into();
    Ok(parameters)
}

/// Never writes a key into a file that others may already have opened.
fn write(path: &Path, mode: u32, text: &str) -> Result<()> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

    #[test]
    fn a_certificate_is_kept_while_it_names_every_address() {
        let folder = tempfile::tempdir().unwrap();
        let read = |certificate: &Certificate| fs::read_to_string(&certificate.certificate).unwrap();
        let first = read(&in_folder(folder.path(), &[HERE, THERE]).unwrap());
        assert_eq!(
            read(&in_folder(folder.path(), &[HERE]).unwrap()),
            first,
            "fewer addresses are covered"
        );
        let other = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
        assert_ne!(
            read(&in_folder(folder.path(), &[HERE, other]).unwrap()),
            first,
            "a new one is not"
        );
    }

    #[test]
    fn only_this_user_can_read_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = in_folder(folder.path(), &[]).unwrap();
        assert_eq!(
            certificate.key.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(
            fs::read_to_string(certificate.certificate)
                .unwrap()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
    }

    #[test]
    fn half_a_certificate_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = in_folder(folder.path(), &[]).unwrap();
        fs::remove_file(&certificate.key).unwrap();
        assert!(in_folder(folder.path(), &[]).unwrap().key.is_file());
    }
}
