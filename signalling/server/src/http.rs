//! What each HTTP request gets: a WebSocket, a page, or numbers.

use std::sync::Arc;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::TokioAdapter;
use async_tungstenite::tungstenite::handshake::server::create_response_with_body;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tracing::debug;
use weir_protocol::MAX_MESSAGE_BYTES;

use crate::listener::{Connection, Shared};
use crate::pages::{self, text};
use crate::{BindError, metrics, socket};

/// The routes of one listener.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(prometheus))
        .fallback(page)
        .layer(from_fn_with_state(shared.clone(), upgrade_or_next))
        .with_state(shared)
}

/// Checks the header fields that a caller wants in the handshake's response.
pub(crate) fn handshake_headers(fields: &[(String, String)]) -> Result<HeaderMap, BindError> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let parsed = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        match parsed {
            Some((name, value)) if !is_of_the_handshake(&name) => drop(headers.append(name, value)),
            _ => return Err(BindError::Header { name: name.clone() }),
        }
    }
    Ok(headers)
}

fn is_of_the_handshake(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == UPGRADE
        || name.as_str().starts_with("sec-websocket-")
        || ["content-length", "transfer-encoding"].contains(&name.as_str())
}

/// WebSockets are accepted on any path, those of pages included.
async fn upgrade_or_next(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response<Body> {
    let is_upgrade = request
        .headers()
        .get(UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    match (is_upgrade, shared.routes.signalling) {
        (true, true) => upgrade(&shared, request),
        (true, false) => text(StatusCode::NOT_FOUND, "There is no signalling on this port"),
        (false, _) => next.run(request).await,
    }
}

/// Answers the handshake (RFC 6455, section 4.2) and leaves the rest to a task of the socket's own.
fn upgrade(shared: &Arc<Shared>, mut request: Request) -> Response<Body> {
    let mut response = match create_response_with_body(&request, Body::empty) {
        Ok(response) => response,
        Err(error) => {
            debug!(%error, "a WebSocket handshake was refused");
            return text(StatusCode::BAD_REQUEST, "This is no WebSocket handshake");
        }
    };
    let Some(connection) = request.extensions().get::<Connection>().cloned() else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "This connection is unknown");
    };
    response.headers_mut().extend(shared.handshake_headers.clone());

    let upgrading = hyper::upgrade::on(&mut request);
    let task_shared = shared.clone();
    shared.spawn(async move {
        let stream = match tokio::time::timeout(task_shared.time_outs.handshake, upgrading).await {
            Ok(Ok(upgraded)) => TokioAdapter::new(TokioIo::new(upgraded)),
            Ok(Err(error)) => return debug!(%error, "a WebSocket was not made"),
            Err(_) => return debug!("a WebSocket took too long to be made"),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .write_buffer_size(16 * 1024)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        socket::serve(socket, &task_shared, connection).await;
    });
    response
}

async fn health(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let counts = shared.state.counts();
    pages::json(
        json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "peers": counts.peers,
            "sessions": counts.sessions,
            "uptimeSeconds": shared.state.uptime().as_secs(),
        })
        .to_string(),
    )
}

async fn prometheus(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let mut response = Response::new(Body::from(metrics::prometheus(&shared.state)));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn page(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    match &shared.site {
        Some(site) => site.serve(request).await,
        None if shared.routes.signalling => {
            let mut response = text(
                StatusCode::UPGRADE_REQUIRED,
                "This is a signalling server: connect with a WebSocket",
            );
            response
                .headers_mut()
                .insert(UPGRADE, HeaderValue::from_static("websocket"));
            response
        }
        None => text(StatusCode::NOT_FOUND, "There is nothing here"),
    }
}
