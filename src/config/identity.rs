//! The secrets tokens are signed with, how long tokens live, and the keys of servers that publish.
//!
//! What a token holds and how `kid` is made from a secret is `auth::token`; here a secret is only judged: a weak one
//! is a mistake in production and a warning in development, where a missing one is made up at random.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::form;
use super::reader::Reader;
use super::setting::{Form, Preset, Setting};

/// HS256 wants a key at least as long as its hash (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// Fewer different bytes than this among 32 is a pattern somebody typed, not a random key.
const DIFFERENT_BYTES_MIN: usize = 10;
/// What is left standing when a template is copied; compared in lower case.
const PLACEHOLDERS: [&str; 6] =
    ["change-me", "changeme", "your-secret", "example", "placeholder", "insecure"];
/// The length of secrets made here: more than the hash needs, and 64 characters of base64url without padding.
const RANDOM_SECRET_BYTES: usize = 48;
/// A server key shorter than this could be guessed.
const KEY_CHARACTERS_MIN: usize = 32;
/// A key's name stands in log lines.
const KEY_NAME_CHARACTERS_MAX: usize = 32;

const SECRET_FORM: Form = Form::Other(
    "32 bytes or more that look random and hold no placeholder: watchparty gen-secret makes some",
);

pub(super) const JWT_SECRET: Setting = Setting::secret(
    "JWT_SECRET",
    Preset::Derived("random in development, with a warning; none in production"),
    SECRET_FORM,
    "Signs and verifies tokens; the same on every node.",
);
pub(super) const JWT_SECRET_PREVIOUS: Setting = Setting::secret(
    "JWT_SECRET_PREVIOUS",
    Preset::Unset,
    SECRET_FORM,
    "Only verifies: the other secret while one replaces the other, in three rolls.",
);
pub(super) const TOKEN_TTL: Setting = Setting::open(
    "TOKEN_TTL",
    Preset::Text("43200"),
    Form::seconds(60, 7 * 24 * 3600),
    "Life of a token; too short costs a sleeping host the seat.",
);
pub(super) const SERVER_API_KEYS: Setting = Setting::secret(
    "SERVER_API_KEYS",
    Preset::Unset,
    Form::Other(
        "a list of name:key or key; keys of 32 characters or more, names of a-z, 0-9, - and _ used once",
    ),
    "Who may publish as a server; logs show the name.",
);

pub(super) const SETTINGS: &[&Setting] = &[&JWT_SECRET, &JWT_SECRET_PREVIOUS, &TOKEN_TTL, &SERVER_API_KEYS];

/// Token secrets and server keys.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// Signs and verifies.
    pub secret: SecretSlice<u8>,
    /// Whether `secret` was made up for this process, so that no other process accepts its tokens.
    pub secret_is_random: bool,
    /// Only verifies.
    pub secret_previous: Option<SecretSlice<u8>>,
    /// Life of a token.
    pub token_ttl: Duration,
    /// Who may publish as a server. Compare keys in constant time.
    pub server_keys: Vec<ServerKey>,
}

/// One server that may publish.
#[derive(Clone, Debug)]
pub struct ServerKey {
    /// For logs; `key-1` for the first of the list that came without a name.
    pub name: String,
    /// What it sends as a bearer token.
    pub key: SecretString,
}

pub(super) fn read(reader: &mut Reader<'_>) -> IdentityConfig {
    let given = reader.secret(&JWT_SECRET);
    let secret_previous = reader.secret(&JWT_SECRET_PREVIOUS);
    for (setting, secret) in [(&JWT_SECRET, &given), (&JWT_SECRET_PREVIOUS, &secret_previous)] {
        if secret.as_ref().is_some_and(|secret| is_weak(secret.expose_secret())) {
            weak(reader, setting);
        }
    }
    if let (Some(current), Some(previous)) = (&given, &secret_previous)
        && current.expose_secret() == previous.expose_secret()
    {
        reader.refuse(&JWT_SECRET_PREVIOUS, "must differ from JWT_SECRET");
    }
    let secret_is_random = given.is_none();
    let secret = given.unwrap_or_else(|| made_up(reader));
    IdentityConfig {
        secret,
        secret_is_random,
        secret_previous,
        token_ttl: reader.span(&TOKEN_TTL),
        server_keys: server_keys(reader),
    }
}

/// A new secret from the system's randomness; `None` where it gives none.
pub fn random_secret() -> Option<SecretSlice<u8>> {
    let mut bytes = vec![0; RANDOM_SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes.into())
}

/// What stands in for a missing secret: something random, which only development may run with.
fn made_up(reader: &mut Reader<'_>) -> SecretSlice<u8> {
    if reader.production() {
        // A secret that was given and could not be read has its own mistake already.
        if !reader.given(&JWT_SECRET) {
            reader.expected(&JWT_SECRET);
        }
    } else if !reader.given(&JWT_SECRET) {
        reader.warn(
            JWT_SECRET.name,
            "is unset: a random one is used, so tokens end with this process and no other node accepts them",
        );
    }
    random_secret().unwrap_or_else(|| {
        reader.refuse(&JWT_SECRET, "is unset, and the system gives no random bytes to make one");
        Vec::new().into()
    })
}

fn weak(reader: &mut Reader<'_>, setting: &Setting) {
    if reader.production() {
        reader.expected(setting);
    } else {
        reader.warn(
            setting.name,
            format!("is weak, and production would refuse it; expected {}", setting.form),
        );
    }
}

/// Too short, too regular, or left over from a template.
fn is_weak(secret: &[u8]) -> bool {
    let mut different = secret.to_vec();
    different.sort_unstable();
    different.dedup();
    let text = String::from_utf8_lossy(secret).to_ascii_lowercase();
    secret.len() < SECRET_BYTES_MIN
        || different.len() < DIFFERENT_BYTES_MIN
        || PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder))
}

fn server_keys(reader: &mut Reader<'_>) -> Vec<ServerKey> {
    let Some(text) = reader.secret_text(&SERVER_API_KEYS) else { return Vec::new() };
    let keys = form::list(text.expose_secret(), |item| Some(item.to_owned())).and_then(|items| {
        let named: Option<Vec<ServerKey>> =
            items.iter().enumerate().map(|(index, item)| server_key(index, item)).collect();
        named.filter(|keys| names_differ(keys))
    });
    keys.unwrap_or_else(|| {
        reader.expected(&SERVER_API_KEYS);
        Vec::new()
    })
}

fn server_key(index: usize, item: &str) -> Option<ServerKey> {
    let numbered = format!("key-{}", index + 1);
    let (name, key) = item.split_once(':').unwrap_or((&numbered, item));
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let named = (1..=KEY_NAME_CHARACTERS_MAX).contains(&name.len()) && name.bytes().all(plain);
    let long_enough = key.chars().count() >= KEY_CHARACTERS_MIN;
    (named && long_enough).then(|| ServerKey { name: name.to_owned(), key: key.into() })
}

fn names_differ(keys: &[ServerKey]) -> bool {
    let mut names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair[0] != pair[1])
}
