//! Every setting: what fits, what does not, what it does to the others, and that nothing given is ever repeated.

mod rows;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;

use self::redis::{Durability, RedisHost, RedisTopology};
use super::*;
use crate::model::origin::Origin;
use crate::model::rate::{Rate, RateLimit};
use proxies::ClientIpHeader;
use rows::{BAD_SECRETS, OTHER_SECRET, ROWS, SECRET};
use source::MapSource;

/// The least production starts with.
fn production() -> MapSource {
    MapSource::from([
        ("ENVIRONMENT", "production"),
        ("JWT_SECRET", SECRET),
        ("PUBLIC_URL", "https://watch.party.test"),
    ])
}

fn read(source: &MapSource) -> Config {
    Config::read(source).unwrap_or_else(|mistakes| panic!("{mistakes}")).0
}

fn warnings(source: &MapSource) -> Vec<String> {
    let read = Config::read(source).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    read.1.iter().map(|warning| warning.name().to_owned()).collect()
}

/// The variables mistaken, sorted as they are told.
fn mistaken(source: &MapSource) -> Vec<String> {
    match Config::read(source) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(|mistake| mistake.name().to_owned()).collect(),
    }
}

fn scratch(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("watchparty-config-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).expect("a scratch file can be written");
    path
}

#[test]
fn every_setting_takes_what_fits_and_refuses_what_does_not() {
    for (name, good, bad) in ROWS {
        for text in *good {
            assert_eq!(mistaken(&production().with(name, text)), [""; 0], "{name}={text}");
        }
        for text in *bad {
            assert_eq!(mistaken(&production().with(name, text)), [*name], "{name}={text}");
        }
        let unset = mistaken(&production().with(name, " "));
        let needed: &[&str] = if *name == "JWT_SECRET" { &["JWT_SECRET"] } else { &[] };
        assert_eq!(unset, needed, "{name} empty means unset");
    }
}

#[test]
fn the_table_has_a_row_for_every_setting() {
    let tested: BTreeSet<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
    let all: BTreeSet<&str> = catalogue::settings().map(|setting| setting.name).collect();
    assert_eq!(tested, all);
    assert!(ROWS.iter().all(|(_, _, bad)| !bad.is_empty()), "something is wrong for every setting");
}

#[test]
fn nothing_set_is_development_on_memory() {
    let (config, warnings) = Config::read(&MapSource::default()).expect("defaults are sound");
    let at = |count, seconds, burst| RateLimit::At(Rate { count, per: Duration::from_secs(seconds), burst });
    assert_eq!(warnings.iter().map(Warning::name).collect::<Vec<_>>(), ["JWT_SECRET"]);
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.server.public_addr, SocketAddr::from(([0, 0, 0, 0], 8080)));
    assert!(config.server.web && config.server.ready_requires_backend && config.server.worker_threads >= 1);
    assert_eq!(config.origins, AllowedOrigins::Any);
    assert!(config.identity.secret_is_random && config.identity.secret.expose_secret().len() == 48);
    assert_eq!(config.identity.token_ttl, Duration::from_secs(43_200));
    assert_eq!(config.sessions.ttl, Duration::from_secs(86_400));
    assert_eq!((config.sessions.max_participants, config.sessions.history.entries), (1000, 1000));
    assert_eq!((config.sessions.message_bytes, config.sessions.participant_lease.as_secs()), (65_536, 30));
    assert!(config.redis.target.is_none());
    assert_eq!((config.redis.prefix.as_str(), config.redis.durability), ("wp", Durability::Auto));
    assert_eq!((config.limits.create, config.limits.join), (at(30, 60, 60), at(60, 60, 120)));
    assert_eq!((config.limits.lookup, config.limits.publish), (at(300, 60, 300), at(600, 60, 600)));
    assert_eq!((config.limits.connect, config.limits.join_failures), (at(50, 1, 500), at(60, 60, 60)));
    assert_eq!((config.limits.messages, config.limits.signals), (at(20, 1, 60), at(50, 1, 200)));
    assert_eq!(config.limits.bytes, at(131_072, 1, 524_288));
    assert_eq!(config.limits.on_outage, limits::OnOutage::Allow);
    assert_eq!((config.connections.max, config.connections.per_address), (50_000, 5000));
    assert_eq!(config.connections.pending_per_address, 256);
    assert_eq!(
        (config.connections.ping_interval.as_secs(), config.connections.pong_timeout.as_secs()),
        (25, 10)
    );
    assert_eq!((config.outbox.frames, config.outbox.bytes), (256, 262_144));
    assert_eq!((config.outbox.bytes_total, config.outbox.behind.as_secs()), (268_435_456, 30));
    assert_eq!((config.drain.delay.as_secs(), config.drain.window.as_secs()), (0, 1));
    assert_eq!((config.passwords.cost, config.passwords.queue), (12, 16));
    assert!(config.passwords.workers >= 1);
    assert_eq!((config.proxies.trusted.len(), config.proxies.header), (0, ClientIpHeader::XForwardedFor));
    assert_eq!(config.logs.format, logs::LogFormat::Text);
    assert!(config.turn.is_none());
}

