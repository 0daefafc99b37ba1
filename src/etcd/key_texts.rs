//! The texts of many keys in one piece of memory: for each its bytes, and 4 more.
//!
//! The texts are copies, because comparing borrowed keys would touch pages all over the file. An allocation of its own
//! for each key would need twice the memory.

use rayon::prelude::*;

use super::key_ids::to_usize;

/// A list of texts.
#[derive(Debug, Clone, Default)]
pub struct KeyTexts {
    bytes: Vec<u8>,
    /// Where each text ends in `bytes`: the lower 32 bits.
    ends: Vec<u32>,
    /// For each 4 GB of texts, the index of the first text that ends after them.
    beyond: Vec<usize>,
}

/// One more than the highest number of 32 bits.
const BEYOND: u64 = 1 << 32;

impl KeyTexts {
    /// Adds a text.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        let end = self.bytes.len() as u64;
        while (self.beyond.len() as u64) < end / BEYOND {
            self.beyond.push(self.ends.len());
        }
        self.ends
            .push(u32::try_from(end % BEYOND).unwrap_or_default());
    }

    /// Where a text ends.
    fn end(&self, index: usize) -> Option<usize> {
        let low = u64::from(*self.ends.get(index)?);
        let beyond = self.beyond.partition_point(|first| *first <= index) as u64;
        usize::try_from(low.saturating_add(beyond.saturating_mul(BEYOND))).ok()
    }

    /// Number of texts.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the text at an index. An index after the last one gives an empty text.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|last| self.end(last));
        let start = start.unwrap_or_default();
        let end = self.end(index).unwrap_or_default();
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The texts, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The indexes of the texts in key order. They are sorted on all cores. Most keys begin alike (`/registry/pods/`), so
    /// what follows is compared first, as numbers.
    pub fn in_order(&self) -> Vec<u32> {
        let first = self.get(0);
        let common = self.iter().fold(first.len(), |common, text| {
            let pairs = first.iter().zip(text).take(common);
            pairs.take_while(|(a, b)| a == b).count()
        });
        let numbers = |text: &[u8]| {
            let rest = text.get(common..).unwrap_or_default();
            [0, 8].map(|from| number_at(rest, from))
        };
        let texts = self.iter().zip(0_u32..);
        let mut order: Vec<([u64; 2], u32)> =
            texts.map(|(text, index)| (numbers(text), index)).collect();
        let text = |index: u32| self.get(to_usize(index));
        // A shorter text is filled up with zeros, so equal numbers are no proof of equal texts.
        order.par_sort_unstable_by(|a, b| {
            let numbers = a.0.cmp(&b.0);
            numbers.then_with(|| text(a.1).cmp(text(b.1)))
        });
        order.into_iter().map(|(_, index)| index).collect()
    }
}

/// Eight bytes of a text as a number that is in the order of texts. Bytes after its end are zeros.
fn number_at(text: &[u8], from: usize) -> u64 {
    let mut bytes = [0; 8];
    let rest = text.get(from..).unwrap_or_default();
    bytes
        .iter_mut()
        .zip(rest)
        .for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list<'t>(texts: impl IntoIterator<Item = &'t Vec<u8>>) -> KeyTexts {
        let mut list = KeyTexts::default();
        texts.into_iter().for_each(|text| list.push(text));
        list
    }

    #[test]
    fn texts_are_returned_as_they_were_added() {
        let texts: Vec<Vec<u8>> = [&b"/a"[..], b"", b"/b/c", b""].map(<[u8]>::to_vec).to_vec();
        let list = list(&texts);
        assert_eq!(list.len(), 4);
        assert!(list.iter().eq(texts.iter().map(Vec::as_slice)));
        assert_eq!(list.get(4), b"");
    }

    #[test]
    fn a_text_may_end_beyond_the_numbers_of_32_bits() {
        let list = KeyTexts {
            bytes: Vec::new(),
            ends: vec![u32::MAX, 3, 4, 0, 7],
            beyond: vec![1, 3, 3],
        };
        let ends = (0..5).filter_map(|index| list.end(index));
        let ends: Vec<u64> = ends.map(|end| end as u64).collect();
        let expected = [
            BEYOND - 1,
            BEYOND + 3,
            BEYOND + 4,
            3 * BEYOND,
            3 * BEYOND + 7,
        ];
        assert_eq!(ends, expected);
    }

    #[test]
    fn texts_are_sorted_by_all_their_bytes() {
        let mut texts: Vec<Vec<u8>> = [&b"/a"[..], b"/", b"", b"/a\0", b"/a\0\0", b"/b"]
            .map(<[u8]>::to_vec)
            .to_vec();
        for number in 0..500_u32 {
            texts.push(format!("/registry/pods/{}/a-long-name-{number}", number % 7).into_bytes());
        }
        for begins in [&b"/registry/pods/"[..], b""] {
            let mut expected: Vec<Vec<u8>> = texts.clone();
            expected.retain(|text| text.starts_with(begins));
            let list = list(expected.iter().rev());
            let sorted = list.in_order().into_iter();
            let sorted: Vec<&[u8]> = sorted.map(|index| list.get(to_usize(index))).collect();
            expected.sort();
            assert_eq!(sorted, expected);
        }
        assert!(KeyTexts::default().in_order().is_empty());
    }
}
