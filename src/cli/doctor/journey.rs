//! What two people do, done once through a gateway's address: create, join, connect, speak, hear, end.
//!
//! It goes the way browsers go, so a proxy that drops the upgrade or holds frames back shows here. The session has two seats and a random
//! password, and is ended even when a step on the way failed.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::socket::{Heard, Socket};
use super::wire::{Answer, Place};
use super::{Findings, State};

/// Frames before the one that is waited for: what a join says to a room of two.
const FRAMES_MAX: usize = 32;
/// What the first closes the second's socket with (`protocol/close`).
const SESSION_ENDED: u16 = 4410;

/// Goes the whole way, and notes each step.
pub(super) fn take(url: &str, ca: Option<&Path>, findings: &mut Findings) {
    let place = match Place::parse(url, ca) {
        Ok(place) => place,
        Err(error) => return findings.note("address", State::Wrong, error),
    };
    let mut ended = true;
    let done = steps(&place, findings, &mut ended);
    if let Err((check, error)) = done {
        findings.note(check, State::Wrong, error);
    }
    if !ended {
        findings.note("end", State::Look, "the session was left; it goes when SESSION_TTL is over");
    }
}

type Step<T> = Result<T, (&'static str, String)>;

/// A session that is there, and one who is in it.
struct Guest {
    session: String,
    token: String,
}

fn steps(place: &Place, findings: &mut Findings, ended: &mut bool) -> Step<()> {
    let at = |check: &'static str| move |error: String| (check, error);
    let ready = place.ask("GET", "/health/ready", None, &Value::Null).map_err(at("ready"))?;
    expect(&ready, 200, "/health/ready").map_err(at("ready"))?;
    let health = place.ask("GET", "/health", None, &Value::Null).map_err(at("ready"))?;
    let said = |name: &str| health.body[name].as_str().unwrap_or("unknown").to_owned();
    findings.note("ready", State::Ok, format!("version {}, on {}", said("version"), said("backend")));

    let (began, password) = (Instant::now(), password().map_err(at("create"))?);
    let host = enter(
        place,
        "/api/sessions/create",
        &json!({
            "name": "doctor", "password": password, "display_name": "doctor 1", "max_participants": 2,
        }),
    )
    .map_err(at("create"))?;
    *ended = false;
    findings.note("create", State::Ok, format!("a session within {}", since(began)));
    let went = together(place, &host, &password, findings);
    // Whatever went wrong: nothing is left behind.
    let path = format!("/api/sessions/{}", host.session);
    let end = place.ask("DELETE", &path, Some(&host.token), &Value::Null).map_err(at("end"));
    *ended = end.as_ref().is_ok_and(|answer| answer.status == 204);
    let mut listener = went?;
    expect(&end?, 204, "DELETE").map_err(at("end"))?;
    let closed = until(&mut listener, |heard| matches!(heard, Heard::Closed(_))).map_err(at("end"))?;
    if closed != Heard::Closed(SESSION_ENDED) {
        return Err(("end", format!("the socket was closed with {closed:?} instead of {SESSION_ENDED}")));
    }
    findings.note("end", State::Ok, format!("the session is gone, its socket closed with {SESSION_ENDED}"));
    Ok(())
}

/// From the second one's join to what they hear; their socket.
fn together(place: &Place, host: &Guest, password: &str, findings: &mut Findings) -> Step<Socket> {
    let at = |check: &'static str| move |error: String| (check, error);
    let began = Instant::now();
    let guest = enter(
        place,
        "/api/sessions/join",
        &json!({
            "session_id": host.session, "password": password, "display_name": "doctor 2",
        }),
    )
    .map_err(at("join"))?;
    findings.note("join", State::Ok, format!("by password within {}", since(began)));

    let began = Instant::now();
    let mut speaker = open(place, host).map_err(at("sockets"))?;
    let mut listener = open(place, &guest).map_err(at("sockets"))?;
    findings.note("sockets", State::Ok, format!("two opened and welcomed within {}", since(began)));

    let (began, word) = (Instant::now(), json!({"topic": "doctor", "body": {"said": password}}));
    speaker.say(&json!({"type": "event", "n": 1, "id": "d1", "data": word})).map_err(at("delivery"))?;
    until(&mut listener, |heard| is(heard, "event") && data(heard) == Some(&word)).map_err(at("delivery"))?;
    let heard_in = since(began);
    until(&mut speaker, |heard| is(heard, "ack")).map_err(at("delivery"))?;
    let text = format!("said, heard after {heard_in}, acknowledged after {}", since(began));
    findings.note("delivery", State::Ok, text);
    Ok(listener)
}

fn enter(place: &Place, path: &str, body: &Value) -> Result<Guest, String> {
    let answer = place.ask("POST", path, None, body)?;
    if !matches!(answer.status, 200 | 201) {
        expect(&answer, 201, path)?;
    }
    let text = |name: &str| answer.body[name].as_str().map(str::to_owned);
    match (text("id"), text("token")) {
        (Some(session), Some(token)) => Ok(Guest { session, token }),
        _ => Err(format!("{path} answers without id and token")),
    }
}

fn open(place: &Place, guest: &Guest) -> Result<Socket, String> {
    let mut socket = place.socket(&format!("/ws/{}", guest.session))?;
    socket.say(&json!({"type": "hello", "token": guest.token}))?;
    until(&mut socket, |heard| is(heard, "welcome"))?;
    Ok(socket)
}

/// Reads on to the frame that is waited for.
fn until(socket: &mut Socket, wanted: impl Fn(&Heard) -> bool) -> Result<Heard, String> {
    for _ in 0..FRAMES_MAX {
        let heard = socket.hear()?;
        if wanted(&heard) {
            return Ok(heard);
        }
        if let Heard::Closed(code) = heard {
            return Err(format!("the socket was closed with {code}"));
        }
    }
    Err("what was waited for did not come".to_owned())
}

fn is(heard: &Heard, kind: &str) -> bool {
    matches!(heard, Heard::Frame(frame) if frame["type"] == kind)
}

fn data(heard: &Heard) -> Option<&Value> {
    match heard {
        Heard::Frame(frame) => frame.get("data"),
        Heard::Closed(_) => None,
    }
}

/// The status, and what a problem says is wrong.
fn expect(answer: &Answer, status: u16, what: &str) -> Result<(), String> {
    if answer.status == status {
        return Ok(());
    }
    let detail = answer.body["code"].as_str().or(answer.body["status"].as_str()).unwrap_or_default();
    let reasons = &answer.body["reasons"];
    let reasons = if reasons.is_null() { String::new() } else { reasons.to_string() };
    Err(format!("{what} answers {} {detail}{reasons}", answer.status).trim_end().to_owned())
}

fn password() -> Result<String, String> {
    let mut bytes = [0; 18];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn since(began: Instant) -> String {
    format!("{:.1} ms", began.elapsed().as_secs_f64() * 1000.0)
}
