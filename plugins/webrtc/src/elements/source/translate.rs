//! Between the peer's descriptions and those that webrtcbin 1.22 is shown.
//!
//! webrtcbin 1.22 cannot let an m-line rest and use it again ("transceiver direction changes are not implemented"),
//! aborts the process when an m-line's mid changes, and knows no m-line that is given up and recycled. So it is
//! shown m-lines that always send, under the mid that they had first; what is really in use is this element's
//! business, and the peer is answered accordingly.

use weir_negotiation::{MediaKind, MediaOffer};

/// What webrtcbin has been shown of an m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    kind: MediaKind,
    mid: String,
    /// The section's lines, the last time the peer did not reject it.
    section: Vec<String>,
}

/// What the peer is told of an m-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is received.
    Receiving,
    /// It rests.
    Resting,
    /// It is given up, as the peer wants.
    Rejected,
}

/// Why an offer cannot be shown to webrtcbin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TranslateError {
    /// RFC 3264, section 8: m-lines are never removed.
    #[error("the offer has fewer media sections than the one before")]
    SectionsRemoved,
    /// RFC 3264, section 8.3 allows it; webrtcbin cannot do it.
    #[error("media section {0} is of another kind than before")]
    KindChanged(usize),
    /// There is no `a=mid` (RFC 5888).
    #[error("media section {0} has no mid")]
    NoMid(usize),
    /// The bundle's transport would belong to a section that carries no audio or video.
    #[error("the BUNDLE group does not begin with an audio or video section")]
    BadBundle,
    /// Something that may be there once only is there twice.
    #[error("{0} is given twice")]
    Repeated(&'static str),
}

/// The offers and answers of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Translator {
    shown: Vec<Shown>,
    /// The mids of the peer's last offer.
    current_mids: Vec<String>,
    /// The peer's last BUNDLE group.
    current_bundle: Option<Vec<String>>,
    /// The m-line whose transport the bundle uses.
    bundle_tag: Option<usize>,
}

impl Translator {
    /// The offer as webrtcbin is to be shown it. `media` is what it says, section by section.
    ///
    /// # Errors
    /// When webrtcbin would not survive it, whatever it is shown. The translator stays as it was.
    pub(super) fn show_offer(&mut self, offer: &str, media: &[MediaOffer]) -> Result<String, TranslateError> {
        let (session, sections) = split(offer);
        if sections.len() < self.shown.len() || media.len() != sections.len() {
            return Err(TranslateError::SectionsRemoved);
        }
        for name in ["ice-ufrag", "ice-pwd"] {
            if session.iter().filter(|line| is_attribute(line, name)).count() > 1 {
                return Err(TranslateError::Repeated(name));
            }
        }
        let mut next = self.clone();
        next.current_mids.clear();
        next.current_bundle = session.iter().find_map(|line| bundle_of(line));

        let mut shown_sections = Vec::new();
        for (index, (lines, offered)) in sections.iter().zip(media).enumerate() {
            let mid = offered
                .mid
                .as_ref()
                .map(ToString::to_string)
                .ok_or(TranslateError::NoMid(index))?;
            let known = next.shown.get(index);
            if known.is_some_and(|shown| shown.kind != offered.kind) {
                return Err(TranslateError::KindChanged(index));
            }
            let inner_mid = known.map_or_else(|| mid.clone(), |shown| shown.mid.clone());
            next.current_mids.push(mid);
            let section = match known {
                Some(shown) if offered.rejected => shown.section.clone(),
                _ => show_section(lines, &inner_mid, offered.kind),
            };
            shown_sections.push(section.clone());
            let shown = Shown {
                kind: offered.kind,
                mid: inner_mid,
                section,
            };
            match next.shown.get_mut(index) {
                Some(entry) => *entry = shown,
                None => next.shown.push(shown),
            }
        }

        let mut text: Vec<String> = session
            .iter()
            .filter(|line| bundle_of(line).is_none())
            .map(|line| (*line).to_owned())
            .collect();
        if let Some(group) = next.choose_bundle_tag()? {
            // webrtcbin looks at the first group only, of whatever kind it is.
            let first_attribute = text
                .iter()
                .position(|line| line.starts_with("a="))
                .unwrap_or(text.len());
            text.insert(first_attribute, group);
        }
        text.extend(shown_sections.into_iter().flatten());
        *self = next;
        Ok(join(&text))
    }

