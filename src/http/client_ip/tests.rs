//! The table of row H8, and what must hold for any headers at all.

use axum::http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::config::proxies::ClientIpHeader::{CfConnectingIp, Forwarded, XForwardedFor, XRealIp};
use crate::model::address::LimitKey;

const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "198.51.100.9";

fn rule(header: ClientIpHeader) -> AddressRule {
    let trusted = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().unwrap()).collect();
    AddressRule::new(trusted, header)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn client(header: ClientIpHeader, peer: &str, lines: &[&str]) -> Client {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(header.name(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    rule(header).client(ip(peer), &headers)
}

fn assert_rows(header: ClientIpHeader, rows: &[(&str, &[&str], &str)]) {
    for (peer, lines, expected) in rows {
        assert_eq!(client(header, peer, lines).address, ip(expected), "{header:?} from {peer}: {lines:?}");
    }
}

#[test]
fn row_h8_x_forwarded_for() {
    assert_rows(
        XForwardedFor,
        &[
            // No header, an empty one, nothing but commas: the proxy itself.
            (PROXY, &[], PROXY),
            (PROXY, &[""], PROXY),
            (PROXY, &[" "], PROXY),
            (PROXY, &[",,"], PROXY),
            // One hop, in every spelling of an address.
            (PROXY, &["203.0.113.7"], "203.0.113.7"),
            (PROXY, &["  203.0.113.7 "], "203.0.113.7"),
            (PROXY, &["203.0.113.7:4711"], "203.0.113.7"),
            (PROXY, &["2001:DB8::7"], "2001:db8::7"),
            (PROXY, &["[2001:db8::7]"], "2001:db8::7"),
            (PROXY, &["[2001:db8::7]:4711"], "2001:db8::7"),
            (PROXY, &["::ffff:203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("fd00::1", &["203.0.113.7"], "203.0.113.7"),
            // From the right, past trusted hops, over lines; what the client forged on the left is not reached.
            (PROXY, &["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            (PROXY, &["1.1.1.1, 203.0.113.7, 10.0.0.2,10.9.9.9"], "203.0.113.7"),
            (PROXY, &["1.1.1.1", "203.0.113.7, 10.0.0.2", "10.0.0.3"], "203.0.113.7"),
            (PROXY, &["nonsense, 203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
            (PROXY, &["\"", "1.1.1.1, ,203.0.113.7"], "203.0.113.7"),
            // All trusted: the farthest of them.
            (PROXY, &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // A hop that does not parse: the last good one stands.
            (PROXY, &["203.0.113.7, unknown"], PROXY),
            (PROXY, &["203.0.113.7, [::1]:x, 10.0.0.2"], "10.0.0.2"),
            (PROXY, &["203.0.113.7,"], PROXY),
            (PROXY, &["203.0.113.7", ""], PROXY),
            (PROXY, &["203.0.113.7, 10.0.0.2, 256.1.1.1"], PROXY),
            (PROXY, &["203.0.113.7, fe80::1%eth0"], PROXY),
            (PROXY, &["203.0.113.7, 010.0.0.2"], PROXY),
            (PROXY, &["203.0.113.7, é"], PROXY),
        ],
    );
}

#[test]
fn row_h8_forged_by_an_untrusted_peer() {
    for header in [XForwardedFor, Forwarded, XRealIp, CfConnectingIp] {
        for line in ["1.1.1.1", "for=1.1.1.1", "10.0.0.1", ""] {
            let expected = Client { address: ip(STRANGER), header_ignored: true };
            assert_eq!(client(header, STRANGER, &[line]), expected, "{header:?}: {line}");
        }
        let silent = Client { address: ip(STRANGER), header_ignored: false };
        assert_eq!(client(header, STRANGER, &[]), silent);
    }
    // Only the header of the setting is looked at, even from a proxy.
    let mut headers = HeaderMap::new();
    headers.insert(CfConnectingIp.name(), HeaderValue::from_static("1.1.1.1"));
    let unmoved = Client { address: ip(PROXY), header_ignored: false };
    assert_eq!(rule(XForwardedFor).client(ip(PROXY), &headers), unmoved);
}

#[test]
fn row_h8_two_hundred_hops() {
    let trusted = vec!["10.0.0.2"; 200].join(",");
    assert_rows(
        XForwardedFor,
        &[(PROXY, &[&trusted], "10.0.0.2"), (PROXY, &["203.0.113.7", &trusted], "203.0.113.7")],
    );
    let forged = vec!["1.1.1.1"; 199].join(",") + ",203.0.113.7";
    assert_rows(XForwardedFor, &[(PROXY, &[&forged], "203.0.113.7")]);
}

#[test]
fn row_h8_forwarded() {
    assert_rows(
        Forwarded,
        &[
            (PROXY, &["for=203.0.113.7"], "203.0.113.7"),
            (PROXY, &["For=\"203.0.113.7:4711\";proto=https;by=10.0.0.1"], "203.0.113.7"),
            (PROXY, &["proto=https; for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (PROXY, &["for=1.1.1.1, for=203.0.113.7;host=\"a,b;for=2.2.2.2\", for=10.0.0.2"], "203.0.113.7"),
            (PROXY, &["for=1.1.1.1", "for=203.0.113.7"], "203.0.113.7"),
            (PROXY, &["for=\"[::ffff:203.0.113.7]\""], "203.0.113.7"),
            // A quote left open by the client does not swallow what the proxy appended.
            (PROXY, &["for=\", for=203.0.113.7"], "203.0.113.7"),
            (PROXY, &["for=1.1.1.1;host=\"x, for=203.0.113.7"], "203.0.113.7"),
            (PROXY, &["\\\", for=\"203.0.113.7\""], "203.0.113.7"),
            // What does not parse.
            (PROXY, &["for=203.0.113.7, for=\"[::1]:x\""], PROXY),
            (PROXY, &["for=203.0.113.7, for=unknown"], PROXY),
            (PROXY, &["for=203.0.113.7, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
            (PROXY, &["for=203.0.113.7;for=1.1.1.1"], PROXY),
            (PROXY, &["for=\"203.0.113.7"], PROXY),
            (PROXY, &["by=203.0.113.7"], PROXY),
            (PROXY, &["203.0.113.7"], PROXY),
            (PROXY, &[""], PROXY),
        ],
    );
}

#[test]
fn headers_of_one_address_count_only_as_their_last_line() {
    for header in [XRealIp, CfConnectingIp] {
        assert_rows(
            header,
            &[
                (PROXY, &["203.0.113.7"], "203.0.113.7"),
                (PROXY, &["2001:db8::7"], "2001:db8::7"),
                (PROXY, &["1.1.1.1", "203.0.113.7"], "203.0.113.7"),
                // A client inside the trusted networks is itself, whatever line it forged before.
                (PROXY, &["1.1.1.1", "10.0.0.7"], "10.0.0.7"),
                (PROXY, &["1.1.1.1, 203.0.113.7"], PROXY),
                (PROXY, &["1.1.1.1", ""], PROXY),
            ],
        );
    }
}

#[test]
fn without_trusted_proxies_every_peer_is_itself() {
    let mut headers = HeaderMap::new();
    headers.insert(XForwardedFor.name(), HeaderValue::from_static("1.1.1.1"));
    let rule = AddressRule::new(Vec::new(), XForwardedFor);
    assert_eq!(rule.client(ip(PROXY), &headers), Client { address: ip(PROXY), header_ignored: true });
}

#[test]
fn limit_keys_are_an_address_or_a_64_and_have_one_spelling() {
    for (address, key) in [
        ("203.0.113.7", "203.0.113.7/32"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("2001:DB8:0:1::", "2001:db8:0:1::/64"),
        ("::1", "::/64"),
    ] {
        assert_eq!(LimitKey::from(ip(address)).to_string(), key);
    }
    assert_ne!(LimitKey::from(ip("2001:db8:0:1::1")), LimitKey::from(ip("2001:db8:0:2::1")));
}

/// Bytes a header value may have, weighted towards what the parser looks at.
fn junk() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b"\",;=[]:.\\ \tfor10".to_vec()),
        1 => 0x20_u8..=0x7e,
        1 => 0x80_u8..=0xff,
    ];
    prop::collection::vec(byte, 0..60)
}

fn any_header() -> impl Strategy<Value = ClientIpHeader> {
    prop::sample::select(vec![XForwardedFor, Forwarded, XRealIp, CfConnectingIp])
}

fn append(headers: &mut HeaderMap, header: ClientIpHeader, bytes: &[u8]) {
    headers.append(header.name(), HeaderValue::from_bytes(bytes).unwrap());
}

proptest! {
    #[test]
    fn an_untrusted_peer_is_always_itself(
        header in any_header(),
        lines in prop::collection::vec(junk(), 0..4),
        octets in any::<[u8; 4]>().prop_filter("trusted", |octets| octets[0] != 10),
    ) {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|line| append(&mut headers, header, line));
        prop_assert_eq!(rule(header).client(octets.into(), &headers).address, IpAddr::from(octets));
    }

    #[test]
    fn nothing_left_of_the_first_untrusted_hop_matters(
        list in prop::sample::select(vec![XForwardedFor, Forwarded]),
        earlier in prop::collection::vec(junk(), 0..3),
        left in "[ -~]{0,60}",
        octets in any::<[u8; 4]>().prop_filter("trusted", |octets| octets[0] != 10),
        trusted in prop::collection::vec(any::<[u8; 3]>(), 0..5),
        own_line in any::<bool>(),
    ) {
        let spell = |address: IpAddr| match list {
            Forwarded => format!("proto=https;for=\"{address}\""),
            _ => address.to_string(),
        };
        let hop = IpAddr::from(octets);
        let mut right = spell(hop);
        for [b, c, d] in trusted {
            right = format!("{right}, {}", spell(IpAddr::from([10, b, c, d])));
        }
        let mut headers = HeaderMap::new();
        earlier.iter().for_each(|line| append(&mut headers, list, line));
        if own_line {
            append(&mut headers, list, left.as_bytes());
            append(&mut headers, list, right.as_bytes());
        } else {
            append(&mut headers, list, format!("{left},{right}").as_bytes());
        }
        prop_assert_eq!(rule(list).client(ip(PROXY), &headers).address, hop);
    }

    #[test]
    fn no_header_makes_it_panic(header in any_header(), lines in prop::collection::vec(junk(), 0..4)) {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|line| append(&mut headers, header, line));
        let address = rule(header).client(ip(PROXY), &headers).address;
        prop_assert_eq!(address, address.to_canonical());
    }
}
