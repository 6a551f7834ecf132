//! Media to test with: files that ffmpeg makes, and a camera that gst-rtsp-server plays.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use gst::glib;
use gst_rtsp_server::prelude::*;
use tempfile::TempDir;
use weir_demo::input::Media;

/// A folder for media files that goes away with it.
pub(crate) struct Films(TempDir);

impl Films {
    pub(crate) fn new() -> Self {
        gst::init().unwrap();
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A small moving picture with a tone, encoded as ffmpeg is told.
    pub(crate) fn film(&self, name: &str, seconds: u32, encoding: &str) -> Media {
        let path = self.path(name);
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-loglevel", "error", "-y"])
            .args([
                "-f",
                "lavfi",
                "-i",
                &format!("testsrc2=size=160x120:rate=25:duration={seconds}"),
            ])
            .args([
                "-f",
                "lavfi",
                "-i",
                &format!("sine=frequency=440:duration={seconds}"),
            ])
            .args(encoding.split_whitespace())
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success(), "ffmpeg made no {name}");
        Media::File(path)
    }

    pub(crate) fn text(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, "This is no film.\n".repeat(100)).unwrap();
        path
    }
}

/// What browsers can play as it is, but for the sound.
pub(crate) const H264_AAC: &str =
    "-c:v libx264 -profile:v main -bf 0 -g 25 -sc_threshold 0 -pix_fmt yuv420p -c:a aac";

/// An RTSP camera on this machine.
pub(crate) struct Camera {
    server: gst_rtsp_server::RTSPServer,
    source: Option<glib::SourceId>,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    thread: Option<std::thread::JoinHandle<()>>,
    pub(crate) port: u16,
}

impl Camera {
    /// Plays a moving picture, encoded as told, at `/live`. Port 0 takes any that is free.
    pub(crate) fn start(port: u16, encoder: &str) -> Self {
        gst::init().unwrap();
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(&format!(
            "( videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=25/1 ! {encoder} name=pay0 pt=96 )"
        ));
        factory.set_shared(true);
        server.mount_points().unwrap().add_factory("/live", factory);
        let source = server.attach(Some(&context)).unwrap();
        let port = u16::try_from(server.bound_port()).unwrap();
        let running = main_loop.clone();
        let thread = std::thread::spawn(move || running.run());
        Self {
            server,
            source: Some(source),
            context,
            main_loop,
            thread: Some(thread),
            port,
        }
    }

    pub(crate) fn media(&self, path: &str) -> Media {
        Media::Rtsp(format!("rtsp://127.0.0.1:{}{path}", self.port).parse().unwrap())
    }
}

impl Drop for Camera {
    /// Hangs up on everybody.
    fn drop(&mut self) {
        let (server, source) = (self.server.clone(), self.source.take());
        let context = self.context.clone();
        let main_loop = self.main_loop.clone();
        self.context.invoke(move || {
            server.client_filter(Some(&mut |_, _| gst_rtsp_server::RTSPFilterResult::Remove));
            if let Some(source) = source.and_then(|source| context.find_source_by_id(&source)) {
                source.destroy();
            }
            main_loop.quit();
        });
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The demo's executable.
pub(crate) fn demo() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_weir-demo"))
}