#[test]
fn production_differs_where_it_says() {
    let config = read(&production());
    let own = Origin::parse("https://watch.party.test").expect("an origin");
    assert_eq!(config.origins, AllowedOrigins::List(vec![own]));
    assert_eq!((config.drain.delay.as_secs(), config.drain.window.as_secs()), (5, 20));
    assert_eq!(config.logs.format, logs::LogFormat::Json);
    assert_eq!(warnings(&production()), [""; 0]);
    let nameless = production().with("PUBLIC_URL", "");
    assert_eq!(read(&nameless).origins, AllowedOrigins::SameHost);
    assert_eq!(warnings(&nameless), ["PUBLIC_URL"]);
}

#[test]
fn development_forgives_with_a_warning() {
    for weak in BAD_SECRETS {
        assert_eq!(warnings(&MapSource::from([("JWT_SECRET", *weak)])), ["JWT_SECRET"], "{weak}");
    }
    let lenient = MapSource::from([
        ("JWT_SECRET", SECRET),
        ("BCRYPT_COST", "4"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("ALLOWED_ORIGINS", "*"),
    ]);
    assert_eq!(warnings(&lenient), [""; 0]);
    assert_eq!(mistaken(&lenient.with("BCRYPT_COST", "3")), ["BCRYPT_COST"]);
    assert_eq!(mistaken(&MapSource::from([("ALLOWED_ORIGINS", "*,https://a.test")])), ["ALLOWED_ORIGINS"]);
}

#[test]
fn two_random_secrets_differ() {
    let secret = || read(&MapSource::default()).identity.secret.expose_secret().to_vec();
    assert_ne!(secret(), secret());
}

#[test]
fn both_secrets_equal_is_a_mistake_everywhere() {
    let equal = MapSource::from([("JWT_SECRET", SECRET), ("JWT_SECRET_PREVIOUS", SECRET)]);
    assert_eq!(mistaken(&equal), ["JWT_SECRET_PREVIOUS"]);
    let rotating = read(&equal.with("JWT_SECRET_PREVIOUS", OTHER_SECRET)).identity;
    assert_eq!(rotating.secret.expose_secret(), SECRET.as_bytes());
    assert_eq!(rotating.secret_previous.expect("given").expose_secret(), OTHER_SECRET.as_bytes());
    assert!(!rotating.secret_is_random);
}

#[test]
fn secrets_come_from_files_too() {
    let mut bytes = b"\xff\x00".to_vec();
    bytes.extend_from_slice(SECRET.as_bytes());
    let path = scratch("secret", &[&bytes[..], b"\n"].concat());
    let empty = scratch("empty", b"\n");
    let named = |name: &str, path: &PathBuf| MapSource::default().with(name, path.to_str().expect("UTF-8"));
    let in_file = named("JWT_SECRET_FILE", &path);
    assert_eq!(
        read(&in_file).identity.secret.expose_secret(),
        bytes,
        "one line break dropped, bytes as they are"
    );
    assert_eq!(mistaken(&in_file.with("JWT_SECRET", SECRET)), ["JWT_SECRET"], "both is a mistake");
    assert_eq!(mistaken(&named("JWT_SECRET_FILE", &empty)), ["JWT_SECRET_FILE"]);
    assert_eq!(mistaken(&MapSource::from([("JWT_SECRET_FILE", "/nonexistent/x")])), ["JWT_SECRET_FILE"]);
    assert_eq!(mistaken(&named("SERVER_API_KEYS_FILE", &path)), ["SERVER_API_KEYS"], "keys are text");
    for path in [path, empty] {
        std::fs::remove_file(path).expect("ours to remove");
    }
    for setting in catalogue::settings().filter(|setting| setting.secret) {
        let missing = MapSource::default().with(&setting.file_name(), "/nonexistent/x");
        assert!(mistaken(&missing).contains(&setting.file_name()), "{}", setting.file_name());
    }
}

#[test]
fn a_file_without_an_end_is_refused() {
    assert_eq!(mistaken(&MapSource::from([("JWT_SECRET_FILE", "/dev/zero")])), ["JWT_SECRET_FILE"]);
}

#[test]
fn a_redis_password_fills_what_the_url_leaves_out() {
    let password = |source: &MapSource| {
        let target = read(source).redis.target.expect("an address was given");
        target.password.map(|password| password.expose_secret().to_owned())
    };
    let url = MapSource::from([("REDIS_URL", "redis://user@a:1"), ("REDIS_PASSWORD", "from outside")]);
    assert_eq!(password(&url).as_deref(), Some("from outside"));
    let own = url.with("REDIS_URL", "redis://:inside@a:1");
    assert_eq!(password(&own).as_deref(), Some("inside"));
    assert!(warnings(&own).contains(&"REDIS_PASSWORD".to_owned()));
    let short = MapSource::from([("REDIS_ADDR", "b:2"), ("REDIS_PASSWORD", "p")]);
    assert_eq!(password(&short).as_deref(), Some("p"));
    let both = short.with("REDIS_URL", "redis://a:1");
    let host = RedisHost { host: "a".to_owned(), port: 1 };
    assert_eq!(read(&both).redis.target.expect("given").topology, RedisTopology::Standalone(host));
    assert!(warnings(&both).contains(&"REDIS_ADDR".to_owned()));
}

#[test]
fn a_ca_file_needs_tls_and_certificates() {
    let pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let (ca, empty) = (scratch("ca", pem), scratch("no-ca", b""));
    let source = |url: &str, path: &PathBuf| {
        MapSource::from([("REDIS_URL", url)]).with("REDIS_CA_FILE", path.to_str().expect("UTF-8"))
    };
    let target = read(&source("rediss://a:1", &ca)).redis.target.expect("given");
    assert_eq!(target.ca_pem.as_deref(), Some(&pem[..]));
    assert_eq!(mistaken(&source("redis://a:1", &ca)), ["REDIS_CA_FILE"]);
    assert_eq!(mistaken(&source("rediss://a:1", &empty)), ["REDIS_CA_FILE"]);
    for path in [ca, empty] {
        std::fs::remove_file(path).expect("ours to remove");
    }
}

#[test]
fn a_sentinel_password_is_for_sentinels() {
    let sentinels = MapSource::from([
        ("REDIS_URL", "redis+sentinel://a:1/m"),
        ("REDIS_SENTINEL_PASSWORD", "s"),
        ("DURABILITY", "replicated"),
    ]);
    let redis = read(&sentinels).redis;
    assert_eq!(redis.durability, Durability::Replicated);
    let password = redis.target.expect("given").sentinel_password.expect("given");
    assert_eq!(password.expose_secret(), "s");
    let plain = sentinels.with("REDIS_URL", "redis://a:1");
    assert!(warnings(&plain).contains(&"REDIS_SENTINEL_PASSWORD".to_owned()));
}

#[test]
fn a_number_of_replicas_is_for_replicated() {
    let counted = MapSource::from([("REDIS_URL", "redis://a:1"), ("DURABILITY_REPLICAS", "2")]);
    assert!(warnings(&counted).contains(&"DURABILITY_REPLICAS".to_owned()));
    let used = counted.with("DURABILITY", "replicated");
    assert_eq!(read(&used).redis.durability_replicas, 2);
    assert!(!warnings(&used).contains(&"DURABILITY_REPLICAS".to_owned()));
    assert_eq!(mistaken(&used.with("DURABILITY_REPLICAS", "6")), ["DURABILITY_REPLICAS"]);
}

#[test]
fn pairs_are_complete_or_mistaken() {
    let turn = production()
        .with("TURN_URLS", "turn:a.test:3478, turns:a.test?transport=tcp")
        .with("TURN_SECRET", "s");
    assert_eq!(
        read(&turn).turn.expect("both given").urls,
        ["turn:a.test:3478", "turns:a.test?transport=tcp"]
    );
    assert_eq!(mistaken(&turn.clone().with("TURN_URLS", "stun:a.test")), ["TURN_URLS"]);
    assert_eq!(mistaken(&turn.with("TURN_URLS", "turn:a.test?transport=quic")), ["TURN_URLS"]);
    let proxied =
        production().with("TRUSTED_PROXIES", "10.9.8.7/8").with("CLIENT_IP_HEADER", "CF-Connecting-IP");
    let proxies = read(&proxied).proxies;
    assert_eq!(proxies.header, ClientIpHeader::CfConnectingIp);
    assert_eq!(proxies.trusted, ["10.0.0.0/8".parse().expect("a network")]);
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"] {
        assert_eq!(read(&proxied.clone().with("CLIENT_IP_HEADER", header)).proxies.header.name(), header);
    }
}

