//! The heaviest chain of points: which times are believed if they contradict each other.

use std::cmp::Reverse;

use crate::k8s::anchors::Evidence;
use crate::wire::Reader;

use super::index_set::IndexSet;
use super::packed::Timed;

/// What an anchor counts in the chain: twice as much if no client can set its time.
pub(super) fn weight(evidence: Evidence) -> u32 {
    match evidence {
        Evidence::Created | Evidence::DeletionRequested => 4,
        Evidence::ManagedFields | Evidence::Floor => 2,
        Evidence::Received => 1,
    }
}

/// The heaviest subset of the points whose times never decrease.
///
/// For each point in turn, the heaviest chain that ends with it is the heaviest chain before it that ends at the same
/// or an earlier time, plus its own weight. A Fenwick tree over the times finds that maximum in log n steps. Each entry
/// has the index of the point before it, and at the end these are followed back from the heaviest chain.
///
/// Of equally heavy chains, the newest time is preferred before each step and the oldest time at the end. So a single
/// wrong time between two right ones is not on the chain.
pub(super) fn heaviest_chain(points: &[Timed]) -> IndexSet {
    let times = times_of(points);
    // For a range of times: the heaviest chain that ends in it.
    let mut tree: Vec<Chain> = vec![Chain::EMPTY; times.len().saturating_add(1)];
    let mut before = Predecessors::default();
    let mut best: Option<(u32, Reverse<u32>, u32)> = None;
    // The number of times up to that of the point.
    let mut rank = 1_usize;
    for (point, index) in points.iter().zip(0_u32..) {
        // Most points have the time of the point before them or the next one.
        let near = |rank: usize| times.get(rank.saturating_sub(1)) == Some(&point.time());
        if !near(rank) {
            rank = rank.saturating_add(1);
        }
        if !near(rank) {
            rank = times.partition_point(|time| *time <= point.time());
        }
        let (mut heaviest, mut at) = (Chain::EMPTY, rank);
        while at > 0 {
            heaviest = heaviest.max(tree.get(at).copied().unwrap_or(Chain::EMPTY));
            at &= at.saturating_sub(1);
        }
        before.push(index, heaviest);
        let weight = heaviest.weight.saturating_add(weight(point.evidence()));
        let (time, end) = (point.time(), index);
        let (chain, mut at) = (Chain { weight, time, end }, rank);
        while let Some(known) = tree.get_mut(at) {
            *known = chain.max(*known);
            at = at.saturating_add(at & at.wrapping_neg());
        }
        best = best.max(Some((weight, Reverse(time), end)));
    }
    drop(tree);
    let end = best.map(|(_, _, index)| index);
    IndexSet::new(points.len(), &mut before.chain_to(end, points.len()))
}

/// The different times, ascending.
fn times_of(points: &[Timed]) -> Vec<u32> {
    let mut times: Vec<u32> = Vec::new();
    for point in points {
        // Most points have the time of the point before them.
        if times.last() != Some(&point.time()) {
            times.push(point.time());
        }
    }
    times.sort_unstable();
    times.dedup();
    times.shrink_to_fit();
    times
}

/// A chain by its weight and its last point. The heavier chain is the greater one; of equally heavy ones that with the
/// newer end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Chain {
    /// 0 if it has no point.
    weight: u32,
    /// The time of the last point.
    time: u32,
    /// The index of the last point.
    end: u32,
}

impl Chain {
    const EMPTY: Self = Self {
        weight: 0,
        time: 0,
        end: 0,
    };
}

/// For each point: the point before it on the heaviest chain that ends with it. Most often that is the point before it
/// in the list, so a byte is enough for most.
#[derive(Debug, Default)]
struct Predecessors {
    /// The distances to these points as varints, each with its bytes in the reverse order; 0 for none.
    distances: Vec<u8>,
}

impl Predecessors {
    /// Adds the next point, and the chain that it continues.
    fn push(&mut self, index: u32, chain: Chain) {
        let distance = match chain.weight {
            0 => 0,
            _ => index.saturating_sub(chain.end),
        };
        let start = self.distances.len();
        prost::encoding::encode_varint(distance.into(), &mut self.distances);
        let added = self.distances.get_mut(start..);
        added.into_iter().for_each(<[u8]>::reverse);
    }

    /// The points of the chain that ends with a point, from its end. `count`: the number of points.
    fn chain_to(&mut self, end: Option<u32>, count: usize) -> impl Iterator<Item = usize> {
        self.distances.reverse();
        let mut reader = Reader::new(&self.distances);
        let mut next = end.and_then(|end| usize::try_from(end).ok());
        (0..count).rev().filter_map(move |index| {
            let distance = reader.varint().ok();
            (next == Some(index)).then(|| {
                let distance = distance.filter(|distance| *distance != 0);
                let distance = distance.and_then(|distance| usize::try_from(distance).ok());
                next = distance.and_then(|distance| index.checked_sub(distance));
                index
            })
        })
    }
}
