//! From a builder to an image: which runs there are, where they are, and what
//! the metas and freelists say of them.

use super::page::{self, NO_FREELIST};
use super::tree::{Plan, Shape};
use super::{Builder, Freelist, Image, Meta, Older, Rng, Role, Run, Spare, Trailer};
use sha2::{Digest, Sha256};

/// Writes the image.
pub fn build(builder: &Builder) -> Image {
    let mut layout = Layout::new(builder);
    layout.place(builder);
    layout.write(builder)
}

/// A run before and after it has its place.
enum Content {
    Node(usize),
    Raw { bytes: Vec<u8>, set_id: bool },
    Zero,
    FreelistOf { older: bool },
    EmptyLeaf,
}

struct Piece {
    content: Content,
    pages: u64,
    role: Role,
    pgid: u64,
}

struct Layout {
    plan: Plan,
    root: usize,
    older_root: Option<usize>,
    /// Which nodes each state uses.
    used: Vec<bool>,
    used_older: Vec<bool>,
    pieces: Vec<Piece>,
    high_water_mark: u64,
}

impl Layout {
    fn new(builder: &Builder) -> Self {
        let mut plan = Plan::new(Shape {
            endian: builder.endian,
            page_size: builder.page_size,
            fill_percent: builder.fill_percent,
        });
        let mut older_root = match &builder.older {
            Older::State(root) => Some(plan.add(root, &[])),
            Older::SameRoot | Older::Empty => None,
        };
        let newer = plan.nodes.len();
        let mut root = plan.add(&builder.buckets, &[]);
        root = plan.share(newer)[root];
        if matches!(builder.older, Older::SameRoot) {
            older_root = Some(root);
        }
        let mark = |root: Option<usize>, n: usize, plan: &Plan| {
            let mut used = vec![false; n];
            for i in root.map(|root| plan.reachable(root)).unwrap_or_default() {
                used[i] = true;
            }
            used
        };
        let n = plan.nodes.len();
        let mut used = mark(Some(root), n, &plan);
        let mut used_older = mark(older_root, n, &plan);
        let mut pieces: Vec<Piece> = Vec::new();
        for spare in &builder.spare {
            pieces.extend(spare_pieces(builder, spare, &mut plan));
        }
        used.resize(plan.nodes.len(), false);
        used_older.resize(plan.nodes.len(), false);
        for i in 0..n {
            if used[i] || used_older[i] {
                let role = if used[i] { Role::Tree } else { Role::OlderTree };
                pieces.push(piece(Content::Node(i), plan.nodes[i].pages, role));
            }
        }
        Self {
            plan,
            root,
            older_root,
            used,
            used_older,
            pieces,
            high_water_mark: 0,
        }
    }

    /// Sizes the freelists, orders the runs, and gives them their page ids.
    fn place(&mut self, builder: &Builder) {
        self.add_freelists(builder);
        if let Some(seed) = builder.scatter {
            Rng::new(seed).shuffle(&mut self.pieces);
        }
        if matches!(builder.older, Older::Empty) {
            let freelist = piece(Content::FreelistOf { older: true }, 1, Role::Freelist);
            let leaf = piece(Content::EmptyLeaf, 1, Role::OlderTree);
            self.pieces.splice(0..0, [freelist, leaf]);
        }
        let mut next = 2;
        for piece in &mut self.pieces {
            piece.pgid = next;
            next += piece.pages;
        }
        self.high_water_mark = next;
    }

    /// A freelist lists the other state's freelist too, so the two sizes are
    /// found together.
    fn add_freelists(&mut self, builder: &Builder) {
        if matches!(builder.freelist, Freelist::NotPersisted) {
            return;
        }
        let two = matches!(builder.older, Older::State(_));
        let count = |used: &[bool]| -> u64 {
            let unused = |p: &&Piece| !matches!(p.content, Content::Node(i) if used[i]);
            self.pieces.iter().filter(unused).map(|p| p.pages).sum()
        };
        // The two pages of the empty state are free in the current one.
        let empty_state = if matches!(builder.older, Older::Empty) {
            2
        } else {
            0
        };
        let (free, free_older) = (count(&self.used) + empty_state, count(&self.used_older));
        let pages = |ids: u64| {
            let len = page::freelist_len(ids as usize);
            len.div_ceil(builder.page_size) as u64
        };
        let (mut mine, mut other) = (1, u64::from(two));
        for _ in 0..8 {
            mine = match &builder.freelist {
                Freelist::Ids(ids) => pages(ids.len() as u64),
                _ => pages(free + other),
            };
            other = if two { pages(free_older + mine) } else { 0 };
        }
        let content = Content::FreelistOf { older: false };
        self.pieces.push(piece(content, mine, Role::Freelist));
        if two {
            let content = Content::FreelistOf { older: true };
            self.pieces.push(piece(content, other, Role::Freelist));
        }
    }

    /// Page ids which a state does not use.
    fn free(&self, older: bool) -> Vec<u64> {
        let used = if older { &self.used_older } else { &self.used };
        let mut ids = Vec::new();
        for piece in &self.pieces {
            let in_use = match piece.content {
                Content::Node(i) => used[i],
                Content::FreelistOf { older: of_older } => of_older == older,
                _ => false,
            };
            if !in_use {
                ids.extend(piece.pgid..piece.pgid + piece.pages);
            }
        }
        ids.sort_unstable();
        ids
    }