#[test]
fn one_mistake_does_not_make_up_another() {
    let source = production()
        .with("MESSAGE_BYTES", "lots")
        .with("OUTBOX_BYTES", "16KiB")
        .with("RATE_LIMIT_BYTES", "1/s");
    assert_eq!(mistaken(&source), ["MESSAGE_BYTES"]);
    let source = production().with("TRUSTED_PROXIES", "everyone").with("CLIENT_IP_HEADER", "forwarded");
    assert_eq!(mistaken(&source), ["TRUSTED_PROXIES"]);
}

#[test]
fn all_mistakes_come_at_once_and_sorted() {
    let source = production().with("PORT", "http").with("DEFLATE", "maybe").with("JWT_SECRET", "short");
    let Err(mistakes) = Config::read(&source) else { panic!("three mistakes") };
    assert_eq!(
        mistakes.to_string(),
        "DEFLATE: expected true or false\n\
         JWT_SECRET: expected 32 bytes or more that look random and hold no placeholder: watchparty gen-secret makes \
         some\n\
         PORT: expected a whole number from 0 to 65535"
    );
}

#[test]
fn near_misses_are_warned_of() {
    for (name, meant) in [
        ("JWT_SECERT", Some("JWT_SECRET")),
        ("REDIS_URI", Some("REDIS_URL")),
        ("TURN_URL", Some("TURN_URLS")),
        ("JWT_SECRET_FIEL", Some("JWT_SECRET_FILE")),
        ("TRUSTED_PROXY", Some("TRUSTED_PROXIES")),
        ("MAX_CONNECTIONS", Some("CONNECTIONS_MAX")),
        ("METRICS_ADDR", Some("ADMIN_ADDR")),
        ("PORTT", Some("PORT")),
        ("HOSTS", None),
        ("HOSTNAME", None),
        ("PATH", None),
        ("JWT_SECRET_FILE", None),
    ] {
        let source = production().with("JWT_SECRET", "").with(name, "canary");
        let source = if name == "JWT_SECRET_FILE" { source } else { source.with("JWT_SECRET", SECRET) };
        match (Config::read(&source), meant) {
            (Ok((_, warnings)), Some(meant)) => {
                assert_eq!(warnings.len(), 1, "{name}");
                assert_eq!(warnings[0].to_string(), format!("{name}: is no setting; is {meant} meant?"));
            }
            (Ok((_, warnings)), None) => assert!(warnings.is_empty(), "{name}: {warnings:?}"),
            (Err(mistakes), _) => assert_eq!(mistakes.iter().next().map(mistake::Mistake::name), Some(name)),
        }
    }
}

