//! What is streamed.
//!
//! - [`probe`]: looks at the first seconds of a file or camera
//! - [`plan`]: decides by what was seen whether it goes through untouched or is decoded
//! - [`feeder`]: plays it for ever into the sink's pipeline

pub mod facts;
pub mod feeder;
mod h264;
pub mod plan;
pub mod probe;
mod streams;
mod timeline;

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use url::Url;

/// What a person asked to stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A picture with clocks in it, and a tick each second.
    Test,
    /// A camera of this machine, such as `/dev/video0`.
    Device(PathBuf),
    /// Something that is played from elsewhere.
    Media(Media),
}

/// Something that has to be opened before it is known what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// A media file, which begins again whenever it ends.
    File(PathBuf),
    /// A camera that speaks RTSP, which is redialled whenever it is lost.
    Rtsp(Url),
}

impl Input {
    /// Understands `test`, `rtsp://…`, `/dev/…` and the path of a file.
    ///
    /// # Errors
    ///
    /// A sentence for people if it is none of these, or if the file or device cannot be read.
    pub fn parse(source: &str) -> Result<Self> {
        if source == "test" {
            return Ok(Self::Test);
        }
        if source.contains("://") {
            return parse_url(source).map(Self::Media);
        }
        let path = Path::new(source);
        let problem = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => anyhow!("there is no file or device “{source}”"),
            std::io::ErrorKind::PermissionDenied => anyhow!("“{source}” may not be read by this user"),
            _ => anyhow!("“{source}” cannot be read: {error}"),
        };
        let kind = path.metadata().map_err(problem)?.file_type();
        if kind.is_char_device() && path.starts_with("/dev") {
            File::options()
                .read(true)
                .write(true)
                .open(path)
                .map_err(problem)?;
            return Ok(Self::Device(path.to_owned()));
        }
        if !kind.is_file() {
            bail!("“{source}” is neither a media file nor a camera");
        }
        File::open(path).map_err(problem)?;
        Ok(Self::Media(Media::File(
            std::path::absolute(path).map_err(problem)?,
        )))
    }
}

impl Input {
    /// What the stream is called on the page.
    #[must_use]
    pub fn name(&self) -> String {
        let last = |path: &Path| {
            path.file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned()
        };
        match self {
            Self::Test => "Test picture".to_owned(),
            Self::Device(path) | Self::Media(Media::File(path)) => last(path),
            Self::Media(Media::Rtsp(url)) => url.host_str().unwrap_or("camera").to_owned(),
        }
    }
}

fn parse_url(source: &str) -> Result<Media> {
    // The parser's complaint could repeat a password.
    let url = Url::parse(source).map_err(|error| anyhow!("that is no valid address: {error}"))?;
    match url.scheme() {
        "rtsp" | "rtsps" if url.has_host() => Ok(Media::Rtsp(url)),
        scheme => {
            bail!("{scheme}:// addresses cannot be streamed; a media file, rtsp:// and /dev/videoN can")
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test => write!(f, "the test picture"),
            Self::Device(path) => write!(f, "the camera {}", path.display()),
            Self::Media(media) => media.fmt(f),
        }
    }
}

impl fmt::Display for Media {
    /// An address is shown without the name and password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "“{}”", path.display()),
            Self::Rtsp(url) => write!(f, "the camera {}", without_credentials(url)),
        }
    }
}

/// The address as it may be shown to others.
pub(crate) fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for addresses that cannot have any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(source: &str) -> String {
        format!("{:#}", Input::parse(source).unwrap_err())
    }

    #[test]
    fn each_kind_of_source_is_recognised() {
        assert_eq!(Input::parse("test").unwrap(), Input::Test);
        let own = std::path::absolute("Cargo.toml").unwrap();
        assert_eq!(
            Input::parse("Cargo.toml").unwrap(),
            Input::Media(Media::File(own))
        );
        assert!(matches!(
            Input::parse("rtsp://camera:8554/live").unwrap(),
            Input::Media(Media::Rtsp(_))
        ));
        assert!(matches!(Input::parse("/dev/null").unwrap(), Input::Device(_)));
    }

    #[test]
    fn what_cannot_be_streamed_is_refused_with_a_sentence() {
        assert_eq!(
            refusal("no-such-file.mp4"),
            "there is no file or device “no-such-file.mp4”"
        );
        assert_eq!(refusal("src"), "“src” is neither a media file nor a camera");
        assert!(refusal("http://example.org/x.mp4").starts_with("http:// addresses cannot be streamed"));
        assert!(refusal("rtsp://[camera").contains("no valid address"));
    }

    #[test]
    fn a_password_in_an_address_is_never_shown() {
        let input = Input::parse("rtsp://anna:secret@camera:8554/live").unwrap();
        assert_eq!(input.to_string(), "the camera rtsp://camera:8554/live");
    }
}
