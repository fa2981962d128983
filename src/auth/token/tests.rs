//! Tokens that must pass, and every row of FAULTS A2 and A3 that must not. Forgeries are signed by hand here, with
//! aws-lc alone, so that the library is not tested against itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER: &[u8] = b"fedcba9876543210fedcba9876543210";
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn claims() -> Claims {
    Claims {
        sub: "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().unwrap(),
        sid: "1b671a64-40d5-491e-99b0-da01ff1f3341".parse().unwrap(),
        role: Role::Host,
        name: Some(DisplayName::new("Ada 🎬").unwrap()),
        iat: NOW,
        exp: NOW.plus(Duration::from_secs(43_200)),
        jti: "c9bf9e57-1685-4c89-bafb-ff5af830be8a".parse().unwrap(),
    }
}

fn keys() -> Keys {
    Keys::new(SECRET, None)
}

/// A payload that passes, for a test to spoil.
fn payload() -> Value {
    json!({
        "iss": "watchparty", "aud": "watchparty", "role": "member",
        "sub": "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42", "sid": "1b671a64-40d5-491e-99b0-da01ff1f3341",
        "iat": NOW.0, "exp": NOW.0 + 60, "jti": "c9bf9e57-1685-4c89-bafb-ff5af830be8a",
    })
}

fn header() -> Value {
    json!({"typ": "JWT", "alg": "HS256", "kid": keys().current.kid})
}

fn sign(header: &str, payload: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

fn with_payload(payload: &Value) -> Result<Claims, TokenError> {
    keys().verify(&sign(&header().to_string(), &payload.to_string(), SECRET), NOW)
}

fn with_header(header: &Value) -> Result<Claims, TokenError> {
    keys().verify(&sign(&header.to_string(), &payload().to_string(), SECRET), NOW)
}

#[test]
fn what_is_issued_is_verified_with_or_without_a_name() {
    let nameless = Claims { name: None, role: Role::Member, ..claims() };
    for issued in [claims(), nameless] {
        let token = keys().issue(&issued);
        assert!(token.len() < 600, "{}", token.len());
        assert_eq!(keys().verify(&token, NOW), Ok(issued));
    }
}

#[test]
fn the_payload_on_the_wire_is_the_protocols() {
    let token = keys().issue(&claims());
    let parts: Vec<Value> = token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], header());
    let mut expected = payload();
    expected["name"] = "Ada 🎬".into();
    expected["role"] = "host".into();
    expected["exp"] = json!(NOW.0 + 43_200);
    assert_eq!(parts[1], expected);
    assert!(with_payload(&payload()).is_ok(), "the hand-made forgeries below start from a good token");
}

#[test]
fn kid_is_eight_hex_digits_of_the_secrets_own_hmac() {
    // printf kid | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    assert_eq!(keys().current.kid, "52c54f29");
    assert_ne!(Key::new(OTHER).kid, keys().current.kid);
}

#[test]
fn a_rotation_accepts_both_secrets_and_signs_with_the_current_one() {
    let (before, after) = (Keys::new(SECRET, Some(OTHER)), Keys::new(OTHER, Some(SECRET)));
    let (old, new) = (before.issue(&claims()), after.issue(&claims()));
    assert_ne!(old, new);
    for keys in [&before, &after] {
        assert!(keys.verify(&old, NOW).is_ok());
        assert!(keys.verify(&new, NOW).is_ok());
    }
    assert_eq!(Keys::new(OTHER, None).verify(&old, NOW), Err(TokenError::UnknownKey), "dropped");
}

#[test]
fn row_a2_foreign_algorithms_and_headers() {
    let spoiled = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        with_header(&header)
    };
    for alg in ["none", "RS256", "HS384", "HS512", "hs256", ""] {
        assert_eq!(spoiled("alg", alg.into()), Err(TokenError::Malformed), "{alg}");
    }
    for crit in [json!(["exp"]), json!([]), json!(["b64"])] {
        assert_eq!(spoiled("crit", crit.clone()), Err(TokenError::Malformed), "{crit}");
    }
    for kid in ["../../", "", "00000000", &"k".repeat(900)] {
        assert_eq!(spoiled("kid", kid.into()), Err(TokenError::UnknownKey), "{kid}");
    }
    assert_eq!(spoiled("kid", Value::Null), Err(TokenError::UnknownKey));
    assert_eq!(spoiled("kid", 7.into()), Err(TokenError::Malformed));
    // Keys that a header brings along are never used.
    assert!(spoiled("jku", "https://evil.example/keys".into()).is_ok());
    assert_eq!(spoiled("jku", 7.into()), Err(TokenError::Malformed));
}

