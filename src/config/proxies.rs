//! Which peers may speak for a client's address, and in which header. Walking the header is `http/client_ip`.

use ipnet::IpNet;

use super::form;
use super::reader::Reader;
use super::setting::{Form, Preset, Setting};

pub(super) const TRUSTED_PROXIES: Setting = Setting::open(
    "TRUSTED_PROXIES",
    Preset::Unset,
    Form::Other("a list of networks such as 10.0.0.0/8, fd00::/8; in production none of them /0"),
    "The peers whose header is believed; from any other it is ignored.",
);
pub(super) const CLIENT_IP_HEADER: Setting = Setting::open(
    "CLIENT_IP_HEADER",
    Preset::Text("x-forwarded-for"),
    Form::Word(&["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"]),
    "The header they put the client's address in; needs TRUSTED_PROXIES.",
);

pub(super) const SETTINGS: &[&Setting] = &[&TRUSTED_PROXIES, &CLIENT_IP_HEADER];

/// Which peers may speak for a client's address.
#[derive(Clone, Debug)]
pub struct ProxiesConfig {
    /// Networks believed; empty: nobody.
    pub trusted: Vec<IpNet>,
    /// The one header read from them.
    pub header: ClientIpHeader,
}

/// A header that can carry a client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIpHeader {
    /// `X-Forwarded-For`: a list, walked from the right past trusted hops.
    XForwardedFor,
    /// `Forwarded` (RFC 7239): a list, walked likewise.
    Forwarded,
    /// `X-Real-IP`: one address.
    XRealIp,
    /// `CF-Connecting-IP`: one address.
    CfConnectingIp,
}

impl ClientIpHeader {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "x-forwarded-for" => Some(Self::XForwardedFor),
            "forwarded" => Some(Self::Forwarded),
            "x-real-ip" => Some(Self::XRealIp),
            "cf-connecting-ip" => Some(Self::CfConnectingIp),
            _ => None,
        }
    }

    /// The header's name in lower case, as HTTP libraries compare it.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
            Self::XRealIp => "x-real-ip",
            Self::CfConnectingIp => "cf-connecting-ip",
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> ProxiesConfig {
    let production = reader.production();
    let network = |text: &str| form::network(text).filter(|network| network.prefix_len() > 0 || !production);
    let trusted = reader.optional(&TRUSTED_PROXIES, |text| form::list(text, network)).unwrap_or_default();
    let header =
        reader.required(&CLIENT_IP_HEADER, |word| ClientIpHeader::from_word(&word.to_ascii_lowercase()));
    let unread = reader.given(&CLIENT_IP_HEADER) && trusted.is_empty();
    reader.refuse_beside(
        &CLIENT_IP_HEADER,
        &TRUSTED_PROXIES,
        unread,
        "needs TRUSTED_PROXIES: nobody is believed",
    );
    ProxiesConfig { trusted, header }
}
