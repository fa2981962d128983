//! Which primary of a cluster has which hash slot, as its nodes tell it.
//!
//! Pure: the slot of a key, and the map that the answers to `CLUSTER NODES` make together. Each slot is the claim's with the newest
//! configuration: a node that is cut off, or has not heard of a failover yet, tells an older one. Not responsible for asking (`cluster`).

use super::settings::Address;

/// Of a cluster, by its specification.
pub(super) const SLOTS: u16 = 16384;

/// The slot of a key or channel: of what stands in its first braces, if anything does, else of all of it.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    crc16(tag(key)) % SLOTS
}

fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// CRC-16/XMODEM, as the specification asks for.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// What one node answered to `CLUSTER NODES`.
pub(super) struct Told {
    /// Who was asked: a node may not know its own address.
    pub(super) by: Address,
    pub(super) text: String,
}

/// Who has which slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlotMap {
    primaries: Vec<Address>,
    /// The place of each slot's primary in `primaries`.
    owners: Vec<Option<u16>>,
    /// Every node that was named, replicas among them: all can be asked.
    nodes: Vec<Address>,
}

/// A primary's line.
struct Claim {
    address: Address,
    epoch: u64,
    ranges: Vec<(u16, u16)>,
}

impl SlotMap {
    /// Of a cluster that nobody has told anything of yet.
    pub(super) fn unknown() -> Self {
        Self { primaries: Vec::new(), owners: vec![None; usize::from(SLOTS)], nodes: Vec::new() }
    }

    /// Of what several nodes told. `by_name`: nodes are known by the names they announce, if they do, as certificates have no addresses.
    pub(super) fn of(told: &[Told], by_name: bool) -> Self {
        let mut map = Self::unknown();
        let mut epochs: Vec<Option<u64>> = vec![None; usize::from(SLOTS)];
        for told in told {
            for line in told.text.lines() {
                let Some((address, claim)) = read(line, &told.by, by_name) else { continue };
                if !map.nodes.contains(&address) {
                    map.nodes.push(address);
                }
                claim.into_iter().for_each(|claim| map.claim(claim, &mut epochs));
            }
        }
        // Who lost all slots in the end is no primary of anything.
        map.compact()
    }

    fn claim(&mut self, claim: Claim, epochs: &mut [Option<u64>]) {
        let known = self.primaries.iter().position(|known| *known == claim.address);
        let at = known.unwrap_or_else(|| {
            self.primaries.push(claim.address);
            self.primaries.len() - 1
        });
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        for (first, last) in claim.ranges {
            let slots = usize::from(first)..=usize::from(last);
            for (epoch, owner) in epochs[slots.clone()].iter_mut().zip(&mut self.owners[slots]) {
                if epoch.is_none_or(|epoch| epoch < claim.epoch) {
                    (*epoch, *owner) = (Some(claim.epoch), Some(at));
                }
            }
        }
    }

    fn compact(self) -> Self {
        let mut map = Self { nodes: self.nodes, ..Self::unknown() };
        for (slot, owner) in self.owners.into_iter().enumerate() {
            let Some(address) = owner.and_then(|at| self.primaries.get(usize::from(at))) else { continue };
            let known = map.primaries.iter().position(|known| known == address);
            let at = known.unwrap_or_else(|| {
                map.primaries.push(address.clone());
                map.primaries.len() - 1
            });
            map.owners[slot] = u16::try_from(at).ok();
        }
        map
    }

    /// The primary of a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&Address> {
        let at = self.owners.get(usize::from(slot)).copied().flatten()?;
        self.primaries.get(usize::from(at))
    }

    /// Those that have slots, in the order of their first.
    pub(super) fn primaries(&self) -> &[Address] {
        &self.primaries
    }

    /// All nodes.
    pub(super) fn nodes(&self) -> &[Address] {
        &self.nodes
    }

    /// Whether each slot has a primary.
    pub(super) fn is_whole(&self) -> bool {
        self.owners.iter().all(Option::is_some)
    }
}

