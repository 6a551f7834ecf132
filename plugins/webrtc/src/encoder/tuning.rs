//! The low-latency settings of every encoder known, and how its bitrate is set.
//!
//! All are set for one purpose: constant bitrate, no look-ahead, no reordering, and key frames only when they
//! are asked for. A property that an encoder does not have in the version installed is passed over.

use gst::glib;
use gst::prelude::*;
use weir_units::Bitrate;

/// Sets an encoder up for real-time sending. Returns false for one that this table does not know: it keeps
/// its defaults, and its bitrate cannot be set.
pub(super) fn tune(encoder: &gst::Element) -> bool {
    let Some(tuning) = tuning_of(encoder) else {
        return false;
    };
    for (property, value) in tuning.settings {
        set(encoder, property, value);
    }
    if let Some(threads) = tuning.threads {
        set(encoder, threads, &thread_count().to_string());
    }
    true
}

/// Sets an encoder's bitrate. Returns false where that is not known how.
pub(super) fn set_bitrate(encoder: &gst::Element, bitrate: Bitrate) -> bool {
    let Some(tuning) = tuning_of(encoder) else {
        return false;
    };
    let bits = bitrate.bps();
    let value = match tuning.unit {
        Unit::Bits => bits,
        Unit::Kilobits => (bits / 1000).max(1),
    };
    for property in tuning.bitrate {
        set(encoder, property, &value.to_string());
    }
    true
}

struct Tuning {
    factory: &'static str,
    bitrate: &'static [&'static str],
    unit: Unit,
    threads: Option<&'static str>,
    settings: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy)]
enum Unit {
    Bits,
    Kilobits,
}

/// Few threads: those of an encoder wait for each other at every frame, so one that is not scheduled holds up all.
/// A machine of two cores is better off without; libwebrtc counts alike.
fn thread_count() -> usize {
    match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
        0..=2 => 1,
        3..=5 => 2,
        6..=8 => 3,
        _ => 4,
    }
}

fn tuning_of(encoder: &gst::Element) -> Option<&'static Tuning> {
    let factory = encoder.factory()?;
    TUNINGS.iter().find(|tuning| tuning.factory == factory.name())
}

/// Sets a property from its text form, if the encoder has it and takes the value.
fn set(encoder: &gst::Element, property: &str, value: &str) {
    let Some(pspec) = encoder.find_property(property) else {
        gst::debug!(crate::CAT, obj = encoder, "has no property {property}");
        return;
    };
    match glib::Value::deserialize_with_pspec(value, &pspec) {
        Ok(value) => encoder.set_property_from_value(property, &value),
        Err(_) => gst::warning!(crate::CAT, obj = encoder, "{property} does not take {value}"),
    }
}

/// A GOP that never ends by itself, in frames.
const ENDLESS: &str = "2147483647";

/// Constant bitrate for libvpx: a buffer of 100 ms bounds what a frame may overshoot by.
const VP8: &[(&str, &str)] = &[
    ("deadline", "1"),
    ("cpu-used", "-12"),
    ("end-usage", "cbr"),
    ("lag-in-frames", "0"),
    ("keyframe-mode", "disabled"),
    ("keyframe-max-dist", ENDLESS),
    ("buffer-size", "150"),
    ("buffer-initial-size", "100"),
    ("buffer-optimal-size", "120"),
    ("undershoot", "95"),
    ("max-intra-bitrate", "600"),
    ("static-threshold", "1"),
    ("resize-allowed", "false"),
];

const VP9: &[(&str, &str)] = &[
    ("deadline", "1"),
    ("cpu-used", "8"),
    ("row-mt", "true"),
    ("tile-columns", "2"),
    ("frame-parallel-decoding", "false"),
    ("end-usage", "cbr"),
    ("lag-in-frames", "0"),
    ("keyframe-mode", "disabled"),
    ("keyframe-max-dist", ENDLESS),
    ("buffer-size", "150"),
    ("buffer-initial-size", "100"),
    ("buffer-optimal-size", "120"),
    ("undershoot", "95"),
    ("max-intra-bitrate", "600"),
    ("static-threshold", "1"),
    ("resize-allowed", "false"),
];

