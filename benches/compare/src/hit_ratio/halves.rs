//! Two threads against one: the halves of a trace replayed at the same time into one map.
//!
//! One thread takes a request of each half in turn; two threads take a half each, as they come. What two threads lose is what
//! races cost the policy: uses that overwrite each other, sweeps that find another thread sweeping.

use std::thread;

use anyhow::Result;

use super::{
    Options,
    room::{self, Room},
    source,
    trace::Trace,
    weakmap::{Map, access, capped},
};
use crate::progress::Progress;

/// Prints a line per trace and size, and the mean.
pub fn run(options: &Options) -> Result<()> {
    let sources = source::pick(options)?;
    let progress = Progress::new(sources.len() * options.percents().len());
    let mut rows: Vec<[f64; 2]> = Vec::new();
    println!("{:<24} {:>10} {:>11} {:>6}", "trace@size", "one thread", "two threads", "lost");
    for source in sources {
        let trace = source.load(false)?;
        for room in room::rooms(&trace, &options.percents()) {
            progress.step(&trace.name, "halves");
            let row = measure(&trace, &room);
            print(&format!("{}@{}", trace.name, room.capacity), row);
            rows.push(row);
        }
    }
    let mean = |which: usize| rows.iter().map(|row| row[which]).sum::<f64>() / rows.len() as f64;
    print("mean", [mean(0), mean(1)]);
    Ok(())
}

fn print(name: &str, [one, two]: [f64; 2]) {
    println!("{name:<24} {one:>10.2} {two:>11.2} {:>6.2}", one - two);
}

/// Hit ratios in %, of one thread and of two.
fn measure(trace: &Trace, room: &Room) -> [f64; 2] {
    let (first, second) = trace.keys.split_at(trace.keys.len() / 2);
    let hits = [
        in_turn(&capped(room, Default::default()), first, second),
        at_once(&capped(room, Default::default()), first, second),
    ];
    hits.map(|hits| 100.0 * hits as f64 / trace.keys.len() as f64)
}

fn in_turn(map: &Map, first: &[u32], second: &[u32]) -> usize {
    let pairs = first.iter().zip(second);
    let last = second.last().filter(|_| second.len() > first.len());
    pairs.flat_map(|(one, other)| [one, other]).chain(last).filter(|key| access(map, **key, 1)).count()
}

fn at_once(map: &Map, first: &[u32], second: &[u32]) -> usize {
    let replay = |half: &[u32]| half.iter().filter(|key| access(map, **key, 1)).count();
    thread::scope(|scope| {
        let other = scope.spawn(|| replay(second));
        replay(first) + other.join().expect("a replay does not panic")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit_ratio::room::Percent;

    #[test]
    fn a_map_with_room_for_all_misses_each_key_once() {
        let trace = Trace::new("t", (0..1001).map(|n| n % 10).collect(), None).unwrap();
        let room = Room { percent: Percent(100.0), capacity: 10, entries: 10, sized: false };
        let [one, two] = measure(&trace, &room);
        assert_eq!(one, 100.0 * 991.0 / 1001.0);
        assert!((one - two).abs() < 1.1, "both threads may miss the same key at once: {one}, {two}");
    }
}