    /// Takes over an offer of ours that webrtcbin made.
    pub(super) fn adopt_offer_of_ours(&mut self, offer: &str) {
        let (session, sections) = split(offer);
        let bundle = session.iter().find_map(|line| bundle_of(line));
        for lines in sections {
            let value = |name: &str| {
                lines
                    .iter()
                    .find(|line| is_attribute(line, name))
                    .and_then(|line| line.split_once(':'))
            };
            let mid = value("mid").map(|(_, mid)| mid.to_owned()).unwrap_or_default();
            let kind = lines[0]
                .strip_prefix("m=")
                .and_then(|rest| rest.split(' ').next())
                .unwrap_or_default();
            let section = lines.iter().map(|line| (*line).to_owned()).collect();
            self.shown.push(Shown {
                kind: MediaKind::from_sdp(kind),
                mid,
                section,
            });
        }
        self.bundle_tag = bundle
            .as_ref()
            .and_then(|mids| mids.first())
            .and_then(|first| self.shown.iter().position(|shown| shown.mid == *first));
    }

    /// The answer as the peer is to be told it: webrtcbin's, with what is really used of each m-line.
    pub(super) fn tell_answer(&self, answer: &str, uses: &[Use]) -> String {
        let (session, sections) = split(answer);
        let mut accepted = Vec::new();
        let mut told_sections = Vec::new();
        for (index, lines) in sections.iter().enumerate() {
            let mid = self.current_mids.get(index);
            let use_ = uses.get(index).copied().unwrap_or(Use::Resting);
            let declined = lines.first().is_some_and(|line| port_of(line) == Some("0"));
            if use_ != Use::Rejected && !declined {
                accepted.extend(mid);
            }
            for line in lines {
                let line = match use_ {
                    _ if is_attribute(line, "mid") => {
                        mid.map_or_else(|| (*line).to_owned(), |mid| format!("a=mid:{mid}"))
                    }
                    Use::Rejected if line.starts_with("m=") => with_port(line, "0"),
                    Use::Resting | Use::Rejected if *line == "a=recvonly" => "a=inactive".to_owned(),
                    Use::Receiving | Use::Resting | Use::Rejected => (*line).to_owned(),
                };
                told_sections.push(line);
            }
        }
        let mut text: Vec<String> = session
            .iter()
            .filter(|line| bundle_of(line).is_none())
            .map(|line| (*line).to_owned())
            .collect();
        if let Some(bundle) = &self.current_bundle {
            let members: Vec<&str> = bundle
                .iter()
                .filter(|mid| accepted.contains(mid))
                .map(String::as_str)
                .collect();
            if !members.is_empty() {
                text.push(format!("a=group:BUNDLE {}", members.join(" ")));
            }
        }
        text.extend(told_sections);
        join(&text)
    }

    /// The BUNDLE line to show: always led by the m-line that led it first, whose transport is in use.
    fn choose_bundle_tag(&mut self) -> Result<Option<String>, TranslateError> {
        let Some(bundle) = &self.current_bundle else {
            return if self.bundle_tag.is_some() {
                Err(TranslateError::BadBundle)
            } else {
                Ok(None)
            };
        };
        let tag = match self.bundle_tag {
            Some(tag) => tag,
            None => bundle
                .first()
                .and_then(|first| self.current_mids.iter().position(|mid| mid == first))
                .ok_or(TranslateError::BadBundle)?,
        };
        // Packets of an SSRC that no description names are taken for this m-line's, and webrtcbin 1.22 crashes if it
        // has no transceiver.
        if !matches!(
            self.shown.get(tag).map(|shown| shown.kind),
            Some(MediaKind::Audio | MediaKind::Video)
        ) {
            return Err(TranslateError::BadBundle);
        }
        self.bundle_tag = Some(tag);
        let others = self
            .shown
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != tag)
            .map(|(_, shown)| shown);
        let mids: Vec<&str> = self
            .shown
            .get(tag)
            .into_iter()
            .chain(others)
            .map(|shown| shown.mid.as_str())
            .collect();
        Ok(Some(format!("a=group:BUNDLE {}", mids.join(" "))))
    }
}

impl Use {
    /// What becomes of an m-line of the peer's; `wanted` says whether this element has a use for it.
    pub(super) fn of(offered: &MediaOffer, wanted: bool) -> Self {
        if offered.rejected {
            Self::Rejected
        } else if wanted && offered.direction.sends() {
            Self::Receiving
        } else {
            Self::Resting
        }
    }
}

