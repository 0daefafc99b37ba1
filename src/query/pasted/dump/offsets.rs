//! The offsets of a dump: each must be that of the bytes so far, in one of the radixes that dumps have.

use super::row::Layout;

/// A dump writes a repeated line once, and the next offset shows how often it repeats. At most this many bytes are
/// added for it, which is more than etcd accepts as one value.
const MOST_REPEATED_BYTES: u64 = 8 << 20;

/// Bytes that are not written in the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    /// After how many of the written bytes.
    after: usize,
    /// How many.
    bytes: u64,
    /// They are the last so many written ones, again and again; 0: they are spaces at the end of a line.
    period: usize,
}

/// The offsets of a dump, read in one radix.
#[derive(Debug, Clone)]
struct Reading {
    radix: u32,
    /// The offset of the next byte.
    at: u64,
    /// How many bytes of the last word are padding.
    padding: usize,
    gaps: Vec<Gap>,
}

/// The offsets so far, in each radix in which they can be.
#[derive(Debug)]
pub(super) struct Offsets {
    readings: Vec<Reading>,
    word_bytes: usize,
    has_invisible_bytes: bool,
    written: usize,
    /// How many bytes the line before has.
    last: usize,
    is_at_end: bool,
}

impl Offsets {
    pub(super) fn new(layout: &Layout) -> Self {
        let radixes: &[u32] = if layout.is_xxd() { &[16] } else { &[16, 8, 10] };
        let reading = |radix: &u32| Reading {
            radix: *radix,
            at: 0,
            padding: 0,
            gaps: Vec::new(),
        };
        Self {
            readings: radixes.iter().map(reading).collect(),
            word_bytes: layout.word_bytes(),
            has_invisible_bytes: layout.has_invisible_bytes(),
            written: 0,
            last: 0,
            is_at_end: false,
        }
    }

    /// Takes the offset of a line with so many bytes, before which repeated lines are left out. False if it is not the
    /// one that follows.
    pub(super) fn add(&mut self, offset: &str, is_repeated: bool, bytes: usize) -> bool {
        if self.is_at_end {
            return false;
        }
        self.is_at_end = bytes == 0;
        let mut readings = std::mem::take(&mut self.readings);
        readings.retain_mut(|reading| self.follows(reading, offset, is_repeated));
        for reading in &mut readings {
            reading.at = reading.at.saturating_add(bytes as u64);
        }
        self.written = self.written.saturating_add(bytes);
        self.last = bytes;
        self.readings = readings;
        !self.readings.is_empty()
    }

    fn follows(&self, reading: &mut Reading, offset: &str, is_repeated: bool) -> bool {
        let Ok(offset) = u64::from_str_radix(offset, reading.radix) else {
            return false;
        };
        if self.is_at_end && offset < reading.at {
            let padding = reading.at.saturating_sub(offset);
            reading.padding = usize::try_from(padding).unwrap_or(usize::MAX);
            reading.at = offset;
            return !is_repeated && reading.padding < self.word_bytes;
        }
        let Some(missing) = offset.checked_sub(reading.at) else {
            return false;
        };
        if missing == 0 {
            return !is_repeated;
        }
        let line = self.last as u64;
        let period = if is_repeated { self.last } else { 0 };
        // A line of characters has sixteen.
        let can_be = if is_repeated {
            missing.checked_rem(line) == Some(0)
        } else {
            self.has_invisible_bytes && line.saturating_add(missing) <= 16 && self.written > 0
        };
        reading.gaps.push(Gap {
            after: self.written,
            bytes: missing,
            period,
        });
        reading.at = offset;
        can_be
    }

    /// Whether the offsets can be hexadecimal.
    pub(super) fn are_hexadecimal(&self) -> bool {
        self.readings
            .first()
            .is_some_and(|reading| reading.radix == 16)
    }

    /// The bytes with those that are not written. None if the number of these differs by radix, or is too large.
    pub(super) fn expand(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (reading, others) = self.readings.split_first()?;
        if others.iter().any(|other| other.at != reading.at) {
            return None;
        }
        let added = reading.gaps.iter().map(|gap| gap.bytes);
        let added = added.fold(0, u64::saturating_add);
        if added > MOST_REPEATED_BYTES {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut copied = 0;
        for gap in &reading.gaps {
            out.extend_from_slice(bytes.get(copied..gap.after)?);
            copied = gap.after;
            let period = gap.after.checked_sub(gap.period)?;
            let line = match gap.period {
                0 => b" ".as_slice(),
                _ => bytes.get(period..gap.after)?,
            };
            let count = usize::try_from(gap.bytes).ok()?;
            out.extend(line.iter().cycle().take(count));
        }
        let end = bytes.len().checked_sub(reading.padding)?;
        out.extend_from_slice(bytes.get(copied..end)?);
        Some(out)
    }
}
