//! What an ideal cache would have had to evict: all of whose memory is values, and none of it ever idle.

pub struct Need {
    room: u64,
    made: u64,
    kept: u64,
    evicted: u64,
}

impl Need {
    pub fn new(room: u64) -> Self {
        Self { room, made: 0, kept: 0, evicted: 0 }
    }

    /// So many bytes of values were made so far, and so many the program has taken itself.
    pub fn follow(&mut self, made: u64, taken: u64) {
        self.kept += made - self.made;
        self.made = made;
        let excess = self.kept.saturating_sub(self.room.saturating_sub(taken));
        self.kept -= excess;
        self.evicted += excess;
    }

    /// By which share of the need more was evicted.
    pub fn exceeded_by(&self, evicted: u64) -> f64 {
        evicted as f64 / self.evicted.max(1) as f64 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes() {
        let mut need = Need::new(100);
        need.follow(80, 0);
        assert_eq!(need.evicted, 0);
        need.follow(150, 0);
        assert_eq!(need.evicted, 50);
        // Half is taken, and given back: what had to go does not come back.
        need.follow(150, 50);
        need.follow(150, 0);
        assert_eq!((need.evicted, need.kept), (100, 50));
        need.follow(210, 0);
        assert_eq!(need.evicted, 110);
        assert_eq!(need.exceeded_by(121), 121.0 / 110.0 - 1.0);
    }
}