fn show_section(lines: &[&str], mid: &str, kind: MediaKind) -> Vec<String> {
    let is_media = matches!(kind, MediaKind::Audio | MediaKind::Video);
    let mut section: Vec<String> = lines
        .iter()
        .filter(|line| !(is_media && is_direction(line)))
        .map(|line| {
            if is_attribute(line, "mid") {
                format!("a=mid:{mid}")
            } else {
                (*line).to_owned()
            }
        })
        .collect();
    if is_media {
        section.push(DIRECTION_SHOWN.to_owned());
    }
    section
}

/// The direction that webrtcbin sees, always.
const DIRECTION_SHOWN: &str = "a=sendonly";

fn is_direction(line: &str) -> bool {
    matches!(
        key_of(line),
        Some("sendrecv" | "sendonly" | "recvonly" | "inactive")
    )
}

fn is_attribute(line: &str, name: &str) -> bool {
    key_of(line) == Some(name)
}

/// The name of the attribute that a line gives.
fn key_of(line: &str) -> Option<&str> {
    line.strip_prefix("a=")?.split(':').next()
}

fn bundle_of(line: &str) -> Option<Vec<String>> {
    let mids = line.strip_prefix("a=group:BUNDLE")?;
    Some(mids.split_ascii_whitespace().map(str::to_owned).collect())
}

fn port_of(media_line: &str) -> Option<&str> {
    media_line.split(' ').nth(1)
}

fn with_port(media_line: &str, port: &str) -> String {
    let mut fields: Vec<&str> = media_line.split(' ').collect();
    if let Some(field) = fields.get_mut(1) {
        *field = port;
    }
    fields.join(" ")
}

/// The lines of the session, and those of each media section.
fn split(text: &str) -> (Vec<&str>, Vec<Vec<&str>>) {
    let mut session = Vec::new();
    let mut sections: Vec<Vec<&str>> = Vec::new();
    // GStreamer's parser takes either character for the end of a line.
    for line in text
        .split(['\r', '\n'])
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        if line.starts_with("m=") {
            sections.push(vec![line]);
        } else {
            match sections.last_mut() {
                Some(section) => section.push(line),
                None => session.push(line),
            }
        }
    }
    (session, sections)
}

