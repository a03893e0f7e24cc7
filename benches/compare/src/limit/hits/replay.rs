//! One cache, one stream of requests, one thread.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use weakmap::heap::Counting;

use super::requests::{Requests, Stream};
use crate::{
    allocator::Chosen,
    limit::subject::{Act, Cache, Room, Subject},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    pub subject: Subject,
    pub requests: Requests,
    /// The limit, or the capacity.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Bytes in use, the mean over the second half.
    pub live: u64,
    pub hit_ratio: f64,
    pub byte_hit_ratio: f64,
}

impl Replay {
    pub fn outcome(&self) -> Result<Kept> {
        let room = Room { bytes: self.bytes, mean: self.requests.mean()?, detected: false };
        Ok(self.subject.face(&room, Tally::new(self.requests.stream()?)))
    }
}

struct Tally {
    stream: Stream,
    live: u64,
    hits: u64,
    bytes: u64,
    hit_bytes: u64,
}

impl Tally {
    fn new(stream: Stream) -> Self {
        Self { stream, live: 0, hits: 0, bytes: 0, hit_bytes: 0 }
    }

    fn count(&mut self, hit: bool, bytes: usize) {
        self.bytes += bytes as u64;
        self.hits += u64::from(hit);
        self.hit_bytes += if hit { bytes as u64 } else { 0 };
    }

    fn kept(&self) -> Kept {
        let count = self.stream.0;
        Kept {
            live: self.live / (count - count / 2) as u64,
            hit_ratio: self.hits as f64 / count as f64,
            byte_hit_ratio: self.hit_bytes as f64 / self.bytes as f64,
        }
    }
}

impl Act for Tally {
    type Outcome = Kept;

    fn on(mut self, cache: &impl Cache) -> Kept {
        let half = self.stream.0 / 2;
        let mut at = 0;
        while let Some((key, bytes)) = self.stream.1.next() {
            let hit = cache.get(key);
            if !hit {
                cache.insert(key, bytes);
            }
            self.count(hit, bytes);
            self.live += if at < half { 0 } else { Counting::<Chosen>::live() };
            at += 1;
        }
        self.kept()
    }
}
