//! The signalling server: WebSocket, HTTP, TLS, pages.
