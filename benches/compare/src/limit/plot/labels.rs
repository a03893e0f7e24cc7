//! Names beside the lines, at the height where each runs, kept apart.

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{CURVES, Chart, Drawn, FONT, GREY, LIMIT, Point, label, share};

/// Of the margin, in pixels.
pub const WIDTH: i32 = 230;
const HEIGHT: i32 = 19;
const SIZE: i32 = 15;

struct Label {
    text: &'static str,
    colour: RGBColor,
    /// Pixels from the top.
    y: i32,
}

pub fn draw(area: &DrawingArea<SVGBackend, Shift>, chart: &Chart, traces: &[Vec<Point>], end: f64) -> Drawn {
    let at = |height| chart.backend_coord(&(end, height));
    let lines = CURVES
        .iter()
        .zip(traces)
        .map(|((subject, colour, _), trace)| (label(*subject), *colour, height(trace, end)));
    let taken =
        share(traces.last().and_then(|trace| trace.iter().map(|point| point.taken).max()).unwrap_or(0)) / 2.0;
    let others = [("the limit", BLACK, share(LIMIT)), ("taken by the program itself", GREY, taken)];
    let labels = lines.chain(others).map(|(text, colour, height)| Label { text, colour, y: at(height).1 });
    for Label { text, colour, y } in spread(labels.collect()) {
        let style = (FONT, SIZE).into_font().color(&colour).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(text, (at(0.0).0 + 10, y), style))?;
    }
    Ok(())
}

/// Where a line runs at its end: the mean over the last tenth of the time.
fn height(trace: &[Point], end: f64) -> f64 {
    let last = trace.iter().filter(|point| (0.9 * end..=end).contains(&f64::from(point.at)));
    let heights: Vec<_> = last.map(|point| share(point.live)).collect();
    heights.iter().sum::<f64>() / heights.len().max(1) as f64
}

/// From the top down; what would overlap moves up together.
fn spread(mut labels: Vec<Label>) -> Vec<Label> {
    labels.sort_by_key(|label| label.y);
    for at in (0..labels.len().saturating_sub(1)).rev() {
        labels[at].y = labels[at].y.min(labels[at + 1].y - HEIGHT);
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap() {
        let labels = [100, 300, 95, 98].map(|y| Label { text: "", colour: BLACK, y });
        let spread: Vec<_> = spread(labels.into()).iter().map(|label| label.y).collect();
        assert_eq!(spread, [62, 81, 100, 300]);
    }
}