#[test]
fn row_a2_no_token_at_all() {
    let good = keys().issue(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let unsigned = sign(r#"{"alg":"none"}"#, &payload().to_string(), SECRET);
    let deep = sign(&"[".repeat(2000), "", SECRET);
    let refused = [
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        message.to_owned(),
        format!("{good}.x"),
        format!("x.{good}"),
        format!("{good}="),
        format!("{message}.%{signature}"),
        "\0".repeat(64),
        "é".repeat(500),
        unsigned,
        deep,
    ];
    for token in refused {
        assert_eq!(keys().verify(&token, NOW), Err(TokenError::Malformed), "{token:?}");
    }
}

#[test]
fn row_a2_over_four_kib_is_refused_before_it_is_parsed() {
    let mut long = payload();
    long["padding"] = "p".repeat(2700).into();
    assert!(with_payload(&long).is_ok(), "long, and within the bound");
    long["padding"] = "p".repeat(7500).into();
    assert_eq!(with_payload(&long), Err(TokenError::Malformed));
}

#[test]
fn a_wrong_signature_is_told_apart_from_a_wrong_claim() {
    let forged = sign(&header().to_string(), &payload().to_string(), OTHER);
    assert_eq!(keys().verify(&forged, NOW), Err(TokenError::Signature));
    let good = keys().issue(&claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(keys().verify(&format!("{message}."), NOW), Err(TokenError::Signature), "empty signature");
    let elsewhere = keys().issue(&Claims { sid: SessionId::new_random(), ..claims() });
    let swapped = format!("{message}.{}", elsewhere.rsplit_once('.').unwrap().1);
    assert_eq!(keys().verify(&swapped, NOW), Err(TokenError::Signature));
}

#[test]
fn row_a3_every_claim_is_required() {
    for name in ["iss", "aud", "sub", "sid", "role", "iat", "exp", "jti"] {
        let mut without = payload();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(with_payload(&without), Err(TokenError::Claims), "{name} missing");
        let mut null = payload();
        null[name] = Value::Null;
        assert_eq!(with_payload(&null), Err(TokenError::Claims), "{name} null");
    }
}

#[test]
fn row_a3_types_and_values_are_strict() {
    let week = 7 * 24 * 3600;
    let wrong = [
        ("exp", json!(NOW.0 as f64 + 60.5)),
        ("exp", json!(NOW.0 as f64 + 60.0)),
        ("exp", json!((NOW.0 + 60).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(1e30)),
        ("exp", json!([NOW.0 + 60])),
        ("exp", json!(NOW.0 + 10 * 365 * 24 * 3600)),
        ("exp", json!(NOW.0 + week + 6)),
        ("exp", json!(u64::MAX)),
        ("iat", json!(-5)),
        ("iat", json!("1")),
        ("nbf", json!(NOW.0 + 6)),
        ("nbf", json!(u64::MAX)),
        ("nbf", json!(1.5)),
        ("nbf", json!("0")),
        ("iss", json!("watchparty2")),
        ("iss", json!(["watchparty"])),
        ("aud", json!("")),
        ("aud", json!(["watchparty", "other"])),
        ("sub", json!("8F14E45F-CEEA-467F-A9D1-0C5A3B1F7E42")),
        ("sub", json!("00000000-0000-0000-0000-000000000000")),
        ("sid", json!("../../")),
        ("jti", json!(1)),
        ("role", json!("admin")),
        ("name", json!("")),
        ("name", json!("a\u{0}")),
        ("name", json!(7)),
    ];
    for (name, value) in wrong {
        let mut spoiled = payload();
        spoiled[name] = value.clone();
        assert_eq!(with_payload(&spoiled), Err(TokenError::Claims), "{name}: {value}");
    }
    for text in ["[]", "null", "7", "{", "", "{\"exp\":1,\"exp\":2}"] {
        let token = sign(&header().to_string(), text, SECRET);
        assert_eq!(keys().verify(&token, NOW), Err(TokenError::Claims), "{text}");
    }
}

#[test]
fn an_iat_far_ahead_does_not_carry_exp_with_it() {
    let decade = 10 * 365 * 24 * 3600;
    let mut ahead = payload();
    ahead["iat"] = json!(NOW.0 + decade);
    ahead["exp"] = json!(NOW.0 + decade + 60);
    assert_eq!(with_payload(&ahead), Err(TokenError::Claims));
}

#[test]
fn row_a3_time_has_five_seconds_of_leeway_at_both_ends() {
    let token = keys().issue(&Claims { exp: UnixSeconds(NOW.0 + 60), ..claims() });
    for (second, expected) in [(0, true), (60, true), (64, true), (65, false), (66, false)] {
        let outcome = keys().verify(&token, UnixSeconds(NOW.0 + second));
        assert_eq!(outcome.is_ok(), expected, "{second}");
        assert!(outcome.is_ok() || outcome == Err(TokenError::Expired));
    }
    let mut soon = payload();
    soon["nbf"] = json!(NOW.0 + 5);
    assert!(with_payload(&soon).is_ok());
    let mut week = payload();
    week["exp"] = json!(NOW.0 + 7 * 24 * 3600 + 5);
    assert!(with_payload(&week).is_ok());
}

#[test]
fn outside_all_refusals_look_alike_and_inside_each_has_its_label() {
    use TokenError::{Claims, Expired, Malformed, Signature, UnknownKey};
    let all = [Expired, Signature, Malformed, Claims, UnknownKey];
    assert_eq!(all.map(TokenError::label), ["expired", "signature", "malformed", "claims", "unknown_key"]);
    assert!(all.iter().all(|error| error.to_string() == Expired.to_string()));
}

#[test]
fn debug_shows_key_names_and_no_secret() {
    let text = format!("{:?}", Keys::new(SECRET, Some(OTHER)));
    assert!(text.contains(&keys().current.kid), "{text}");
    assert!(!text.contains("0123456789abcdef") && !text.contains("48, 49, 50"), "{text}");
}
