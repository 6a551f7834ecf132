//! What is found out about files and cameras, and what is decided.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Instant;

use support::{Camera, Films, H264_AAC};
use weir_demo::input::Media;
use weir_demo::input::plan::{LONGEST_GOP, Plan, Reason};
use weir_demo::input::probe::{Contents, probe};

fn video_plan(contents: &Contents) -> &Plan {
    &contents.video.as_ref().expect("there is video").plan
}

fn audio_plan(contents: &Contents) -> &Plan {
    &contents.audio.as_ref().expect("there is audio").plan
}

#[test]
fn h264_for_browsers_goes_through_and_its_aac_becomes_opus() {
    let films = Films::new();
    for container in ["film.mp4", "film.mkv", "film.ts"] {
        let contents = probe(&films.film(container, 3, H264_AAC)).unwrap();
        assert_eq!(*video_plan(&contents), Plan::PassThrough, "{container}");
        assert_eq!(contents.video.as_ref().unwrap().format, "video/x-h264");
        assert_eq!(
            *audio_plan(&contents),
            Plan::Transcode(Reason::Codec),
            "{container}"
        );
    }
}

#[test]
fn h264_with_b_frames_is_encoded_anew() {
    let films = Films::new();
    let encoding = "-c:v libx264 -profile:v main -bf 2 -b_strategy 0 -g 25 -pix_fmt yuv420p -c:a aac";
    for container in ["film.mp4", "film.ts"] {
        let contents = probe(&films.film(container, 3, encoding)).unwrap();
        assert_eq!(
            *video_plan(&contents),
            Plan::Transcode(Reason::Bidirectional),
            "{container}"
        );
    }
}

#[test]
fn h264_of_high_profile_is_encoded_anew() {
    let films = Films::new();
    let film = films.film(
        "film.mp4",
        3,
        "-c:v libx264 -profile:v high -bf 0 -g 25 -pix_fmt yuv420p -an",
    );
    let contents = probe(&film).unwrap();
    assert_eq!(
        *video_plan(&contents),
        Plan::Transcode(Reason::Profile(Some("high".into())))
    );
    assert_eq!(contents.audio, None);
}

#[test]
fn key_frames_that_grow_rare_only_later_are_found_too() {
    let films = Films::new();
    let encoding = "-c:v libx264 -profile:v main -bf 0 -g 1000 -sc_threshold 0 \
                    -force_key_frames expr:lt(t,3)*gte(t,n_forced) -pix_fmt yuv420p -an";
    let contents = probe(&films.film("film.mp4", 12, encoding)).unwrap();
    match video_plan(&contents) {
        Plan::Transcode(Reason::LongGop(gop)) => assert!(*gop > LONGEST_GOP, "{gop:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn interlaced_video_is_encoded_anew() {
    let films = Films::new();
    let encoding = "-c:v libx264 -profile:v main -flags +ildct+ilme -top 1 -bf 0 -g 25 -pix_fmt yuv420p -an";
    let contents = probe(&films.film("film.mp4", 3, encoding)).unwrap();
    assert_eq!(*video_plan(&contents), Plan::Transcode(Reason::Interlaced));
}

#[test]
fn webm_with_close_key_frames_goes_through_with_its_opus() {
    let films = Films::new();
    for codec in ["libvpx", "libvpx-vp9"] {
        let encoding = format!("-c:v {codec} -deadline realtime -cpu-used 8 -g 25 -b:v 200k -c:a libopus");
        let contents = probe(&films.film("film.webm", 3, &encoding)).unwrap();
        assert_eq!(*video_plan(&contents), Plan::PassThrough, "{codec}");
        assert_eq!(*audio_plan(&contents), Plan::PassThrough, "{codec}");
    }
}

#[test]
fn webm_with_rare_key_frames_is_encoded_anew() {
    let films = Films::new();
    let encoding = "-c:v libvpx -deadline realtime -cpu-used 8 -g 1000 -b:v 200k -an";
    let contents = probe(&films.film("film.webm", 8, encoding)).unwrap();
    assert!(
        matches!(video_plan(&contents), Plan::Transcode(Reason::LongGop(_))),
        "{contents:?}"
    );
}

#[test]
fn a_file_with_sound_only_has_no_video() {
    let films = Films::new();
    let contents = probe(&films.film("sound.ogg", 2, "-vn -c:a libopus")).unwrap();
    assert_eq!(contents.video, None);
    assert_eq!(*audio_plan(&contents), Plan::PassThrough);
}

#[test]
fn a_text_is_no_media_file() {
    let films = Films::new();
    let path = films.text("film.mp4");
    let sentence = probe(&Media::File(path.clone())).unwrap_err().to_string();
    assert_eq!(sentence, format!("“{}” is no media file", path.display()));
}

#[test]
fn a_camera_for_browsers_goes_through_and_is_not_looked_at_for_long() {
    let camera = Camera::start(
        0,
        "x264enc bframes=0 key-int-max=25 tune=zerolatency ! video/x-h264,profile=main ! rtph264pay",
    );
    let began = Instant::now();
    let contents = probe(&camera.media("/live")).unwrap();
    assert_eq!(*video_plan(&contents), Plan::PassThrough);
    assert_eq!(contents.video.unwrap().format, "video/x-h264");
    // Three key frames are enough, and they are a second apart.
    assert!(began.elapsed().as_secs() < 12, "{:?}", began.elapsed());
}

#[test]
fn a_camera_with_rare_key_frames_is_encoded_anew() {
    let camera = Camera::start(
        0,
        "x264enc bframes=0 key-int-max=1000 tune=zerolatency ! video/x-h264,profile=main ! rtph264pay",
    );
    let contents = probe(&camera.media("/live")).unwrap();
    assert!(
        matches!(video_plan(&contents), Plan::Transcode(Reason::LongGop(_))),
        "{contents:?}"
    );
}

#[test]
fn a_camera_that_is_not_there_is_reported_soon() {
    gst::init().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let media = Media::Rtsp(
        format!("rtsp://anna:secret@127.0.0.1:{port}/live")
            .parse()
            .unwrap(),
    );
    let began = Instant::now();
    let sentence = probe(&media).unwrap_err().to_string();
    assert!(
        sentence.starts_with(&format!(
            "the camera rtsp://127.0.0.1:{port}/live cannot be reached: "
        )),
        "{sentence}"
    );
    assert!(!sentence.contains("secret"), "{sentence}");
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn a_camera_without_that_stream_is_reported() {
    let camera = Camera::start(0, "x264enc ! rtph264pay");
    let sentence = probe(&camera.media("/other")).unwrap_err().to_string();
    assert!(sentence.contains("/other is not there"), "{sentence}");
}
