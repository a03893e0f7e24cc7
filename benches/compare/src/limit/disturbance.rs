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
    let end = End(start + stage.span);
    while !end.left().is_zero() {
        match stage.load.disturbance() {
            Disturbance::None => end.sleep(stage.span),
            Disturbance::Taken(span) => take(stage, span, end),
            Disturbance::Pinned { span, every } => {
                cache.hold_back(span.min(end.left()));
                end.sleep(every - span);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct End(Instant);

impl End {
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Not beyond it.
    fn sleep(self, span: Duration) {
        sleep(span.min(self.left()));
    }
}

/// Half of the room for so long, in steps; then nothing for as long.
fn take(stage: &Stage, span: Duration, end: End) {
    let step = stage.room.bytes / 2 / STEPS;
    let mut blocks = Vec::new();
    for _ in 0..STEPS {
        blocks.push(vec![1u8; step as usize]);
        stage.taken.fetch_add(step, Relaxed);
        end.sleep(STEP);
    }
    end.sleep(span);
    drop(blocks);
    stage.taken.store(0, Relaxed);
    end.sleep(span);
}
