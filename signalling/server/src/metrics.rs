//! Numbers for those who run the server.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::SignallingState;

/// What listeners and sockets count. What peers do is counted in [`weir_rooms::Counters`].
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// TCP connections that were accepted.
    pub(crate) connections: Count,
    /// TCP connections closed at once because there were too many.
    pub(crate) turned_away_total: Count,
    /// TCP connections closed at once because there were too many from the same address.
    pub(crate) turned_away_address: Count,
    /// TLS handshakes that failed.
    pub(crate) tls_failed: Count,
    /// TLS handshakes that took too long.
    pub(crate) tls_timed_out: Count,
    /// WebSockets by why they ended.
    pub(crate) ended: [Count; ENDS.len()],
}

/// Why WebSockets end, as the metrics name it.
pub(crate) const ENDS: [&str; 7] = [
    "closed-by-peer",
    "lost",
    "silent",
    "slow",
    "invalid",
    "refused",
    "server-stopping",
];

/// A number that grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The numbers in Prometheus' text format (version 0.0.4).
pub(crate) fn prometheus(state: &SignallingState) -> String {
    let (counts, counters, metrics) = (state.counts(), state.counters(), state.metrics());
    let mut page = Page(String::new());
    page.family("weir_signalling_peers", "gauge", "Peers connected");
    page.sample("weir_signalling_peers", "", counts.peers as u64);
    page.family("weir_signalling_sessions", "gauge", "Sessions that last");
    page.sample("weir_signalling_sessions", "", counts.sessions as u64);
    page.family(
        "weir_signalling_uptime_seconds",
        "gauge",
        "Seconds since the start",
    );
    page.sample("weir_signalling_uptime_seconds", "", state.uptime().as_secs());
    for (name, help, value) in [
        ("weir_signalling_peers_total", "Peers welcomed", counters.peers),
        (
            "weir_signalling_sessions_started_total",
            "Sessions started",
            counters.sessions,
        ),
        (
            "weir_signalling_messages_total",
            "Messages from peers",
            counters.messages,
        ),
        (
            "weir_signalling_late_messages_total",
            "Messages for sessions that were gone",
            counters.late_messages,
        ),
        (
            "weir_signalling_connections_total",
            "TCP connections accepted",
            metrics.connections.get(),
        ),
    ] {
        page.family(name, "counter", help);
        page.sample(name, "", value);
    }
    page.family(
        "weir_signalling_refusals_total",
        "counter",
        "Errors sent to peers",
    );
    for (code, count) in &counters.refusals {
        page.sample(
            "weir_signalling_refusals_total",
            &format!("{{code=\"{code}\"}}"),
            *count,
        );
    }
    page.family(
        "weir_signalling_connections_refused_total",
        "counter",
        "TCP connections closed at once",
    );
    for (why, count) in [
        ("total", &metrics.turned_away_total),
        ("address", &metrics.turned_away_address),
    ] {
        page.sample(
            "weir_signalling_connections_refused_total",
            &format!("{{limit=\"{why}\"}}"),
            count.get(),
        );
    }
    page.family(
        "weir_signalling_tls_failures_total",
        "counter",
        "TLS handshakes without success",
    );
    for (why, count) in [
        ("refused", &metrics.tls_failed),
        ("time-out", &metrics.tls_timed_out),
    ] {
        page.sample(
            "weir_signalling_tls_failures_total",
            &format!("{{why=\"{why}\"}}"),
            count.get(),
        );
    }
    page.family(
        "weir_signalling_sockets_ended_total",
        "counter",
        "WebSockets that ended",
    );
    for (why, count) in ENDS.iter().zip(&metrics.ended) {
        page.sample(
            "weir_signalling_sockets_ended_total",
            &format!("{{why=\"{why}\"}}"),
            count.get(),
        );
    }
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
