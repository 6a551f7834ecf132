//! The pages: embedded ones, or a folder's.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::json;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::{BindError, Pages, PagesSource};

/// What the build found; `build.rs` says where.
#[derive(RustEmbed)]
#[folder = "$WEIR_PAGES_DIR"]
struct Embedded;

/// Pages that are ready to be served.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Without a slash at its end; empty for the root.
    prefix: String,
    source: Source,
    config_json: String,
}

#[derive(Clone, Debug)]
enum Source {
    Embedded,
    Folder(ServeDir),
}

impl Site {
    pub(crate) fn new(pages: &Pages) -> Result<Self, BindError> {
        let prefix = match pages.path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        if prefix
            .parse::<PathAndQuery>()
            .is_ok_and(|parsed| parsed.path() != prefix)
            || prefix.contains(' ')
        {
            return Err(BindError::PagesPath {
                path: pages.path.clone(),
            });
        }
        let source = match &pages.source {
            PagesSource::Embedded => Source::Embedded,
            PagesSource::Folder(path) if path.is_dir() => Source::Folder(ServeDir::new(path)),
            PagesSource::Folder(path) => return Err(BindError::NoPages { path: path.clone() }),
        };
        let config_json = json!({ "signallingUrl": pages.signalling_url }).to_string();
        Ok(Self {
            prefix,
            source,
            config_json,
        })
    }

    /// The path of the first page.
    pub(crate) fn path(&self) -> String {
        format!("{}/", self.prefix)
    }

    pub(crate) async fn serve(&self, request: Request) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "Pages can only be read");
        }
        if request.uri().path() == self.prefix && !self.prefix.is_empty() {
            return redirect(&self.path());
        }
        let Some(path) = request
            .uri()
            .path()
            .strip_prefix(&self.prefix)
            .filter(|path| path.starts_with('/'))
        else {
            return not_found();
        };
        let mut response = if path == "/config.json" {
            json(self.config_json.clone())
        } else {
            match &self.source {
                Source::Embedded => embedded(path, &request),
                Source::Folder(folder) => from_folder(folder.clone(), path.to_owned(), request).await,
            }
        };
        response
            .headers_mut()
            .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// Names are looked up in a table: no path leads out of it.
fn embedded(path: &str, request: &Request) -> Response<Body> {
    let name = path.trim_start_matches('/');
    let name = if name.is_empty() || name.ends_with('/') {
        format!("{name}index.html")
    } else {
        name.to_owned()
    };
    let Some(file) = Embedded::get(&name) else {
        return not_found();
    };

    let (tag, kind) = (entity_tag(&file), media_type(&file));
    let is_known = request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let (status, body) = match (is_known, request.method()) {
        (true, _) => (StatusCode::NOT_MODIFIED, Body::empty()),
        (false, &Method::HEAD) => (StatusCode::OK, Body::empty()),
        (false, _) => (StatusCode::OK, Body::from(file.data)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(kind).map(|value| (CONTENT_TYPE, value)));
    headers.extend(HeaderValue::try_from(tag).map(|value| (ETAG, value)));
    // A page must ask each time, so that it never runs against a server of another build.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn media_type(file: &EmbeddedFile) -> String {
    match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    }
}

fn entity_tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

async fn from_folder(folder: ServeDir, path: String, mut request: Request) -> Response<Body> {
    let Ok(uri) = path.parse::<Uri>() else {
        return not_found();
    };
    *request.uri_mut() = uri;
    let mut response = match folder.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    };
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, "The pages are a slash further");
    response
        .headers_mut()
        .extend(HeaderValue::try_from(to).map(|value| (LOCATION, value)));
    response
}

fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "There is nothing here")
}

/// A JSON document that is never stored.
pub(crate) fn json(document: String) -> Response<Body> {
    let mut response = Response::new(Body::from(document));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A sentence.
pub(crate) fn text(status: StatusCode, sentence: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{sentence}.\n")));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
