//! What else goes on beside a load.

use std::{
    sync::atomic::Ordering::Relaxed,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{load::Disturbance, stage::Stage, subject::Cache};

/// Steps in which memory is taken, a millisecond each.
const STEPS: u64 = 30;
const STEP: Duration = Duration::from_millis(1);

/// Until the load's time is over.
pub fn disturb(stage: &Stage, cache: &impl Cache, start: Instant) {
    let left = || stage.span.saturating_sub(start.elapsed());
    while !left().is_zero() {
        match stage.load.disturbance() {
            Disturbance::None => sleep(left()),
            Disturbance::Taken(span) => take(stage, span.min(left())),
            Disturbance::Pinned { span, every } => {
                cache.hold_back(span.min(left()));
                sleep((every - span).min(left()));
            }
        }
    }
}

/// Half of the room for so long, in steps; then nothing for as long.
fn take(stage: &Stage, span: Duration) {
    let step = stage.room.bytes / 2 / STEPS;
    let mut blocks = Vec::new();
    for _ in 0..STEPS {
        blocks.push(vec![1u8; step as usize]);
        stage.taken.fetch_add(step, Relaxed);
        sleep(STEP);
    }
    sleep(span);
    drop(blocks);
    stage.taken.store(0, Relaxed);
    sleep(span);
}
