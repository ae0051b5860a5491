//! What the lengths of one direction's data packets tell: those of AEAD, of pings, and of CBC's whole blocks.

use super::super::static_key::SHORTEST_PERIOD;
use super::*;

/// Packets from which the absence of a counter means CBC.
const FEWEST_BLOCKS: usize = 6;
/// Different lengths from which it says something that all are multiples of four.
const FEWEST_LENGTHS: usize = 4;
/// The ciphers' blocks, bytes.
const BLOCKS: [usize; 2] = [16, 8];
/// What CBC encrypts of a ping: a packet ID of four bytes and the ping.
const PACKET_ID_AND_PING: usize = 4 + PING.len();

impl Side<'_> {
    /// The length of an AEAD ping; nothing shorter can occur.
    pub(super) fn ping(&self) -> usize {
        // Header, packet ID and tag around the ping's 16 bytes; with an epoch the packet ID has 8.
        self.header + 16 + 16 + if self.form == Form::Epoch { 8 } else { 4 }
    }

    /// Lengths that tell AEAD packets from ESP's, and pings.
    pub(in crate::protocol::openvpn) fn lengths(&self, other: Option<&Self>, items: &mut Items) {
        if self.form == Form::Opaque {
            return self.idle(other, items);
        }
        self.aligned(other, items);
        if !(self.small_peer() || self.header == 1 || self.shares_peer(other)) {
            return;
        }
        if self.header == 4
            && self.small_peer()
            && let Some(odd) = self.packets.iter().find(|m| m.len % 4 != 0)
        {
            let text = format!("a data packet of {} bytes: no multiple of four, as ESP's always are", odd.len);
            items.add(&DATA_LENGTHS, 3, &[odd.frame], text);
        }
        // Compression framing adds a byte.
        let ping = self.packets.iter().map(|m| m.len).min().filter(|len| (self.ping()..=self.ping() + 1).contains(len));
        let Some(ping) = ping else { return };
        let pings: Vec<u64> = self.packets.iter().filter(|m| m.len == ping).map(|m| m.frame).collect();
        let text = counted!("packets of {ping} bytes, the length of a ping, and none shorter", ping);
        items.add(&DATA_PING, 3, &pings, text);
    }

    /// Only the first byte speaks for OpenVPN, and the lengths for ESP: AEAD packets are as long as what they carry, of which
    /// one length in four is a multiple of four, more where nothing but bare acknowledgements and pings are sent.
    fn aligned(&self, other: Option<&Self>, items: &mut Items) {
        if self.header != 4 || self.small_peer() || self.shares_peer(other) {
            return;
        }
        let mut lengths: Vec<usize> = self.packets.iter().map(|m| m.len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let odd = |t: Lengths| t.by_mod16.iter().enumerate().any(|(class, &n)| class % 4 != 0 && n > 0);
        let all = lengths.iter().all(|len| len.is_multiple_of(4)) && !self.tallied.is_some_and(odd);
        let count = lengths.len().max(self.tallied.map_or(0, |t| t.distinct() as usize)).min(99);
        if all && count >= FEWEST_LENGTHS {
            let text = counted!("{count} different lengths are all multiples of four, as ESP's always are", count);
            items.add(&DATA_LENGTHS, -(count.min(8) as i32), &self.frames(), text);
        }
    }

    /// CBC without traffic: nothing but pings, which have one length.
    fn idle(&self, other: Option<&Self>, items: &mut Items) {
        if !self.is_alone() || !self.small_peer() || self.packets.len() < FEWEST_BLOCKS {
            return;
        }
        let Some(len) = self.packets.first().map(|m| m.len) else { return };
        // 48 00 00 00 is a length as well, in the other byte order, and that of a ping under SHA1. Few send a length of four
        // bytes in datagrams, and hardly any nothing else, all the time and from both sides.
        let length = self.packets.first().and_then(|m| m.u32_at(0)).map(|word| word.swap_bytes() as usize);
        let counted = length.is_some_and(|length| [len, len - 4].contains(&length));
        let steady = |s: &Self| s.packets.first().is_some_and(|m| m.len == len) && s.is_alone() && s.is_regular();
        if counted && !(steady(self) && other.is_some_and(steady)) {
            return;
        }
        // HMAC, IV, and packet ID and ping with their padding.
        let ping = |step: usize, d: &Digest| self.header + d.size() + step + (PACKET_ID_AND_PING / step + 1) * step;
        let fits = |step: usize| Digest::ALL.iter().find(|d| ping(step, d) == len);
        if let Some(digest) = fits(16).or(fits(8)) {
            let text = format!("all packets have {len} bytes: an HMAC of {}, an IV and a ping", digest.size());
            items.add(&DATA_PING, if counted { 1 } else { 3 }, &self.frames(), text);
        }
    }

    /// Whether all packets have one length.
    fn is_alone(&self) -> bool {
        let len = |m: &&Message<'_>| m.len;
        let first = self.packets.first().map(len);
        self.packets.iter().all(|m| Some(m.len) == first) && self.tallied.is_none_or(|t| t.distinct() == 1)
    }

    /// Whether the packets come at one interval of a second or more, as pings do while nothing else is sent. Packets that the
    /// capture lost make it a small multiple.
    fn is_regular(&self) -> bool {
        let gaps = || self.packets.windows(2).filter_map(|w| Some(w.get(1)?.time.since(w.first()?.time)));
        let Some(least) = gaps().min().filter(|least| *least >= SHORTEST_PERIOD) else { return false };
        let off = |gap: i64| ((gap + least / 2) / least * least - gap).abs();
        self.packets.len() >= FEWEST_BLOCKS && gaps().all(|gap| gap <= 5 * least && off(gap) <= least / 5)
    }

    /// CBC: HMAC, IV and whole blocks.
    pub(in crate::protocol::openvpn) fn blocks(&self, items: &mut Items) {
        if self.form != Form::Opaque || self.packets.len() < FEWEST_BLOCKS {
            return;
        }
        let Some((step, digest)) = self.block_size() else { return };
        let mut lengths: Vec<usize> = self.packets.iter().map(|m| m.len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let count = lengths.len().max(self.tallied.map_or(0, |t| t.distinct() as usize)).min(99);
        let bits = (count as i32 - 1) * if step == 16 { 4 } else { 3 };
        if bits > 0 {
            let text = format!(
                "{count} different lengths are all an HMAC of {} bytes, an IV and whole blocks of {step}",
                digest.size()
            );
            items.add(&DATA_BLOCKS, bits, &self.frames(), text);
        }
    }

    /// Whether packets show neither a counter, not even one with gaps, nor the lengths of a block cipher.
    pub(in crate::protocol::openvpn) fn is_shapeless(&self) -> bool {
        let after = |m: &&Message<'_>| m.u32_at(self.header);
        let (least, most) = (self.packets.iter().filter_map(after).min(), self.packets.iter().filter_map(after).max());
        let near = least.zip(most).is_some_and(|(least, most)| most - least < 1 << 16);
        self.form == Form::Opaque && !near && self.block_size().is_none()
    }

    /// CBC: lengths of the other side in the class of this side's. Lengths that both have show nothing more.
    pub(in crate::protocol::openvpn) fn same_class(&self, other: &Self, items: &mut Items) {
        let opaque = |s: &Self| s.form == Form::Opaque && s.packets.len() >= FEWEST_BLOCKS;
        let lengths = |s: &Self| s.packets.iter().map(|m| m.len - s.header).collect::<BTreeSet<usize>>();
        let (mine, theirs) = (lengths(self), lengths(other));
        let both =
            BLOCKS.into_iter().find_map(|step| Some((step, self.digest(step).filter(|d| other.fits(step, *d))?)));
        if !opaque(self) || !opaque(other) || mine.is_subset(&theirs) || theirs.is_subset(&mine) {
            return;
        }
        if let Some((step, digest)) = both {
            let frames = [self.frames(), other.frames()].concat();
            let size = digest.size();
            let text = counted!(
                "both sides' lengths are an HMAC of {size} bytes, an IV and whole blocks of {step}",
                size,
                step
            );
            items.add(&DATA_BLOCKS, if step == 16 { 4 } else { 3 }, &frames, text);
        }
    }

    /// The block size that fits all lengths, and the digest that does.
    pub(super) fn block_size(&self) -> Option<(usize, Digest)> {
        BLOCKS.into_iter().find_map(|step| self.digest(step).map(|digest| (step, digest)))
    }

    /// The digest that fits all lengths. SHA1 is the default, so it goes first.
    fn digest(&self, step: usize) -> Option<Digest> {
        [Digest::Sha1].into_iter().chain(Digest::ALL).find(|digest| self.fits(step, *digest))
    }

    /// Whether all lengths are the header, an HMAC, an IV and whole blocks of `step`.
    fn fits(&self, step: usize, digest: Digest) -> bool {
        let fixed = self.header + digest.size() + step;
        let kept = self.packets.iter().all(|m| m.len >= fixed + step && (m.len - fixed).is_multiple_of(step));
        let class = |t: Lengths| (0..16).zip(t.by_mod16).all(|(c, n)| n == 0 || c % step == fixed % step);
        kept && self.tallied.is_none_or(class)
    }
}