/// VA-API encoders of gst-plugins-bad share their properties.
const VA: &[(&str, &str)] = &[
    ("rate-control", "cbr"),
    ("key-int-max", "1024"),
    ("b-frames", "0"),
    ("target-usage", "6"),
    ("ref-frames", "1"),
];

const NVCODEC: &[(&str, &str)] = &[
    ("rc-mode", "cbr"),
    ("zerolatency", "true"),
    ("bframes", "0"),
    ("gop-size", "-1"),
    ("preset", "low-latency-hq"),
    ("vbv-buffer-size", "120"),
];

const QSV: &[(&str, &str)] = &[
    ("rate-control", "cbr"),
    ("gop-size", "1024"),
    ("b-frames", "0"),
    ("low-latency", "true"),
    ("ref-frames", "1"),
];

const VAAPI: &[(&str, &str)] = &[
    ("rate-control", "cbr"),
    ("keyframe-period", "1024"),
    ("max-bframes", "0"),
];

const NVV4L2: &[(&str, &str)] = &[
    ("control-rate", "1"),
    ("preset-level", "1"),
    ("iframeinterval", "2048"),
    ("insert-sps-pps", "true"),
    ("maxperf-enable", "true"),
];

const MEDIA_FOUNDATION: &[(&str, &str)] = &[
    ("rc-mode", "cbr"),
    ("gop-size", "1024"),
    ("bframes", "0"),
    ("low-latency", "true"),
];

const AMF: &[(&str, &str)] = &[
    ("rate-control", "cbr"),
    ("usage", "ultra-low-latency"),
    ("gop-size", "1024"),
];

const VIDEOTOOLBOX: &[(&str, &str)] = &[
    ("realtime", "true"),
    ("allow-frame-reordering", "false"),
    ("max-keyframe-interval", ENDLESS),
];

