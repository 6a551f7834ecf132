//! Stand-in until core's reader is there.
use weir_negotiation::{Direction, ExtensionIds, MediaKind, MediaOffer};

pub(super) fn read_offer(text: &str) -> Result<Vec<MediaOffer>, String> {
    let sdp = gst_sdp::SDPMessage::parse_buffer(text.as_bytes()).map_err(|e| e.to_string())?;
    if sdp.medias_len() == 0 {
        return Err("the session description has no media".into());
    }
    let mut out = Vec::new();
    for (index, media) in sdp.medias().enumerate() {
        let has = |key: &str| media.attributes().any(|a| a.key() == key);
        let direction = if has("inactive") {
            Direction::Inactive
        } else if has("sendonly") {
            Direction::SendOnly
        } else if has("recvonly") {
            Direction::RecvOnly
        } else {
            Direction::SendRecv
        };
        out.push(MediaOffer {
            index,
            kind: MediaKind::from_sdp(media.media().unwrap_or_default()),
            mid: media.attribute_val("mid").and_then(|m| m.parse().ok()),
            rejected: media.port() == 0 && !has("bundle-only"),
            direction,
            formats: Vec::new(),
            extensions: ExtensionIds::default(),
            stream_id: media.attribute_val("msid").and_then(|m| m.split(' ').next()).map(str::to_owned),
        });
    }
    Ok(out)
}
