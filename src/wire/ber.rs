//! Elements of the Basic Encoding Rules (X.690 section 8.1): a tag byte, a length, contents.
//!
//! Only tags of one byte and definite lengths, which is what network protocols use.

use super::cursor::Cursor;

/// Takes an element's tag and the length of its contents.
pub fn header(c: &mut Cursor<'_>) -> Option<(u8, usize)> {
    let tag = c.u8()?;
    let length = match c.u8()? {
        n @ 0..=0x7f => usize::from(n),
        n @ 0x81..=0x84 => c.take(usize::from(n & 15))?.iter().fold(0, |n, b| n << 8 | usize::from(*b)),
        _ => return None,
    };
    Some((tag, length))
}

/// Takes an element with this tag; returns its contents.
pub fn element<'a>(c: &mut Cursor<'a>, tag: u8) -> Option<&'a [u8]> {
    let mut at = *c;
    let (found, length) = header(&mut at)?;
    let contents = (found == tag).then(|| at.take(length))??;
    *c = at;
    Some(contents)
}

/// Takes an INTEGER of at most eight bytes.
pub fn integer(c: &mut Cursor<'_>) -> Option<i64> {
    let contents = element(c, 2)?;
    let sign = if *contents.first()? & 0x80 == 0 { 0 } else { -1 };
    (contents.len() <= 8).then(|| contents.iter().fold(sign, |n, b| n << 8 | i64::from(*b)))
}

/// Whether a message of `len` bytes is one element with this tag that fills it. Returns a cursor over its contents, as
/// far as they are visible.
pub fn whole<'a>(bytes: &'a [u8], len: usize, tag: u8) -> Option<Cursor<'a>> {
    let mut c = Cursor::new(bytes);
    let (found, length) = header(&mut c)?;
    let header_len = bytes.len() - c.rest().len();
    (found == tag && header_len + length == len).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        let mut c = whole(&[0x30, 6, 2, 1, 0xff, 4, 1, 9], 8, 0x30).unwrap();
        assert_eq!(integer(&mut c), Some(-1));
        assert_eq!(integer(&mut c), None);
        assert_eq!(element(&mut c, 4), Some(&[9][..]));
        assert!(whole(&[0x30, 6, 2], 9, 0x30).is_none());
        assert_eq!(header(&mut Cursor::new(&[0x30, 0x82, 1, 2])), Some((0x30, 258)));
    }
}