const TUNINGS: &[Tuning] = &[
    Tuning {
        factory: "vp8enc",
        bitrate: &["target-bitrate"],
        unit: Unit::Bits,
        threads: Some("threads"),
        settings: VP8,
    },
    Tuning {
        factory: "vp9enc",
        bitrate: &["target-bitrate"],
        unit: Unit::Bits,
        threads: Some("threads"),
        settings: VP9,
    },
    Tuning {
        factory: "x264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: Some("threads"),
        settings: &[
            ("tune", "zerolatency"),
            ("speed-preset", "superfast"),
            ("key-int-max", ENDLESS),
            ("bframes", "0"),
            ("vbv-buf-capacity", "120"),
            ("byte-stream", "true"),
            ("option-string", "scenecut=0"),
        ],
    },
    Tuning {
        factory: "openh264enc",
        bitrate: &["bitrate", "max-bitrate"],
        unit: Unit::Bits,
        threads: Some("multi-thread"),
        settings: &[
            ("rate-control", "bitrate"),
            ("usage-type", "camera"),
            ("complexity", "low"),
            ("gop-size", ENDLESS),
            ("scene-change-detection", "false"),
            ("enable-frame-skip", "false"),
        ],
    },
    Tuning {
        factory: "x265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: &[
            ("tune", "zerolatency"),
            ("speed-preset", "ultrafast"),
            ("key-int-max", ENDLESS),
            ("option-string", "bframes=0:scenecut=0"),
        ],
    },
    Tuning {
        factory: "av1enc",
        bitrate: &["target-bitrate"],
        unit: Unit::Kilobits,
        threads: Some("threads"),
        settings: &[
            ("usage-profile", "realtime"),
            ("cpu-used", "9"),
            ("row-mt", "true"),
            ("end-usage", "cbr"),
            ("lag-in-frames", "0"),
            ("keyframe-mode", "disabled"),
            ("buf-sz", "150"),
            ("buf-initial-sz", "100"),
            ("buf-optimal-sz", "120"),
        ],
    },
    Tuning {
        factory: "svtav1enc",
        bitrate: &["target-bitrate"],
        unit: Unit::Kilobits,
        threads: Some("logical-processors"),
        settings: &[
            ("preset", "12"),
            ("intra-period-length", "-1"),
            ("parameters-string", "pred-struct=1:rc=2"),
        ],
    },
    Tuning {
        factory: "rav1enc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: Some("threads"),
        settings: &[
            ("low-latency", "true"),
            ("speed-preset", "10"),
            ("max-key-frame-interval", "715827882"),
        ],
    },
    Tuning {
        factory: "opusenc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: None,
        settings: &[
            ("frame-size", "20"),
            ("bitrate-type", "constrained-vbr"),
            ("perfect-timestamp", "false"),
        ],
    },
    Tuning {
        factory: "vah264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VA,
    },
    Tuning {
        factory: "vah264lpenc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VA,
    },
    Tuning {
        factory: "vah265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VA,
    },
    Tuning {
        factory: "vah265lpenc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VA,
    },
    Tuning {
        factory: "vavp9enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VA,
    },
    Tuning {
        factory: "vaav1enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VA,
    },
    Tuning {
        factory: "vaapih264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VAAPI,
    },
    Tuning {
        factory: "vaapih265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VAAPI,
    },
    Tuning {
        factory: "vaapivp8enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VAAPI,
    },
    Tuning {
        factory: "vaapivp9enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VAAPI,
    },
    Tuning {
        factory: "nvh264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: NVCODEC,
    },
    Tuning {
        factory: "nvcudah264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: NVCODEC,
    },
    Tuning {
        factory: "nvautogpuh264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: NVCODEC,
    },
    Tuning {
        factory: "nvh265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: NVCODEC,
    },
    Tuning {
        factory: "nvav1enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: NVCODEC,
    },
    Tuning {
        factory: "qsvh264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: QSV,
    },
    Tuning {
        factory: "qsvh265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: QSV,
    },
    Tuning {
        factory: "qsvvp9enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: QSV,
    },
    Tuning {
        factory: "qsvav1enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: QSV,
    },
    Tuning {
        factory: "nvv4l2h264enc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: None,
        settings: NVV4L2,
    },
    Tuning {
        factory: "nvv4l2h265enc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: None,
        settings: NVV4L2,
    },
    Tuning {
        factory: "nvv4l2vp8enc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: None,
        settings: NVV4L2,
    },
    Tuning {
        factory: "nvv4l2vp9enc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: None,
        settings: NVV4L2,
    },
    Tuning {
        factory: "nvv4l2av1enc",
        bitrate: &["bitrate"],
        unit: Unit::Bits,
        threads: None,
        settings: NVV4L2,
    },
    Tuning {
        factory: "mfh264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: MEDIA_FOUNDATION,
    },
    Tuning {
        factory: "mfh265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: MEDIA_FOUNDATION,
    },
    Tuning {
        factory: "amfh264enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: AMF,
    },
    Tuning {
        factory: "amfh265enc",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: AMF,
    },
    Tuning {
        factory: "vtenc_h264",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VIDEOTOOLBOX,
    },
    Tuning {
        factory: "vtenc_h264_hw",
        bitrate: &["bitrate"],
        unit: Unit::Kilobits,
        threads: None,
        settings: VIDEOTOOLBOX,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_software_encoder_takes_its_whole_tuning() {
        gst::init().expect("GStreamer");
        for name in ["vp8enc", "vp9enc", "x264enc", "openh264enc", "opusenc"] {
            let encoder = gst::ElementFactory::make(name)
                .build()
                .expect("the encoder is installed");
            let tuning = tuning_of(&encoder).expect("the table knows it");
            for (property, text) in tuning.settings {
                let pspec = encoder.find_property(property);
                let pspec = pspec.unwrap_or_else(|| panic!("{name} has no property {property}"));
                assert!(
                    glib::Value::deserialize_with_pspec(text, &pspec).is_ok(),
                    "{name}.{property} does not take {text}"
                );
            }
            assert!(tune(&encoder));
        }
    }

    #[test]
    fn a_bitrate_reaches_the_encoder_in_its_own_unit() {
        gst::init().expect("GStreamer");
        let vp8 = gst::ElementFactory::make("vp8enc").build().expect("vp8enc");
        assert!(set_bitrate(&vp8, Bitrate::from_bps(1_500_000)));
        assert_eq!(vp8.property::<i32>("target-bitrate"), 1_500_000);
        let x264 = gst::ElementFactory::make("x264enc").build().expect("x264enc");
        assert!(set_bitrate(&x264, Bitrate::from_bps(1_500_000)));
        assert_eq!(x264.property::<u32>("bitrate"), 1500);
    }
}
