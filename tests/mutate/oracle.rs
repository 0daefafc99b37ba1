//! An independent reading of a healthy image: where each element's bytes are, and by which bytes a
//! reader finds it. It shares no code with `src`.

use std::ops::Range;
use std::rc::Rc;

use crate::support::synth::mutate::Outline;
use crate::support::synth::page::{BRANCH, BUCKET_ELEMENT, Endian, HEADER_LEN, LEAF};

/// The bytes on the way to a leaf, and the page where the way ends.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Metas, page headers, branch elements, the bucket's own element.
    pub bytes: Vec<Range<usize>>,
}

/// An element of a bucket of the root.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The bucket's name.
    pub bucket: Rc<[u8]>,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// What leads to its page, the page's header included.
    pub way: Rc<Way>,
    /// Its 16 bytes in the element table.
    pub header: Range<usize>,
    /// Its key and value.
    pub body: Range<usize>,
}

/// What is where in a healthy image.
pub struct Oracle {
    /// The elements of all buckets of the root, in the order of the walk.
    pub entries: Vec<Entry>,
    /// Of each byte whether a reader needs it to find its way: all but the keys and values of leaves, and slack.
    pub structure: Vec<bool>,
    /// The metas, then the names and headers of buckets: bbolt has nothing to check them by.
    pub references: Vec<Range<usize>>,
    /// The last element of each leaf: after it are zeros, whatever its sizes say.
    pub last: Vec<Range<usize>>,
    /// The pages at which these references point: their first key is nowhere else.
    pub roots: Vec<Range<usize>>,
}

struct Found {
    flags: u32,
    header: Range<usize>,
    key: Range<usize>,
    value: Range<usize>,
    way: Rc<Way>,
}

struct Reader<'a> {
    image: &'a [u8],
    endian: Endian,
    page_size: usize,
    structure: Vec<bool>,
    last: Vec<Range<usize>>,
}

impl Reader<'_> {
    fn mark(&mut self, range: &Range<usize>) {
        self.structure[range.clone()].fill(true);
    }

    fn u32(&self, at: usize) -> usize {
        self.endian.get_u32(self.image, at).unwrap() as usize
    }

    fn u64(&self, at: usize) -> u64 {
        self.endian.get_u64(self.image, at).unwrap()
    }

    fn run(&self, id: u64) -> Range<usize> {
        let at = id as usize * self.page_size;
        at..at + (1 + self.u32(at + 12)) * self.page_size
    }

    /// The elements of the tree below a page, in order.
    fn tree(&mut self, id: u64, way: &Way) -> Vec<Found> {
        let at = id as usize * self.page_size;
        assert_eq!(self.u64(at), id, "a healthy page states its own id");
        if self.endian.get_u16(self.image, at + 8) != Some(BRANCH) {
            return self.leaf(at, way);
        }
        let mut way = way.clone();
        way.bytes.push(at..at + HEADER_LEN);
        self.mark(&(at..at + HEADER_LEN));
        let count = usize::from(self.endian.get_u16(self.image, at + 10).unwrap());
        let mut found = Vec::new();
        for index in 0..count {
            let element = at + HEADER_LEN * (1 + index);
            let key_at = element + self.u32(element);
            let key = key_at..key_at + self.u32(element + 4);
            self.mark(&(element..element + HEADER_LEN));
            self.mark(&key);
            let mut way = way.clone();
            way.bytes.push(element..element + HEADER_LEN);
            found.extend(self.tree(self.u64(element + 8), &way));
        }
        found
    }

    /// The elements of the leaf page at an offset, which may be inline.
    fn leaf(&mut self, at: usize, way: &Way) -> Vec<Found> {
        assert_eq!(self.endian.get_u16(self.image, at + 8), Some(LEAF));
        let mut way = way.clone();
        way.bytes.push(at..at + HEADER_LEN);
        self.mark(&(at..at + HEADER_LEN));
        let way = Rc::new(way);
        let count = usize::from(self.endian.get_u16(self.image, at + 10).unwrap());
        let mut found = Vec::new();
        for index in 0..count {
            let element = at + HEADER_LEN * (1 + index);
            let key_at = element + self.u32(element + 4);
            let value_at = key_at + self.u32(element + 8);
            let header = element..element + HEADER_LEN;
            self.mark(&header);
            found.push(Found {
                flags: self.u32(element) as u32,
                header,
                key: key_at..value_at,
                value: value_at..value_at + self.u32(element + 12),
                way: way.clone(),
            });
        }
        self.last
            .extend(found.last().map(|found| found.header.clone()));
        found
    }
}

