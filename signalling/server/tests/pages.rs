//! What browsers and those who watch over the server get by HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{Client, get, http, start, status};
use tokio::net::TcpStream;
use weir_signalling_server::{BindError, Config, Handle, Pages, Routes, Server, SignallingState};

#[tokio::test]
async fn the_first_embedded_page_is_html_and_is_not_sent_twice() {
    let server = serve(Pages::embedded()).await;
    let (head, body) = http(server.local_addr(), "GET / HTTP/1.1").await;
    assert_eq!(status(&head), 200);
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(body.contains("<title>"), "{body}");
    assert_eq!(get(server.local_addr(), "/index.html").await, (200, body));

    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let request = format!("GET / HTTP/1.1\r\nIf-None-Match: {tag}");
    let (head, body) = http(server.local_addr(), &request).await;
    assert_eq!((status(&head), body.as_str()), (304, ""));
}

#[tokio::test]
async fn pages_are_only_read() {
    let server = serve(Pages::embedded()).await;
    for method in ["POST", "PUT", "DELETE"] {
        let request = format!("{method} / HTTP/1.1\r\nContent-Length: 0");
        let (head, _) = http(server.local_addr(), &request).await;
        assert_eq!(status(&head), 405);
    }
    let (head, body) = http(server.local_addr(), "HEAD / HTTP/1.1").await;
    assert_eq!((status(&head), body.as_str()), (200, ""));
}

#[tokio::test]
async fn no_path_leads_out_of_a_folder_or_of_the_embedded_pages() {
    let folder = make_folder("out");
    fs::write(folder.parent().unwrap().join("secret.txt"), "secret").unwrap();
    for server in [
        serve(Pages::folder(&folder)).await,
        serve(Pages::embedded()).await,
    ] {
        for path in [
            "/../secret.txt",
            "/a/../../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e%2fsecret.txt",
            "/a/..%2f..%2fsecret.txt",
            "//../secret.txt",
            "/..\\secret.txt",
            "/%00",
            "/../../../../../../../../../../etc/passwd",
            "//etc/passwd",
            "/%2fetc/passwd",
        ] {
            let (status, body) = get(server.local_addr(), path).await;
            assert!((400..500).contains(&status), "{path}: {status}");
            assert!(
                !body.contains("secret") && !body.contains("root:"),
                "{path}: {body}"
            );
        }
    }
}

#[tokio::test]
async fn a_folder_is_served_with_its_sub_folders() {
    let server = serve(Pages::folder(make_folder("served"))).await;
    assert_eq!(get(server.local_addr(), "/").await, (200, "<p>index".to_owned()));
    assert_eq!(get(server.local_addr(), "/a/b.js").await, (200, "b()".to_owned()));
    assert_eq!(
        get(server.local_addr(), "/a/b.js?v=1").await,
        (200, "b()".to_owned())
    );
    assert_eq!(get(server.local_addr(), "/a/none.js").await.0, 404);
}

#[tokio::test]
async fn pages_under_a_path_are_found_there_only() {
    let pages = Pages {
        path: "/weir/".to_owned(),
        ..Pages::folder(make_folder("path"))
    };
    let server = serve(pages).await;
    assert_eq!(
        get(server.local_addr(), "/weir/").await,
        (200, "<p>index".to_owned())
    );
    assert_eq!(
        get(server.local_addr(), "/weir/a/b.js").await,
        (200, "b()".to_owned())
    );
    assert_eq!(get(server.local_addr(), "/weir/config.json").await.0, 200);
    for path in ["/", "/a/b.js", "/weirder/a/b.js", "/config.json"] {
        assert_eq!(get(server.local_addr(), path).await.0, 404, "{path}");
    }
    let (head, _) = http(server.local_addr(), "GET /weir HTTP/1.1").await;
    assert!(
        status(&head) == 308 && head.contains("location: /weir/"),
        "{head}"
    );
}

#[tokio::test]
async fn pages_are_told_where_to_connect_to() {
    let server = serve(Pages::embedded()).await;
    let (_, body) = get(server.local_addr(), "/config.json").await;
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"signallingUrl": null})
    );

    let elsewhere = "wss://example.org:8443/".to_owned();
    let server = serve(Pages {
        signalling_url: Some(elsewhere.clone()),
        ..Pages::embedded()
    })
    .await;
    let (_, body) = get(server.local_addr(), "/config.json").await;
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"signallingUrl": elsewhere})
    );
}

#[tokio::test]
async fn health_and_metrics_count_peers_sessions_and_refusals() {
    let server = start(Config::new(SignallingState::default())).await;
    let mut producer = Client::connect_as(server.local_addr(), &["producer"]).await;
    let mut consumer = Client::connect(server.local_addr()).await;
    consumer.watch(&mut producer).await;
    consumer.say_text("nonsense").await;
    consumer.hear().await;

    let (status, body) = get(server.local_addr(), "/health").await;
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(health["status"], "ok");
    assert_eq!((&health["peers"], &health["sessions"]), (&json!(2), &json!(1)));
    assert!(
        health["uptimeSeconds"].is_u64() && health["version"].is_string(),
        "{health}"
    );

    let (_, metrics) = get(server.local_addr(), "/metrics").await;
    for line in [
        "weir_signalling_peers 2",
        "weir_signalling_sessions 1",
        "weir_signalling_sessions_started_total 1",
        "weir_signalling_refusals_total{code=\"malformed-message\"} 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_server_without_pages_says_what_it_is_and_one_without_signalling_takes_no_websockets() {
    let server = start(Config::new(SignallingState::default())).await;
    assert_eq!(get(server.local_addr(), "/").await.0, 426);

    let routes = Routes {
        signalling: false,
        pages: Some(Pages::embedded()),
    };
    let web = start(Config {
        routes,
        ..Config::new(SignallingState::default())
    })
    .await;
    let stream = TcpStream::connect(web.local_addr()).await.unwrap();
    async_tungstenite::tokio::client_async("ws://localhost/", stream)
        .await
        .unwrap_err();
    assert_eq!(get(web.local_addr(), "/").await.0, 200);
}

#[tokio::test]
async fn pages_that_cannot_be_served_are_refused_before_anything_is() {
    let missing = bind(Pages::folder("/no/such/folder")).await.unwrap_err();
    assert!(matches!(missing, BindError::NoPages { .. }), "{missing}");
    for path in ["a b", "a?b", "a#b"] {
        let refused = bind(Pages {
            path: path.to_owned(),
            ..Pages::embedded()
        })
        .await
        .unwrap_err();
        assert!(matches!(refused, BindError::PagesPath { .. }), "{refused}");
    }
}

async fn bind(pages: Pages) -> Result<Server, BindError> {
    let routes = Routes {
        signalling: true,
        pages: Some(pages),
    };
    Server::bind(Config {
        port: 0,
        routes,
        ..Config::new(SignallingState::default())
    })
    .await
}

async fn serve(pages: Pages) -> Handle {
    bind(pages).await.unwrap().spawn()
}

/// A folder of pages, in a folder of its own.
fn make_folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("pages")
        .join(name)
        .join("site");
    fs::create_dir_all(folder.join("a")).unwrap();
    fs::write(folder.join("index.html"), "<p>index").unwrap();
    fs::write(folder.join("a/b.js"), "b()").unwrap();
    folder
}
