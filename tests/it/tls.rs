//! `rediss://` with a CA of one's own: trusted when it is given, refused when it is not.

use std::path::Path;
use std::process::Command;

use crate::support::node::Node;
use crate::support::party::{Party, say};
use crate::support::process::{TempDir, free_port};
use crate::support::redis_server::{RedisOptions, RedisServer};

/// A CA and a certificate for 127.0.0.1, made by `openssl`.
fn certificates(dir: &Path) {
    let run = |line: &str| {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(dir).output();
        let output = output.expect("openssl is installed (scripts/install-test-deps.sh)");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=a-test-ca"));
    run(&format!("req {key} -keyout redis.key -out redis.csr -subj /CN=redis"));
    std::fs::write(dir.join("extensions"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    run(
        "x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out redis.pem -days 2 -extfile extensions",
    );
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_named_and_only_then() {
    let dir = TempDir::new("tls");
    certificates(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let port = free_port();
    let extra = vec![
        format!("tls-port {port}"),
        format!("tls-cert-file {}", file("redis.pem")),
        format!("tls-key-file {}", file("redis.key")),
        format!("tls-ca-cert-file {}", file("ca.pem")),
        "tls-auth-clients no".to_owned(),
    ];
    let redis = RedisServer::start_with(RedisOptions { extra, ..RedisOptions::default() }).await;
    let (url, ca) = (format!("rediss://127.0.0.1:{port}"), file("ca.pem"));

    let node = Node::start(&[("REDIS_URL", &url), ("REDIS_CA_FILE", &ca)]).await;
    let party = Party::found(&node, 10).await;
    say(&mut party.seat(&node, &party.host()).await.0, 1, "sealed").await;
    let clients = redis.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    assert!(clients.contains(&format!("laddr=127.0.0.1:{port}")), "{clients}");

    let stranger = Node::start_unready(&[("REDIS_URL", &url)]).await;
    let line = stranger.wait_log("redis cannot be used").await;
    assert!(line["error"].as_str().is_some_and(|error| error.starts_with("no connection")), "{line}");
    assert_eq!(stranger.api().get("/health/ready", None).await.status, 503);
}