impl Oracle {
    /// Reads the state of the current meta, or of the other one.
    pub fn of(image: &[u8], current: bool) -> Self {
        let outline = Outline::of(image).unwrap();
        let size = outline.page_size;
        let mut reader = Reader {
            image,
            endian: outline.endian,
            page_size: size,
            structure: vec![false; image.len()],
            last: Vec::new(),
        };
        let metas = vec![16..80, size + 16..size + 80];
        metas.iter().for_each(|meta| reader.mark(meta));
        let meta = if current {
            outline.meta
        } else {
            1 - outline.meta
        };
        let root = reader.u64(meta as usize * size + 32);
        let mut references: Vec<Range<usize>> = metas.clone();
        let mut roots = vec![reader.run(root)];
        let mut entries = Vec::new();
        for bucket in reader.tree(root, &Way { bytes: metas }) {
            assert_eq!(bucket.flags, BUCKET_ELEMENT, "the root holds buckets");
            let name: Rc<[u8]> = image[bucket.key.clone()].into();
            let header = bucket.value.start..bucket.value.start + 16;
            let mut way = (*bucket.way).clone();
            way.bytes
                .extend([bucket.header, bucket.key.clone(), header.clone()]);
            reader.mark(&header);
            // A cut value is none, so a cut inline page is none.
            let last = bucket.value.end - 1;
            way.bytes.push(last..last + 1);
            let found = match reader.u64(header.start) {
                0 => reader.leaf(header.end, &way),
                page => {
                    roots.push(reader.run(page));
                    reader.tree(page, &way)
                }
            };
            references.extend([header, bucket.key]);
            entries.extend(found.into_iter().map(|found| Entry {
                bucket: name.clone(),
                key: image[found.key.clone()].to_vec(),
                // A bucket in a bucket, which etcd never makes, has no value.
                value: match found.flags {
                    BUCKET_ELEMENT => Vec::new(),
                    _ => image[found.value.clone()].to_vec(),
                },
                way: found.way,
                header: found.header,
                body: found.key.start..found.value.end,
            }));
        }
        Self {
            entries,
            structure: reader.structure,
            references,
            last: reader.last,
            roots,
        }
    }
}

/// The bytes in which a mutated image is not the original, the lost ones of a cut included.
pub struct Changed(Vec<Range<usize>>);

impl Changed {
    /// Compares two images.
    pub fn between(original: &[u8], mutated: &[u8]) -> Self {
        const CHUNK: usize = 512;
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let both = original.len().min(mutated.len());
        for start in (0..both).step_by(CHUNK) {
            let end = (start + CHUNK).min(both);
            if original[start..end] == mutated[start..end] {
                continue;
            }
            for at in (start..end).filter(|at| original[*at] != mutated[*at]) {
                match ranges.last_mut() {
                    Some(last) if last.end == at => last.end = at + 1,
                    _ => ranges.push(at..at + 1),
                }
            }
        }
        if both < original.len() {
            ranges.push(both..original.len());
        }
        Self(ranges)
    }

    /// Whether one of these bytes differs.
    pub fn touches(&self, range: &Range<usize>) -> bool {
        let next = self.0.partition_point(|changed| changed.end <= range.start);
        self.0
            .get(next)
            .is_some_and(|changed| changed.start < range.end)
    }

    /// The bytes that differ.
    pub fn bytes(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// Whether all that leads to an element, and the element, is as it was.
    pub fn spares(&self, entry: &Entry) -> bool {
        !self.touches(&entry.header)
            && !self.touches(&entry.body)
            && !entry.way.bytes.iter().any(|range| self.touches(range))
    }
}
