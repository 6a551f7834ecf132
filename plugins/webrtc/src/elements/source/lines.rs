//! The m-lines of a session, and the pads that they lead to.

use std::collections::BTreeMap;
use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use weir_negotiation::{MediaKind, MediaOffer};

use super::coordinator::{Fact, Mailbox};
use super::output::{Hooks, Output, OutputEvent};
use super::pad::WebRTCSrcPad;
use super::session::Routes;
use super::translate::Use;
use super::{BaseWebRTCSrc, imp};
use crate::lock;

/// The m-lines that carry audio or video.
pub(super) struct Lines {
    element: BaseWebRTCSrc,
    mailbox: Mailbox,
    routes: Routes,
    peer_id: String,
    group: gst::GroupId,
    lines: BTreeMap<usize, Line>,
    /// `no-more-pads` was emitted.
    announced: bool,
}

struct Line {
    kind: MediaKind,
    name: String,
    /// None if it has no codec of ours.
    output: Option<Arc<Output>>,
    /// The pad that it leads to, while it is in use.
    open: Option<OpenPad>,
}

#[derive(Clone)]
enum OpenPad {
    /// Added for this m-line.
    Sometimes(WebRTCSrcPad),
    /// Requested by the application.
    Requested(WebRTCSrcPad),
}

impl OpenPad {
    fn pad(&self) -> &WebRTCSrcPad {
        match self {
            Self::Sometimes(pad) | Self::Requested(pad) => pad,
        }
    }
}

impl Lines {
    pub(super) fn new(element: &BaseWebRTCSrc, mailbox: &Mailbox, routes: &Routes, peer_id: &str) -> Self {
        Self {
            element: element.clone(),
            mailbox: mailbox.clone(),
            routes: routes.clone(),
            peer_id: peer_id.to_owned(),
            group: gst::GroupId::next(),
            lines: BTreeMap::new(),
            announced: false,
        }
    }

    /// Whether the m-line was there before.
    pub(super) fn knows(&self, index: usize) -> bool {
        self.lines.contains_key(&index)
    }

    /// Takes a new m-line over; `has_codec` says whether one of its codecs is ours.
    ///
    /// # Errors
    /// When an element of GStreamer's core is missing.
    pub(super) fn prepare(&mut self, media: &MediaOffer, has_codec: bool) -> Result<(), glib::BoolError> {
        let is_media = matches!(media.kind, MediaKind::Audio | MediaKind::Video);
        if self.knows(media.index) || !is_media {
            return Ok(());
        }
        // The n-th m-line of a kind, whatever becomes of those before it.
        let number = self.lines.values().filter(|line| line.kind == media.kind).count();
        let name = format!("{}_{number}", media.kind);
        let output = if has_codec {
            let pad_name = imp::request_pad(&self.element, media.index)
                .map_or_else(|| name.clone(), |pad| pad.name().to_string());
            let output = Arc::new(Output::new(
                self.element.upcast_ref(),
                None,
                self.hooks(pad_name),
            )?);
            if let Ok(mline) = u32::try_from(media.index) {
                lock(&self.routes).insert(mline, output.clone());
            }
            Some(output)
        } else {
            None
        };
        self.lines.insert(
            media.index,
            Line {
                kind: media.kind,
                name,
                output,
                open: None,
            },
        );
        Ok(())
    }

    /// Whether there is a codec and a pad for the m-line.
    pub(super) fn is_wanted(&self, index: usize) -> bool {
        let Some(line) = self.lines.get(&index) else {
            return false;
        };
        line.output.is_some()
            && imp::request_pad(&self.element, index).is_none_or(|pad| kind_of(&pad) == line.kind)
    }

    /// Opens and closes pads, so that they are what `uses` says of the m-lines.
    pub(super) fn use_as(&mut self, media: &[MediaOffer], uses: &[Use]) {
        for (media, use_) in media.iter().zip(uses) {
            match use_ {
                Use::Receiving => self.open(media),
                Use::Resting | Use::Rejected => self.close(media.index, true),
            }
        }
        self.end_requested_pads(media, uses);
        if !self.announced && self.lines.values().any(|line| line.open.is_some()) {
            self.announced = true;
            self.element.no_more_pads();
        }
    }

