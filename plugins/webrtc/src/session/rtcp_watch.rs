//! When a peer was last heard of.
//!
//! libnice's agent is made without consent freshness (RFC 7675), so webrtcbin goes on calling a peer
//! `connected` after it has vanished; its reports are the only sign of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::prelude::*;

/// Remembers when the last RTCP packet came in.
#[derive(Clone, Debug)]
pub(crate) struct RtcpWatch {
    epoch: Instant,
    /// Milliseconds since `epoch`, plus one; zero for never.
    last: Arc<AtomicU64>,
}

impl RtcpWatch {
    /// Watches the RTCP that webrtcbin's transports hand to its rtpbin, decrypted and authenticated.
    pub(crate) fn new(webrtcbin: &gst::Element) -> Self {
        let watch = Self {
            epoch: Instant::now(),
            last: Arc::default(),
        };
        let rtpbin = webrtcbin
            .downcast_ref::<gst::Bin>()
            .and_then(|bin| bin.by_name("rtpbin"));
        if let Some(rtpbin) = rtpbin {
            let heard = watch.clone();
            rtpbin.connect_pad_added(move |_, pad| {
                if pad.name().starts_with("recv_rtcp_sink") {
                    let heard = heard.clone();
                    pad.add_probe(
                        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
                        move |_, _| {
                            heard.hear();
                            gst::PadProbeReturn::Ok
                        },
                    );
                }
            });
        }
        watch
    }

    /// When the last packet came in, if any did.
    pub(crate) fn last(&self) -> Option<Instant> {
        let millis = self.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.epoch + Duration::from_millis(millis))
    }

    fn hear(&self) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.last.store(millis + 1, Ordering::Relaxed);
    }
}
