use proptest::prelude::*;

use super::*;

fn score(codec: Codec, ours: &str, theirs: &str) -> Option<u8> {
    match_fmtp(codec, &Fmtp::parse(ours), &Fmtp::parse(theirs)).map(|score| score.0)
}

fn h264(ours: &str, theirs: &str) -> Option<u8> {
    let fmtp = |id| format!("packetization-mode=1;profile-level-id={id};level-asymmetry-allowed=1");
    score(Codec::H264, &fmtp(ours), &fmtp(theirs))
}

fn numbers(formats: &[Format]) -> Vec<(Codec, u8, Option<u8>)> {
    formats
        .iter()
        .map(|format| {
            (
                format.codec,
                format.payload_type.number(),
                format.rtx.map(PayloadType::number),
            )
        })
        .collect()
}

#[test]
fn each_video_codec_has_its_retransmissions_right_after_it() {
    let formats = assign_payload_types(&[Codec::Vp8, Codec::Opus, Codec::H264], true).unwrap();
    assert_eq!(
        numbers(&formats),
        [
            (Codec::Vp8, 96, Some(97)),
            (Codec::Opus, 98, None),
            (Codec::H264, 99, Some(100))
        ]
    );
}

#[test]
fn without_retransmissions_codecs_are_numbered_through() {
    let formats = assign_payload_types(&[Codec::Vp8, Codec::Vp9], false).unwrap();
    assert_eq!(
        numbers(&formats),
        [(Codec::Vp8, 96, None), (Codec::Vp9, 97, None)]
    );
}

#[test]
fn after_127_numbers_go_on_at_35_and_end_at_63() {
    let formats = assign_payload_types(&[Codec::Opus; 61], false).unwrap();
    let numbers: Vec<_> = formats
        .iter()
        .map(|format| format.payload_type.number())
        .collect();
    assert_eq!(numbers, (96..=127).chain(35..=63).collect::<Vec<_>>());
    assert_eq!(
        assign_payload_types(&[Codec::Opus; 62], false),
        Err(OutOfPayloadTypes)
    );
    assert_eq!(
        assign_payload_types(&[Codec::Vp8; 31], true),
        Err(OutOfPayloadTypes)
    );
}

#[test]
fn parameters_are_read_as_people_write_them() {
    let fmtp = Fmtp::parse(" Packetization-Mode=1; profile-level-id = 42e01f;;0-15 ");
    assert_eq!(fmtp.value("packetization-mode"), Some("1"), "names in any case");
    assert_eq!(fmtp.value("profile-level-id"), Some("42e01f"));
    assert_eq!(fmtp.value("0-15"), Some(""), "a name without a value");
    assert_eq!(fmtp.value("max-fs"), None);
    assert_eq!(
        fmtp.to_string(),
        "Packetization-Mode=1;profile-level-id=42e01f;0-15"
    );
    assert!(Fmtp::parse(" ; ").is_empty());
}

#[test]
fn a_parameter_is_set_in_its_place() {
    let mut fmtp: Fmtp = "apt=96;rtx-time=200".parse().unwrap();
    fmtp.set("APT", "98");
    fmtp.set("x", "1");
    assert_eq!(fmtp.to_string(), "apt=98;rtx-time=200;x=1");
}

#[test]
fn h264_needs_the_same_packetization_mode() {
    let same_profile = "profile-level-id=42e01f";
    assert_eq!(
        score(
            Codec::H264,
            &format!("packetization-mode=1;{same_profile}"),
            same_profile
        ),
        None
    );
    assert!(
        score(
            Codec::H264,
            &format!("packetization-mode=0;{same_profile}"),
            same_profile
        )
        .is_some()
    );
}

#[test]
fn constrained_baseline_is_taken_by_every_decoder_and_best_by_its_own() {
    for (theirs, expected) in [
        ("42e01f", Some(4)),
        ("42c01f", Some(4)),
        ("4d801f", Some(4)),
        ("42001f", Some(2)),
        ("4d001f", Some(2)),
        ("64001f", Some(2)),
        ("f4001f", Some(2)),
    ] {
        assert_eq!(
            h264("42c01f", theirs),
            expected,
            "constrained baseline to {theirs}"
        );
    }
}

