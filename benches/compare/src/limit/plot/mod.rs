//! Heap against limit over time, a line for each law and peer, while the program itself takes half of the limit and gives
//! it back.

mod labels;

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow};
use plotters::{coord::types::RangedCoordf64, prelude::*};

use super::{
    job::{self, Job, Run},
    load::Load,
    recording::Point,
    stage::Outcome,
    subject::Subject,
};
use crate::allocator::Allocator;

const LIMIT: u64 = 64 << 20;
const EXTENT: (u32, u32) = (1000, 480);
/// Of the time: in the last moments everything is given back.
const LOADED: f64 = 0.99;
const FONT: &str = "sans-serif";
const GREY: RGBColor = RGBColor(120, 120, 120);

/// Ours last: drawn above the others.
const CURVES: [(Subject, RGBColor, u32); 5] = [
    (Subject::EveryPass, RGBColor(200, 160, 60), 2),
    (Subject::Proportional, RGBColor(110, 155, 110), 2),
    (Subject::QuickCache, RGBColor(150, 110, 190), 2),
    (Subject::Moka, RGBColor(205, 95, 85), 2),
    (Subject::Weakmap, RGBColor(25, 95, 190), 3),
];

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub fn draw(path: &Path, span: Duration) -> Result<()> {
    let traces = CURVES.iter().map(|(subject, ..)| measure(*subject, span)).collect::<Result<Vec<_>>>()?;
    chart(path, &traces).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Its time begins when the cache is full.
fn measure(subject: Subject, span: Duration) -> Result<Vec<Point>> {
    let run = Run::new(subject, Load::Step, LIMIT, span);
    let Outcome { fill, mut recording, .. } = job::run(&Job::Load(run), Allocator::Glibc)?;
    recording.trace.iter_mut().for_each(|point| point.at -= fill as f32);
    Ok(recording.trace)
}

fn label(subject: Subject) -> &'static str {
    match subject {
        Subject::EveryPass => "weakmap, Law::EveryPass",
        Subject::Proportional => "weakmap, Law::Proportional",
        Subject::QuickCache => "quick_cache, capacity = limit",
        Subject::Moka => "moka, capacity = limit",
        other => other.name(),
    }
}

/// In % of the limit.
fn share(bytes: u64) -> f64 {
    bytes as f64 / LIMIT as f64 * 100.0
}

fn chart(path: &Path, traces: &[Vec<Point>]) -> Drawn {
    let area = SVGBackend::new(path, EXTENT).into_drawing_area();
    area.fill(&WHITE)?;
    let ends = traces.iter().filter_map(|trace| Some(f64::from(trace.last()?.at)));
    let end = ends.fold(f64::INFINITY, f64::min) * LOADED;
    let starts = traces.iter().filter_map(|trace| Some(f64::from(trace.first()?.at)));
    let start = starts.fold(0.0, f64::min);
    let most = traces.iter().flatten().map(|point| share(point.live)).fold(100.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .margin_right(labels::WIDTH)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(start..end, 0.0..(most / 10.0).ceil() * 10.0)?;
    mesh(&mut chart)?;
    taken(&mut chart, traces.last().map_or(&[], Vec::as_slice), end)?;
    chart.draw_series(DashedLineSeries::new([(start, 100.0), (end, 100.0)], 6, 4, BLACK.stroke_width(1)))?;
    for ((_, colour, width), trace) in CURVES.iter().zip(traces) {
        let points = trace.iter().map(|point| (f64::from(point.at), share(point.live)));
        let seen = points.take_while(|(at, _)| *at <= end);
        chart.draw_series(LineSeries::new(seen, colour.stroke_width(*width)))?;
    }
    labels::draw(&area, &chart, traces, end)?;
    Ok(area.present()?)
}

fn mesh(chart: &mut Chart) -> Drawn {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(232, 232, 232))
        .axis_style(GREY)
        .label_style((FONT, 14))
        .x_desc("seconds since it was full")
        .y_desc("heap in use, % of the limit")
        .x_label_formatter(&|at| format!("{}", (at * 10.0).round() / 10.0))
        .y_label_formatter(&|used| format!("{used:.0}"))
        .draw()?;
    Ok(())
}

/// What the program itself holds, as an area at the bottom.
fn taken(chart: &mut Chart, trace: &[Point], end: f64) -> Drawn {
    let points = trace.iter().map(|point| (f64::from(point.at), share(point.taken)));
    let seen = points.take_while(|(at, _)| *at <= end);
    chart.draw_series(AreaSeries::new(seen, 0.0, RGBColor(225, 225, 225)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_and_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heap.svg");
        let point = |at, live| Point { at, live: LIMIT / 100 * live, taken: LIMIT / 2 };
        let traces =
            [30, 90, 95, 120, 96].map(|used| vec![point(0.0, 0), point(1.0, used), point(2.0, used)]);
        chart(&file, &traces).unwrap();
        let svg = std::fs::read_to_string(file).unwrap();
        for (subject, ..) in CURVES {
            assert!(svg.contains(label(subject)), "{svg}");
        }
        assert!(svg.contains("the limit") && svg.matches("<polyline").count() >= CURVES.len());
    }
}