    /// Ends every stream.
    pub(super) fn close_all(&mut self, with_eos: bool) {
        let indices: Vec<usize> = self.lines.keys().copied().collect();
        for index in indices {
            self.close(index, with_eos);
        }
    }

    /// Takes the outputs out of the element.
    pub(super) fn remove(self) {
        for output in self.lines.into_values().filter_map(|line| line.output) {
            output.remove(self.element.upcast_ref());
        }
    }

    fn open(&mut self, media: &MediaOffer) {
        let Some(line) = self.lines.get_mut(&media.index) else {
            return;
        };
        let Some(output) = line.output.clone() else { return };
        let msid = media.stream_id.clone();
        if let Some(open) = &line.open {
            open.pad().set_msid(msid);
            return;
        }
        let requested = imp::request_pad(&self.element, media.index);
        let open = match requested {
            Some(pad) => OpenPad::Requested(pad),
            None => OpenPad::Sometimes(imp::sometimes_pad(&self.element, media.kind, &line.name)),
        };
        let pad = open.pad().clone();
        if pad.pad_flags().contains(gst::PadFlags::EOS) {
            // A sink that has seen EOS takes nothing more, a new stream neither, until it is flushed.
            pad.push_event(gst::event::FlushStart::new());
            pad.push_event(gst::event::FlushStop::new(false));
        }
        line.open = Some(open.clone());
        pad.set_msid(msid);
        if let Err(error) = output.open(pad.upcast_ref(), &self.stream_start(media.index)) {
            gst::error!(crate::CAT, obj = pad, "the pad leads nowhere: {error}");
        }
        if let OpenPad::Sometimes(pad) = open {
            let _ = pad.set_active(true);
            if let Err(error) = self.element.add_pad(&pad) {
                gst::error!(crate::CAT, obj = pad, "the pad cannot be added: {error}");
            }
        }
    }

    fn close(&mut self, index: usize, with_eos: bool) {
        let Some(line) = self.lines.get_mut(&index) else {
            return;
        };
        let Some(open) = line.open.take() else { return };
        if let Some(output) = &line.output {
            output.close(with_eos);
        }
        open.pad().set_msid(None);
        if let OpenPad::Sometimes(pad) = open {
            let _ = pad.set_active(false);
            if pad.parent().is_some() {
                let _ = self.element.remove_pad(&pad);
            }
        }
    }

    /// The application waits at requested pads that no m-line leads to: they are told that nothing comes.
    fn end_requested_pads(&self, media: &[MediaOffer], uses: &[Use]) {
        for (index, pad) in imp::request_pads(&self.element) {
            let is_used = media
                .iter()
                .zip(uses)
                .any(|(media, use_)| media.index == index && *use_ == Use::Receiving);
            if !is_used && !pad.pad_flags().contains(gst::PadFlags::EOS) {
                pad.push_event(self.stream_start(index));
                pad.push_event(gst::event::Eos::new());
            }
        }
    }

    fn stream_start(&self, index: usize) -> gst::Event {
        // Distinct among all sources of a pipeline, and the same whenever this m-line is used.
        let stream_id = format!("{}/{}:{index}", imp::instance_id(&self.element), self.peer_id);
        gst::event::StreamStart::builder(&stream_id)
            .group_id(self.group)
            .build()
    }

    fn hooks(&self, pad_name: String) -> Hooks {
        let (element, peer_id) = (self.element.downgrade(), self.peer_id.clone());
        let (told, mailbox) = (self.element.downgrade(), self.mailbox.clone());
        Hooks {
            encoded_filter: Box::new(move |caps| {
                imp::encoded_filter(&element.upgrade()?, &peer_id, &pad_name, caps)
            }),
            events: Box::new(move |event| match event {
                OutputEvent::Rebuilt => {
                    if let Some(element) = told.upgrade() {
                        let _ = element.post_message(gst::message::Latency::builder().src(&element).build());
                    }
                }
                OutputEvent::Trouble(sentence) => mailbox.post_from_network(Fact::Trouble(sentence)),
            }),
        }
    }
}

fn kind_of(pad: &WebRTCSrcPad) -> MediaKind {
    if pad.name().starts_with("req_video") {
        MediaKind::Video
    } else {
        MediaKind::Audio
    }
}