    fn write(&self, builder: &Builder) -> Image {
        let size = builder.page_size;
        let mut bytes = vec![0; self.high_water_mark as usize * size];
        let mut ids = vec![0; self.plan.nodes.len()];
        for piece in &self.pieces {
            if let Content::Node(i) = piece.content {
                ids[i] = piece.pgid;
            }
        }
        for piece in &self.pieces {
            let image = self.piece_image(builder, piece, &ids);
            let at = piece.pgid as usize * size;
            assert!(image.len() <= piece.pages as usize * size);
            bytes[at..at + image.len()].copy_from_slice(&image);
        }
        let (metas, current_meta) = self.metas(builder, &ids);
        for (i, meta) in metas.iter().enumerate() {
            let page = &mut bytes[i * size..(i + 1) * size];
            meta.put(builder.endian, page, i as u64);
        }
        bytes.extend_from_slice(&builder.tail);
        add_trailer(&mut bytes, builder.trailer);
        Image {
            bytes,
            endian: builder.endian,
            page_size: size,
            current_meta,
            metas,
            runs: self.pieces.iter().map(|piece| self.run(piece)).collect(),
            free: self.free(false),
        }
    }

    fn piece_image(&self, builder: &Builder, piece: &Piece, ids: &[u64]) -> Vec<u8> {
        let order = builder.endian;
        let overflow = (piece.pages - 1) as u32;
        match &piece.content {
            Content::Node(i) => self.plan.image(*i, ids),
            Content::Zero => Vec::new(),
            Content::EmptyLeaf => page::leaf_image(order, piece.pgid, 0, &[]),
            Content::Raw { bytes, set_id } => {
                let mut bytes = bytes.clone();
                if *set_id {
                    order.put_u64(&mut bytes, 0, piece.pgid);
                }
                bytes
            }
            Content::FreelistOf { older } => {
                let empty = matches!(builder.older, Older::Empty) && *older;
                let free = match &builder.freelist {
                    _ if empty => Vec::new(),
                    Freelist::Ids(given) if !older => given.clone(),
                    _ => self.free(*older),
                };
                page::freelist_image(order, piece.pgid, overflow, &free)
            }
        }
    }

    fn metas(&self, builder: &Builder, ids: &[u64]) -> ([Meta; 2], usize) {
        let find = |older: bool| {
            let is =
                |p: &&Piece| matches!(p.content, Content::FreelistOf { older: o } if o == older);
            self.pieces.iter().find(is).map_or(NO_FREELIST, |p| p.pgid)
        };
        let current = Meta {
            magic: page::MAGIC,
            version: 2,
            page_size: builder.page_size as u32,
            flags: 0,
            root: ids[self.root],
            sequence: 0,
            freelist: find(false),
            high_water_mark: self.high_water_mark,
            txid: builder.txid,
        };
        let mut older = current;
        older.txid = builder.txid.saturating_sub(1);
        let mut slot = (builder.txid % 2) as usize;
        match &builder.older {
            Older::SameRoot => slot = 0,
            Older::State(_) => {
                older.root = self.older_root.map_or(0, |root| ids[root]);
                older.freelist = find(true);
            }
            Older::Empty => {
                older.txid = 1 - slot as u64;
                (older.root, older.freelist) = (3, 2);
                older.high_water_mark = 4;
            }
        }
        let metas = if slot == 0 {
            [current, older]
        } else {
            [older, current]
        };
        (metas, slot)
    }

    fn run(&self, piece: &Piece) -> Run {
        let (path, level) = match piece.content {
            Content::Node(i) => (self.plan.nodes[i].path.clone(), self.plan.nodes[i].level),
            _ => (Vec::new(), 0),
        };
        Run {
            pgid: piece.pgid,
            pages: piece.pages,
            role: piece.role,
            path,
            level,
        }
    }
}

fn piece(content: Content, pages: u64, role: Role) -> Piece {
    Piece {
        content,
        pages,
        role,
        pgid: 0,
    }
}

fn spare_pieces(builder: &Builder, spare: &Spare, plan: &mut Plan) -> Vec<Piece> {
    match spare {
        Spare::Tree(bucket) => {
            let from = plan.nodes.len();
            plan.add(bucket, &[]);
            (from..plan.nodes.len())
                .map(|i| piece(Content::Node(i), plan.nodes[i].pages, Role::Stale))
                .collect()
        }
        Spare::Raw { bytes, set_id } => {
            let pages = bytes.len().div_ceil(builder.page_size).max(1) as u64;
            let content = Content::Raw {
                bytes: bytes.clone(),
                set_id: *set_id,
            };
            vec![piece(content, pages, Role::Stale)]
        }
        Spare::Zero(0) => Vec::new(),
        Spare::Zero(pages) => vec![piece(Content::Zero, *pages, Role::Free)],
    }
}

fn add_trailer(bytes: &mut Vec<u8>, trailer: Trailer) {
    let mut digest = Sha256::digest(&*bytes).to_vec();
    match trailer {
        Trailer::None => return,
        Trailer::Good => {}
        Trailer::Bad => digest[7] ^= 0x10,
        Trailer::Half => digest.truncate(16),
    }
    bytes.extend_from_slice(&digest);
}
