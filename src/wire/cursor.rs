//! Reading numbers and slices from the front of a buffer, where every step may find too little.

/// A position in a buffer. Each method takes bytes from the front, or returns `None` and leaves the position.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not taken yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was taken.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    #[inline]
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(head)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// The next two bytes, big-endian.
    #[inline]
    pub fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes, big-endian.
    #[inline]
    pub fn be24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next four bytes, big-endian.
    #[inline]
    pub fn be32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes, big-endian.
    #[inline]
    pub fn be64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next two bytes, little-endian.
    #[inline]
    pub fn le16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes, little-endian.
    #[inline]
    pub fn le32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

/// The text at the front, up to the first byte that is no UTF-8.
pub fn text(bytes: &[u8]) -> &str {
    let valid = |e: std::str::Utf8Error| bytes.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok());
    std::str::from_utf8(bytes).or_else(|e| valid(e).ok_or(e)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_where_it_is_none() {
        assert_eq!((text(b"caf\xc3\xa9"), text(b"caf\xe9"), text(b"")), ("caf\u{e9}", "caf", ""));
    }

    #[test]
    fn too_little_takes_nothing() {
        let mut c = Cursor::new(&[1, 2, 3]);
        assert_eq!(c.be32(), None);
        assert_eq!(c.be16(), Some(0x0102));
        assert_eq!(c.take(2), None);
        assert_eq!((c.u8(), c.is_empty()), (Some(3), true));
    }
}