fn join(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use weir_negotiation::Direction;

    use super::*;

    fn offered(index: usize, kind: MediaKind, mid: &str, direction: Direction, rejected: bool) -> MediaOffer {
        MediaOffer {
            index,
            kind,
            mid: Some(mid.parse().unwrap()),
            rejected,
            direction,
            formats: Vec::new(),
            extensions: weir_negotiation::ExtensionIds::default(),
            stream_id: None,
        }
    }

    /// A session of sections given as (kind, mid, direction, port).
    fn offer(bundle: &str, sections: &[(&str, &str, Direction, u16)]) -> (String, Vec<MediaOffer>) {
        let mut text =
            format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {bundle}\r\n");
        let mut media = Vec::new();
        for (index, (kind, mid, direction, port)) in sections.iter().enumerate() {
            let name = match direction {
                Direction::SendRecv => "sendrecv",
                Direction::SendOnly => "sendonly",
                Direction::RecvOnly => "recvonly",
                Direction::Inactive => "inactive",
            };
            text += &format!(
                "m={kind} {port} UDP/TLS/RTP/SAVPF 96\r\na=mid:{mid}\r\na=ice-ufrag:u{index}\r\na={name}\r\n"
            );
            media.push(offered(
                index,
                MediaKind::from_sdp(kind),
                mid,
                *direction,
                *port == 0,
            ));
        }
        (text, media)
    }

    fn show(translator: &mut Translator, (text, media): (String, Vec<MediaOffer>)) -> String {
        translator.show_offer(&text, &media).unwrap()
    }

    #[test]
    fn webrtcbin_sees_every_m_line_send_whatever_the_peer_says() {
        for direction in [Direction::SendRecv, Direction::RecvOnly, Direction::Inactive] {
            let shown = show(
                &mut Translator::default(),
                offer("0", &[("video", "0", direction, 9)]),
            );
            assert!(shown.contains("a=sendonly\r\n"), "{shown}");
            assert_eq!(
                shown.matches("a=sendonly").count() + shown.matches("a=inactive").count(),
                1,
                "{shown}"
            );
        }
    }

    #[test]
    fn the_peer_is_told_what_is_really_used() {
        let mut translator = Translator::default();
        let media = [
            ("video", "v", Direction::SendOnly, 9),
            ("audio", "a", Direction::Inactive, 9),
        ];
        show(&mut translator, offer("v a", &media));
        let answer = "v=0\r\na=group:BUNDLE v a\r\nm=video 9 X 96\r\na=mid:v\r\na=recvonly\r\n\
                      m=audio 9 X 97\r\na=mid:a\r\na=recvonly\r\n";
        let told = translator.tell_answer(answer, &[Use::Receiving, Use::Resting]);
        let (_, sections) = split(&told);
        assert_eq!(sections[0], ["m=video 9 X 96", "a=mid:v", "a=recvonly"]);
        assert_eq!(sections[1], ["m=audio 9 X 97", "a=mid:a", "a=inactive"]);
        assert!(told.contains("a=group:BUNDLE v a\r\n"));
    }

    #[test]
    fn an_m_line_that_is_given_up_is_shown_as_it_was_and_answered_with_port_0() {
        let mut translator = Translator::default();
        let first = show(
            &mut translator,
            offer(
                "0 1",
                &[
                    ("video", "0", Direction::SendOnly, 9),
                    ("video", "1", Direction::SendOnly, 9),
                ],
            ),
        );
        let second = show(
            &mut translator,
            offer(
                "1",
                &[
                    ("video", "0", Direction::Inactive, 0),
                    ("video", "1", Direction::SendOnly, 9),
                ],
            ),
        );
        assert_eq!(split(&second).1, split(&first).1);
        assert!(
            second.contains("a=group:BUNDLE 0 1\r\n"),
            "the transport in use is section 0's: {second}"
        );

        let answer = "v=0\r\na=group:BUNDLE 0 1\r\nm=video 9 X 96\r\na=mid:0\r\na=recvonly\r\n\
                      m=video 9 X 96\r\na=mid:1\r\na=recvonly\r\n";
        let told = translator.tell_answer(answer, &[Use::Rejected, Use::Receiving]);
        assert!(told.contains("m=video 0 X 96\r\n"), "{told}");
        assert!(told.contains("a=group:BUNDLE 1\r\n"), "{told}");
    }

    #[test]
    fn a_recycled_m_line_keeps_its_first_mid_inside_and_has_its_new_one_outside() {
        let mut translator = Translator::default();
        show(
            &mut translator,
            offer("0", &[("video", "0", Direction::SendOnly, 9)]),
        );
        let shown = show(
            &mut translator,
            offer("7", &[("video", "7", Direction::SendOnly, 9)]),
        );
        assert!(
            shown.contains("a=mid:0\r\n") && !shown.contains("a=mid:7"),
            "{shown}"
        );
        let told = translator.tell_answer(
            "v=0\r\nm=video 9 X 96\r\na=mid:0\r\na=recvonly\r\n",
            &[Use::Receiving],
        );
        assert!(
            told.contains("a=mid:7\r\n") && told.contains("a=group:BUNDLE 7\r\n"),
            "{told}"
        );
    }

    #[test]
    fn offers_that_webrtcbin_would_not_survive_are_refused_and_change_nothing() {
        let mut translator = Translator::default();
        show(
            &mut translator,
            offer(
                "0 1",
                &[
                    ("video", "0", Direction::SendOnly, 9),
                    ("audio", "1", Direction::SendOnly, 9),
                ],
            ),
        );
        let before = translator.clone();
        let fewer = offer("0", &[("video", "0", Direction::SendOnly, 9)]);
        assert_eq!(
            translator.show_offer(&fewer.0, &fewer.1),
            Err(TranslateError::SectionsRemoved)
        );
        let swapped = offer(
            "0 1",
            &[
                ("audio", "0", Direction::SendOnly, 9),
                ("audio", "1", Direction::SendOnly, 9),
            ],
        );
        assert_eq!(
            translator.show_offer(&swapped.0, &swapped.1),
            Err(TranslateError::KindChanged(0))
        );
        assert_eq!(translator.shown, before.shown);

        let data_first = offer(
            "0 1",
            &[
                ("application", "0", Direction::SendRecv, 9),
                ("video", "1", Direction::SendOnly, 9),
            ],
        );
        assert_eq!(
            Translator::default().show_offer(&data_first.0, &data_first.1),
            Err(TranslateError::BadBundle)
        );
        let (text, media) = offer("0", &[("video", "0", Direction::SendOnly, 9)]);
        let twice = format!("v=0\r\na=ice-ufrag:a\r\na=ice-ufrag:b\r\n{text}");
        assert_eq!(
            Translator::default().show_offer(&twice, &media),
            Err(TranslateError::Repeated("ice-ufrag"))
        );
        let (text, media) = offer("9", &[("video", "0", Direction::SendOnly, 9)]);
        assert_eq!(
            Translator::default().show_offer(&text, &media),
            Err(TranslateError::BadBundle)
        );
    }
}