#[test]
fn a_profile_with_more_tools_is_refused_by_decoders_with_fewer() {
    for (ours, theirs) in [
        ("42001f", "42e01f"),
        ("42001f", "4d001f"),
        ("4d001f", "42e01f"),
        ("4d001f", "640c1f"),
        ("64001f", "4d001f"),
        ("64001f", "640c1f"),
        ("f4001f", "64001f"),
    ] {
        assert_eq!(h264(ours, theirs), None, "{ours} to {theirs}");
    }
    for (ours, theirs) in [("4d001f", "64001f"), ("640c1f", "64001f"), ("64001f", "f4001f")] {
        assert_eq!(h264(ours, theirs), Some(2), "{ours} to {theirs}");
    }
}

#[test]
fn an_h264_level_too_low_scores_less_and_is_taken() {
    let fmtp = |id| format!("packetization-mode=1;profile-level-id={id}");
    assert_eq!(score(Codec::H264, &fmtp("42e01f"), &fmtp("42e01f")), Some(4));
    assert_eq!(score(Codec::H264, &fmtp("42e028"), &fmtp("42e01f")), Some(3));
    assert_eq!(h264("42e028", "42e01f"), Some(4), "both sides allow asymmetry");
    assert_eq!(
        score(Codec::H264, &fmtp("42e00b"), &fmtp("42f00b")),
        Some(3),
        "1b is below 1.1"
    );
    assert_eq!(score(Codec::H264, &fmtp("42f00b"), &fmtp("42e00b")), Some(4));
}

#[test]
fn h264_without_a_profile_is_constrained_baseline() {
    assert_eq!(
        score(
            Codec::H264,
            "packetization-mode=1",
            "packetization-mode=1;profile-level-id=42e01f"
        ),
        Some(4)
    );
}

#[test]
fn an_h264_profile_that_cannot_be_read_matches_nothing() {
    for broken in ["", "42e0", "42e01f00", "xyz01f", "+2e01f", "00e01f", "ää"] {
        assert_eq!(h264("42e01f", broken), None, "{broken:?}");
    }
    assert_eq!(
        score(Codec::H264, "packetization-mode=one", "packetization-mode=one"),
        None
    );
}

#[test]
fn vp9_profiles_must_be_equal_and_default_to_0() {
    assert!(score(Codec::Vp9, "", "profile-id=0").is_some());
    assert_eq!(score(Codec::Vp9, "profile-id=0", "profile-id=2"), None);
}

#[test]
fn av1_is_taken_by_decoders_of_the_same_or_a_higher_profile() {
    assert_eq!(score(Codec::Av1, "", "profile=0;level-idx=5;tier=0"), Some(2));
    assert_eq!(score(Codec::Av1, "profile=0", "profile=1"), Some(1));
    assert_eq!(score(Codec::Av1, "profile=1", "profile=0"), None);
    assert_eq!(score(Codec::Av1, "profile=x", "profile=0"), None);
}

#[test]
fn h265_needs_the_same_profile_and_likes_a_level_that_suffices() {
    assert_eq!(score(Codec::H265, "level-id=93", "level-id=120"), Some(2));
    assert_eq!(score(Codec::H265, "level-id=150", "level-id=120"), Some(1));
    assert_eq!(score(Codec::H265, "profile-id=2", "profile-id=1"), None);
    assert_eq!(score(Codec::H265, "", "tx-mode=MRST"), None);
}

#[test]
fn opus_is_always_taken_and_vp8_has_nothing_to_differ_in() {
    assert_eq!(
        score(Codec::Opus, "stereo=1", "minptime=10;useinbandfec=1"),
        Some(1)
    );
    assert_eq!(score(Codec::Opus, "stereo=1", "stereo=1"), Some(2));
    assert_eq!(score(Codec::Vp8, "max-fs=1", ""), Some(1));
}

proptest! {
    #[test]
    fn reading_and_writing_parameters_comes_to_rest(text in "[ -~]{0,60}") {
        let once = Fmtp::parse(&text).to_string();
        prop_assert_eq!(Fmtp::parse(&once).to_string(), once);
    }

    #[test]
    fn arbitrary_parameters_never_panic(ours in ".{0,40}", theirs in ".{0,40}", id in "[0-9a-fA-Fx]{6}") {
        for codec in Codec::ALL {
            score(codec, &ours, &theirs);
            score(codec, &format!("profile-level-id={id};{ours}"), &theirs);
        }
    }

    #[test]
    fn whatever_has_an_h264_profile_matches_itself_best(id in "(42|4d|58|64|f4)[0-9a-f]{4}") {
        if let Some(score) = h264(&id, &id) {
            prop_assert_eq!(score, 4);
        } else {
            prop_assert!(id.starts_with("58"), "only pure extended profile is unknown");
        }
    }
}