/// A node's address, and what it claims if it is a primary; `None` for one that cannot be reached or is only being met.
fn read(line: &str, asked: &Address, by_name: bool) -> Option<(Address, Option<Claim>)> {
    let mut words = line.split_whitespace();
    let (_id, place, flags) = (words.next()?, words.next()?, words.next()?);
    let is = |flag: &str| flags.split(',').any(|word| word == flag);
    if is("noaddr") || is("handshake") {
        return None;
    }
    let address = address(place, asked, is("myself"), by_name)?;
    let (_primary, _ping, _pong, epoch, _link) =
        (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    if !is("master") {
        return Some((address, None));
    }
    // `[93->-id]` is a slot on its way: it is the claim's until it has arrived.
    let ranges = words.filter(|word| !word.starts_with('[')).map(range).collect::<Option<Vec<_>>>()?;
    let claim = Claim { address: address.clone(), epoch: epoch.parse().ok()?, ranges };
    Some((address, Some(claim)))
}

/// `ip:port@bus`, with `,name` behind it if the node announces one.
fn address(place: &str, asked: &Address, is_asked: bool, by_name: bool) -> Option<Address> {
    let (place, name) = place.split_once(',').unwrap_or((place, ""));
    let (ip, port) = place.split('@').next()?.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let name = name.split(',').next().unwrap_or_default();
    let host = match (name, ip) {
        (name, _) if by_name && !name.is_empty() => name.to_owned(),
        (_, "") if is_asked => asked.host.clone(),
        (_, "") => return None,
        (_, ip) => ip.to_owned(),
    };
    Some(Address { host, port })
}

fn range(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < SLOTS).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Address {
        Address { host: "10.0.0.1".to_owned(), port }
    }

    fn told(by: u16, text: &str) -> Told {
        Told { by: at(by), text: text.to_owned() }
    }

    #[test]
    fn slots_as_the_specification_has_them() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!((slot_of(b"foo"), slot_of(b"bar"), slot_of(b"")), (12182, 5061, 0));
        assert_eq!(slot_of(b"wp:{foo}:s"), slot_of(b"foo"));
        assert_eq!(slot_of(b"{}foo"), crc16(b"{}foo") % SLOTS, "empty braces hold nothing");
        assert_eq!(slot_of(b"{foo"), crc16(b"{foo") % SLOTS);
        assert_eq!(slot_of(b"a{foo}{bar}"), slot_of(b"foo"), "the first braces");
    }

    const NODES: &str = "\
a 10.0.0.1:1@11 myself,master - 0 0 1 connected 0-5460 [93->-b]\n\
b 10.0.0.1:2@12,two.example master - 0 0 2 connected 5461-10922 16383\n\
c 10.0.0.1:3@13,,shard-id=x slave a 0 0 1 connected\n\
d :0@0 master,noaddr - 0 0 9 disconnected 0-16383\n";

    #[test]
    fn a_line_is_a_node_and_what_it_claims() {
        let map = SlotMap::of(&[told(1, NODES)], false);
        assert_eq!(map.primaries(), [at(1), at(2)]);
        assert_eq!(map.nodes(), [at(1), at(2), at(3)]);
        let owners =
            [0, 93, 5460, 5461, 10922, 16383].map(|slot| map.owner(slot).map(|address| address.port));
        assert_eq!(owners, [1, 1, 1, 2, 2, 2].map(Some));
        assert_eq!(map.owner(10923), None);
        assert!(!map.is_whole());
        let named = SlotMap::of(&[told(1, NODES)], true);
        assert_eq!(named.primaries()[1].host, "two.example");
        assert_eq!(named.primaries()[0], at(1), "one without a name is known by its address");
    }

    #[test]
    fn a_slot_is_whose_claim_is_newest() {
        let old = told(1, "a 10.0.0.1:1@11 myself,master - 0 0 1 connected 0-16383\n");
        let new = told(
            3,
            "a 10.0.0.1:1@11 master,fail - 0 0 1 disconnected\nc 10.0.0.1:3@13 myself,master - 0 0 7 connected 0-16383\n",
        );
        for order in [[&old, &new], [&new, &old]] {
            let told: Vec<Told> =
                order.iter().map(|one| Told { by: one.by.clone(), text: one.text.clone() }).collect();
            let map = SlotMap::of(&told, false);
            assert_eq!((map.primaries(), map.is_whole()), (&[at(3)][..], true));
        }
    }

    #[test]
    fn a_node_that_does_not_know_its_address_is_where_it_was_asked() {
        let map = SlotMap::of(&[told(5, "a :5@15 myself,master - 0 0 1 connected 0-16383\n")], false);
        assert_eq!(map.primaries(), [at(5)]);
        let six = SlotMap::of(&[told(5, "a ::1:6@16 myself,master - 0 0 1 connected 0-16383\n")], false);
        assert_eq!(six.primaries(), [Address { host: "::1".to_owned(), port: 6 }]);
    }

    #[test]
    fn nonsense_claims_nothing() {
        for text in [
            "",
            "a",
            "a 1:2@3 master - 0 0 x connected 0-1",
            "a 1:2@3 master - 0 0 1 connected 5-70000",
            "a 1:x@3 master - 0 0 1 c 1",
        ] {
            assert_eq!(SlotMap::of(&[told(1, text)], false).primaries(), [] as [Address; 0], "{text}");
        }
    }
}
