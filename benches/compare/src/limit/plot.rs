//! Heap against limit over time, a line for each law and peer.

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow};
use plotters::{coord::types::RangedCoordf64, prelude::*};

use super::{
    job::{self, Job, Run},
    load::Load,
    stage::Outcome,
    subject::Subject,
};
use crate::allocator::Allocator;

const LIMIT: u64 = 64 << 20;
const EXTENT: (u32, u32) = (960, 480);
const FONT: &str = "sans-serif";

/// Ours last: drawn above the others.
const CURVES: [(Subject, RGBColor, u32); 5] = [
    (Subject::EveryPass, RGBColor(200, 160, 60), 2),
    (Subject::Proportional, RGBColor(120, 160, 120), 2),
    (Subject::QuickCache, RGBColor(150, 110, 190), 2),
    (Subject::Moka, RGBColor(205, 95, 85), 2),
    (Subject::Weakmap, RGBColor(25, 95, 190), 3),
];

/// Seconds, and % of the limit.
type Points = Vec<(f64, f64)>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub fn draw(path: &Path, span: Duration) -> Result<()> {
    let curves = CURVES.iter().map(|(subject, ..)| measure(*subject, span)).collect::<Result<Vec<_>>>()?;
    chart(path, &curves).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn measure(subject: Subject, span: Duration) -> Result<Points> {
    let run = Run::new(subject, Load::Bursty, LIMIT, span);
    let outcome: Outcome = job::run(&Job::Load(run), Allocator::Glibc)?;
    let point = |&(at, live): &(f32, u64)| (f64::from(at), live as f64 / LIMIT as f64 * 100.0);
    Ok(outcome.recording.trace.iter().map(point).collect())
}

fn label(subject: Subject) -> &'static str {
    match subject {
        Subject::EveryPass => "weakmap, Law::EveryPass (the Go package's)",
        Subject::Proportional => "weakmap, Law::Proportional",
        Subject::QuickCache => "quick_cache, capacity = limit",
        Subject::Moka => "moka, capacity = limit",
        _ => "weakmap",
    }
}

fn chart(path: &Path, curves: &[Points]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, EXTENT).into_drawing_area();
    area.fill(&WHITE)?;
    let ends = curves.iter().filter_map(|points| Some(points.last()?.0));
    let end = ends.fold(f64::INFINITY, f64::min);
    let most = curves.iter().flatten().map(|(_, used)| *used).fold(100.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..(most / 10.0).ceil() * 10.0)?;
    mesh(&mut chart)?;
    limit(&mut chart, end)?;
    for ((subject, colour, width), points) in CURVES.iter().zip(curves) {
        curve(&mut chart, label(*subject), colour.stroke_width(*width), points)?;
    }
    legend(&mut chart)?;
    Ok(area.present()?)
}

fn mesh(chart: &mut Chart) -> Result<(), Box<dyn std::error::Error>> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(RGBColor(120, 120, 120))
        .label_style((FONT, 14))
        .x_desc("seconds")
        .y_desc("heap in use, % of the limit")
        .y_label_formatter(&|used| format!("{used:.0}"))
        .draw()?;
    Ok(())
}

fn limit(chart: &mut Chart, end: f64) -> Result<(), Box<dyn std::error::Error>> {
    let style = BLACK.stroke_width(1);
    chart
        .draw_series(DashedLineSeries::new([(0.0, 100.0), (end, 100.0)], 6, 4, style))?
        .label("the limit")
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
    Ok(())
}

fn curve(
    chart: &mut Chart,
    label: &str,
    style: ShapeStyle,
    points: &Points,
) -> Result<(), Box<dyn std::error::Error>> {
    chart
        .draw_series(LineSeries::new(points.iter().copied(), style))?
        .label(label)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
    Ok(())
}

fn legend<'a>(chart: &mut Chart<'a, 'a>) -> Result<(), Box<dyn std::error::Error>> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .margin(16)
        .legend_area_size(30)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font((FONT, 14))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_and_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heap.svg");
        let curves = [100.0, 90.0, 95.0, 120.0, 96.0].map(|used| vec![(0.0, 0.0), (1.0, used), (2.0, used)]);
        chart(&file, &curves).unwrap();
        let svg = std::fs::read_to_string(file).unwrap();
        for (subject, ..) in CURVES {
            assert!(svg.contains(label(subject)), "{svg}");
        }
        assert!(svg.contains("the limit") && svg.matches("<polyline").count() >= CURVES.len());
    }
}
