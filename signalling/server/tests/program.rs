//! The program as an operator starts and stops it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::json;
use support::{Client, Ended, PATIENCE};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

#[tokio::test]
async fn sigterm_and_sigint_end_it_in_order_with_a_word_to_its_peers_and_exit_code_0() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&[]);
        let mut client = Client::connect(program.address).await;
        program.signal(signal);
        assert_eq!(client.end().await, Ended::Frame(1001), "SIG{signal}");
        drop(client);
        let (status, _) = program.wait().await;
        assert_eq!(status.code(), Some(0), "SIG{signal}");
    }
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence_and_exit_code_1() {
    let first = Program::start(&[]);
    let port = first.address.port().to_string();
    let output = run(&["--port", &port]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("weir-server: Port {port} of 127.0.0.1 is taken by another program\n")
    );
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_certificate_that_is_not_there_is_one_clear_sentence_and_exit_code_1() {
    let output = run(&["--port", "0", "--cert", "/no/cert.pem", "--key", "/no/key.pem"]).await;
    assert_eq!(output.status.code(), Some(1));
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(
        sentence.contains("/no/cert.pem") && sentence.lines().count() == 1,
        "{sentence}"
    );
}

#[tokio::test]
async fn a_certificate_without_a_key_is_a_usage_error() {
    assert_eq!(run(&["--cert", "x.pem"]).await.status.code(), Some(2));
}

#[tokio::test]
async fn limits_are_taken_from_the_command_line() {
    let program = Program::start(&["--max-peers", "1"]);
    let _first = Client::connect(program.address).await;
    let stream = TcpStream::connect(program.address).await.unwrap();
    let mut second = Client::unwelcomed(Box::new(stream), "ws://localhost/").await;
    assert_eq!(second.hear().await["code"], "server-full");
}

#[tokio::test]
async fn the_log_names_peers_and_holds_no_descriptions_even_at_debug() {
    let mut program = Program::start(&["--log", "debug"]);
    let mut producer = Client::connect_as(program.address, &["producer"]).await;
    let mut consumer = Client::connect(program.address).await;
    let session = consumer.watch(&mut producer).await;
    let offer = json!({"type": "peer", "sessionId": session, "sdp": {"type": "offer", "sdp": "v=0 SECRET"}});
    producer.say(offer.clone()).await;
    assert_eq!(consumer.hear().await, offer);
    producer
        .say(json!({"type": "peer", "sessionId": session, "sdp": "SECRET"}))
        .await;
    assert_eq!(producer.hear().await["code"], "malformed-message");

    let id = producer.id.clone();
    drop((producer, consumer));
    program.signal("TERM");
    let (_, log) = program.wait().await;
    assert!(log.contains(&id), "{log}");
    assert!(log.contains("kind=\"peer\""), "the log is one at debug: {log}");
    assert!(!log.contains("SECRET"), "{log}");
}

/// The real program, on a free port. Killed at the end, whatever happens.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).args(["--port", "0"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .strip_prefix("listening on ws://")
            .and_then(|rest| rest.strip_suffix("/\n"))
            .unwrap_or_else(|| panic!("{line:?}"));
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the end; gives the status and the log.
    async fn wait(&mut self) -> (ExitStatus, String) {
        let mut stderr = self.child.stderr.take().unwrap();
        let log = spawn_blocking(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let log = timeout(PATIENCE, log).await.expect("an end in time").unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn run(arguments: &[&str]) -> Output {
    let child = command(arguments).spawn().unwrap();
    let output = spawn_blocking(move || child.wait_with_output());
    timeout(PATIENCE, output)
        .await
        .expect("an end in time")
        .unwrap()
        .unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-server"));
    command
        .args(arguments)
        .env_remove("WEIR_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}