/// A word that stands in every value and must never come out.
const CANARY: &str = "canary7Xq";

#[test]
fn no_mistake_or_warning_repeats_a_value() {
    let all =
        catalogue::settings().fold(MapSource::default(), |source, setting| source.with(setting.name, CANARY));
    for source in [all.clone(), all.with("ENVIRONMENT", "development"), production().with("HOST", CANARY)] {
        let Err(mistakes) = Config::read(&source) else { panic!("hardly any of it fits") };
        let told = format!("{mistakes}\n{mistakes:?}");
        assert!(!told.contains(CANARY), "{told}");
    }
    for (name, _, bad) in ROWS {
        let source = production().with(name, &format!("{CANARY} {}", bad[0])).with("JWT_SECERT", CANARY);
        let told = match Config::read(&source) {
            Err(mistakes) => format!("{mistakes}\n{mistakes:?}"),
            Ok((_, warnings)) => format!("{warnings:?}"),
        };
        assert!(!told.contains(CANARY), "{name}: {told}");
    }
}

#[test]
fn no_secret_shows_in_debug_or_print() {
    let long = format!("{CANARY}-0123456789abcdefghijklmnop");
    let source = production()
        .with("JWT_SECRET", &format!("{long}-1"))
        .with("JWT_SECRET_PREVIOUS", &format!("{long}-2"))
        .with("SERVER_API_KEYS", &format!("site:{long}"))
        .with("REDIS_URL", &format!("rediss+sentinel://{CANARY}:{CANARY}@a:1/m"))
        .with("REDIS_PASSWORD", CANARY)
        .with("REDIS_SENTINEL_PASSWORD", CANARY)
        .with("TURN_URLS", "turn:a.test")
        .with("TURN_SECRET", CANARY)
        .with("JWT_SECERT", CANARY);
    let given = catalogue::settings().filter(|setting| setting.secret && source.get(setting.name).is_some());
    assert_eq!(
        given.count(),
        catalogue::settings().filter(|setting| setting.secret).count(),
        "none is left out"
    );
    let (config, warnings) = Config::read(&source).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let printed = print::in_use(&source, config.environment);
    for told in [format!("{config:?}"), format!("{config:#?}"), format!("{warnings:?}"), printed.clone()] {
        assert!(!told.contains(CANARY), "{told}");
        let bytes = format!("{:?}", CANARY.as_bytes());
        assert!(!told.contains(bytes.trim_matches(['[', ']'])), "not as numbers either: {told}");
    }
    assert!(printed.contains("JWT_SECRET=set  # map\n"), "{printed}");
    assert!(printed.contains("PUBLIC_URL=https://watch.party.test  # map\n"));
    assert!(printed.contains("DRAIN_WINDOW=20  # default\n"));
    assert!(printed.contains("BCRYPT_WORKERS=(half the cores seen, at least 1)  # default\n"));
}

#[test]
fn the_example_file_is_what_the_catalogue_says() {
    let expected = print::example();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    let written = std::fs::read_to_string(path).expect("the file is part of the repository");
    assert_eq!(written, expected, "write it anew: watchparty check-config --example > .env.example");
    assert!(expected.lines().all(|line| line.is_empty() || line.starts_with('#')), "a copy changes nothing");
    for setting in catalogue::settings() {
        assert_eq!(expected.matches(&format!("\n#{}=", setting.name)).count(), 1, "{}", setting.name);
    }
}

#[test]
fn every_default_written_in_the_example_fits() {
    for environment in ["development", "production"] {
        let base = production().with("ENVIRONMENT", environment);
        let judged =
            if environment == "production" { Environment::Production } else { Environment::Development };
        for setting in catalogue::settings().filter(|setting| setting.name != "CLIENT_IP_HEADER") {
            if let Some(text) = setting.preset.text(judged) {
                let source = if setting.name == "ENVIRONMENT" {
                    base.clone()
                } else {
                    base.clone().with(setting.name, text)
                };
                assert_eq!(mistaken(&source), [""; 0], "{}={text}", setting.name);
            }
        }
    }
}
