//! Bounded names that a peer chose.

use std::{fmt, str::FromStr};

use arrayvec::ArrayString;

/// The identification tag of an m-line, `a=mid` (RFC 5888 §4): a token of 1 to 32 characters.
///
/// Header extensions carry it in each packet (RFC 8843 §15), so it is short and `Copy`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mid(ArrayString<{ Self::MAX_LEN }>);

impl Mid {
    /// The longest tag taken, in characters (all of them ASCII).
    pub const MAX_LEN: usize = 32;

    /// Checks and takes a tag.
    ///
    /// # Errors
    /// It is empty, longer than [`Mid::MAX_LEN`], or has a character that is not of an SDP token (RFC 8866 §9).
    pub fn new(name: &str) -> Result<Self, NameError> {
        bounded(name, is_token_char).map(Self)
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The identifier of one encoding of a source, `a=rid` (RFC 8851 §10): 1 to 16 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid(ArrayString<{ Self::MAX_LEN }>);

impl Rid {
    /// The longest identifier taken, in characters: what a one-byte header extension holds (RFC 8285 §4.2).
    pub const MAX_LEN: usize = 16;

    /// Checks and takes an identifier.
    ///
    /// # Errors
    /// It is empty, longer than [`Rid::MAX_LEN`], or has a character other than letters, digits, `-` and `_`.
    pub fn new(name: &str) -> Result<Self, NameError> {
        bounded(name, |c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')).map(Self)
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! impl_name {
    ($name:ident) => {
        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

impl_name!(Mid);
impl_name!(Rid);

/// Why a name was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is none.
    #[error("the name is empty")]
    Empty,
    /// It has more characters than fit.
    #[error("the name is longer than {max} characters")]
    TooLong {
        /// How many fit.
        max: usize,
    },
    /// It has a character that names of its kind do not have.
    #[error("the name has a character that is not allowed")]
    BadCharacter,
}

fn bounded<const MAX: usize>(
    name: &str,
    is_allowed: impl Fn(u8) -> bool,
) -> Result<ArrayString<MAX>, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    let bounded = ArrayString::from(name).map_err(|_| NameError::TooLong { max: MAX })?;
    if name.bytes().all(is_allowed) {
        Ok(bounded)
    } else {
        Err(NameError::BadCharacter)
    }
}

/// The `token-char` of RFC 8866 §9.
fn is_token_char(c: u8) -> bool {
    matches!(c, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_as_browsers_and_servers_choose_them_are_taken() {
        for name in ["0", "video0", "audio-1", "{4d2b}", "sdparta_0"] {
            assert_eq!(Mid::new(name).map(|mid| mid.to_string()), Ok(name.to_owned()));
        }
        for name in ["h", "q", "r0", "hi_res-1"] {
            assert_eq!(Rid::new(name).map(|rid| rid.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert_eq!(Mid::new(""), Err(NameError::Empty));
        assert_eq!(Rid::new(""), Err(NameError::Empty));
    }

    #[test]
    fn the_longest_name_fits_and_one_more_does_not() {
        assert!(Mid::new(&"m".repeat(32)).is_ok());
        assert_eq!(Mid::new(&"m".repeat(33)), Err(NameError::TooLong { max: 32 }));
        assert!(Rid::new(&"r".repeat(16)).is_ok());
        assert_eq!(Rid::new(&"r".repeat(17)), Err(NameError::TooLong { max: 16 }));
    }

    #[test]
    fn characters_that_could_break_out_of_a_line_are_refused() {
        for name in [
            "a b", "a\r\n", "a:b", "a/b", "a\"b", "ä", "a\0", "a(b)", "a;b", "a[b]",
        ] {
            assert_eq!(Mid::new(name), Err(NameError::BadCharacter), "{name:?}");
            assert_eq!(Rid::new(name), Err(NameError::BadCharacter), "{name:?}");
        }
        assert_eq!(
            Rid::new("a.b"),
            Err(NameError::BadCharacter),
            "a token, but no rid"
        );
    }

    #[test]
    fn names_show_what_they_are_when_debugged() {
        assert_eq!(format!("{:?}", Mid::new("v0").unwrap()), "Mid(v0)");
        assert_eq!(format!("{:?}", "h".parse::<Rid>().unwrap()), "Rid(h)");
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_printed_unchanged(name in ".{0,40}") {
            if let Ok(mid) = Mid::new(&name) {
                prop_assert_eq!(mid.as_str(), name.as_str());
            }
            if let Ok(rid) = Rid::new(&name) {
                prop_assert_eq!(rid.as_str(), name.as_str());
                prop_assert!(Mid::new(&name).is_ok(), "rids are a subset of tokens");
            }
        }
    }
}
