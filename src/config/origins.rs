//! Which pages may open sockets and read answers: `ALLOWED_ORIGINS`.
//!
//! The rule that compares origins is `model::origin`; here is only what was allowed.

use super::form;
use super::reader::Reader;
use super::setting::{Form, Preset, Setting};
use crate::model::origin::{AllowedOrigins, Origin};

pub(super) const ALLOWED_ORIGINS: Setting = Setting::open(
    "ALLOWED_ORIGINS",
    Preset::Derived("*; in production the origin of PUBLIC_URL, else the request's own host"),
    Form::Other(
        "a list of origins without paths, such as https://watch.example.org; * alone only in development",
    ),
    "The pages that may open sockets and read answers; others get 403.",
);

pub(super) const SETTINGS: &[&Setting] = &[&ALLOWED_ORIGINS];

pub(super) fn read(reader: &mut Reader<'_>, public_url: Option<&Origin>) -> AllowedOrigins {
    let production = reader.production();
    let given = reader.optional(&ALLOWED_ORIGINS, |text| match text {
        "*" if production => None,
        "*" => Some(AllowedOrigins::Any),
        text => form::list(text, form::origin).map(AllowedOrigins::List),
    });
    match (given, public_url) {
        (Some(origins), _) => origins,
        (None, _) if !production => AllowedOrigins::Any,
        (None, Some(own)) => AllowedOrigins::List(vec![own.clone()]),
        (None, None) => AllowedOrigins::SameHost,
    }
}
