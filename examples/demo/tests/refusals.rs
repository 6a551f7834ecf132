//! What cannot be streamed is refused with one clear sentence and exit code 1.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::process::Command;

use support::{Films, demo};

/// The only line on standard error of a demo that has to fail.
fn refusal(arguments: &[&str]) -> String {
    let output = Command::new(demo())
        .args(arguments)
        .env_remove("GST_DEBUG")
        .output()
        .unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    let lines: Vec<_> = complaint.lines().collect();
    assert_eq!(lines.len(), 1, "{complaint}");
    lines[0]
        .strip_prefix("error: ")
        .expect("it is an error")
        .to_owned()
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string()
}

#[test]
fn a_wrong_path_is_refused() {
    assert_eq!(
        refusal(&["--source", "/no/such/film.mp4"]),
        "there is no file or device “/no/such/film.mp4”"
    );
}

#[test]
fn a_text_is_refused() {
    let films = Films::new();
    let path = films.text("film.mp4").display().to_string();
    assert_eq!(
        refusal(&["--source", &path, "--port", &free_port()]),
        format!("“{path}” is no media file")
    );
}

#[test]
fn an_empty_file_is_refused() {
    let films = Films::new();
    let path = films.path("empty.mp4");
    std::fs::write(&path, []).unwrap();
    let sentence = refusal(&["--source", path.to_str().unwrap(), "--port", &free_port()]);
    assert!(
        sentence.starts_with(&format!("“{}” ", path.display())),
        "{sentence}"
    );
}

#[test]
fn a_camera_that_cannot_be_reached_is_refused() {
    let url = format!("rtsp://127.0.0.1:{}/live", free_port());
    let sentence = refusal(&["--source", &url, "--port", &free_port()]);
    assert!(
        sentence.starts_with(&format!("the camera {url} cannot be reached: ")),
        "{sentence}"
    );
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let sentence = format!("port {port} is taken by another program; --port N chooses another");
    assert_eq!(refusal(&["--port", &port.to_string()]), sentence);
}

#[test]
fn a_device_that_is_no_camera_is_refused() {
    let sentence = refusal(&["--source", "/dev/null", "--port", &free_port()]);
    assert!(sentence.contains("/dev/null"), "{sentence}");
}
