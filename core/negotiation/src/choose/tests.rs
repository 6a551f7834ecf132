use weir_units::PayloadType;

use super::*;
use crate::Fmtp;

const PREFERENCES: [Codec; 3] = [Codec::Vp8, Codec::H264, Codec::Vp9];

fn accepted(codecs: &[Codec]) -> Vec<Format> {
    let format = |(index, codec): (usize, &Codec)| Format {
        codec: *codec,
        payload_type: PayloadType::new(96 + index as u8).unwrap(),
        rtx: None,
        fmtp: Fmtp::new(),
    };
    codecs.iter().enumerate().map(format).collect()
}

fn choose(taken: &[Codec], running: &[Codec], encoders_left: usize) -> Result<Codec, Refusal> {
    choose_codec(&PREFERENCES, &accepted(taken), running, encoders_left).map(|format| format.codec)
}

#[test]
fn the_first_viewer_gets_the_first_codec_of_ours_that_it_takes() {
    assert_eq!(
        choose(&[Codec::Vp9, Codec::H264], &[], 3),
        Ok(Codec::H264),
        "our order, not the viewer's"
    );
}

#[test]
fn a_codec_that_runs_goes_before_one_that_we_like_better() {
    assert_eq!(
        choose(&[Codec::Vp8, Codec::Vp9], &[Codec::Vp9], 3),
        Ok(Codec::Vp9)
    );
}

#[test]
fn of_several_that_run_our_order_decides() {
    assert_eq!(
        choose(&PREFERENCES, &[Codec::Vp9, Codec::H264], 0),
        Ok(Codec::H264)
    );
}

#[test]
fn a_new_codec_is_started_only_for_a_viewer_that_takes_none_that_runs() {
    assert_eq!(choose(&[Codec::H264], &[Codec::Vp8], 1), Ok(Codec::H264));
    assert_eq!(
        choose(&[Codec::H264], &[Codec::Vp8], 0),
        Err(Refusal::EncoderLimit)
    );
}

#[test]
fn a_viewer_that_takes_nothing_of_ours_is_refused_whatever_runs() {
    assert_eq!(
        choose(&[Codec::Av1], &[Codec::Av1], 3),
        Err(Refusal::NoCommonCodec),
        "it runs, but is not offered"
    );
    assert_eq!(choose(&[], &[], 3), Err(Refusal::NoCommonCodec));
}

#[test]
fn of_several_formats_of_one_codec_the_viewers_first_counts() {
    let formats = accepted(&[Codec::H264, Codec::H264]);
    let chosen = choose_codec(&PREFERENCES, &formats, &[], 1).unwrap();
    assert_eq!(chosen.payload_type.number(), 96);
}

#[test]
fn a_refusal_ends_the_session_with_its_reason() {
    assert_eq!(Refusal::NoCommonCodec.end_reason().code(), "no-common-codec");
    assert_eq!(Refusal::EncoderLimit.end_reason().code(), "encoder-limit");
}
