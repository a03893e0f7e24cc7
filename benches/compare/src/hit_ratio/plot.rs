//! Hit ratio against size, an SVG per trace.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use super::row::Row;
use crate::palette::colour;

const EXTENT: (u32, u32) = (900, 600);

/// A subject's line: capacity and hit ratio in %.
struct Curve {
    subject: &'static str,
    points: Vec<(f64, f64)>,
}

pub fn draw(folder: &Path, rows: &[Row]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for rows in rows.chunk_by(|one, other| one.trace == other.trace) {
        let path = folder.join(format!("{}.svg", rows[0].trace));
        chart(&path, rows).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn chart(path: &Path, rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(path, EXTENT).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = extent(rows);
    let mut chart = ChartBuilder::on(&area)
        .caption(&rows[0].trace, ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(45)
        .y_label_area_size(55)
        .build_cartesian_2d((left..right).log_scale().with_key_points(capacities(rows)), 0.0..top(rows))?;
    chart
        .configure_mesh()
        .x_desc(capacity_axis(rows))
        .x_label_formatter(&|capacity| short(*capacity))
        .y_desc("hit ratio, %")
        .draw()?;
    for (place, curve) in curves(rows).into_iter().enumerate() {
        let style = colour(place).stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.points, style).point_size(3))?
            .label(curve.subject)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(area.present()?)
}

fn capacity_axis(rows: &[Row]) -> &'static str {
    match rows[0].byte_hit_ratio {
        Some(_) => "capacity, bytes",
        None => "capacity, entries",
    }
}

fn capacities(rows: &[Row]) -> Vec<f64> {
    let mut capacities: Vec<_> = rows.iter().map(|row| row.capacity as f64).collect();
    capacities.dedup();
    capacities
}

/// From the smallest to the largest capacity; never nothing, or there is no scale.
fn extent(rows: &[Row]) -> (f64, f64) {
    let capacities = capacities(rows);
    let least = capacities.iter().copied().fold(f64::INFINITY, f64::min);
    let most = capacities.iter().copied().fold(0.0, f64::max);
    (least / 1.1, most * 1.1)
}

/// The next multiple of ten above every hit ratio.
fn top(rows: &[Row]) -> f64 {
    let most = rows.iter().map(|row| row.hit_ratio).fold(0.0, f64::max);
    ((most * 10.0).floor() + 1.0).min(10.0) * 10.0
}

/// 1.2 k, 3.4 M.
fn short(capacity: f64) -> String {
    match capacity {
        1e6.. => format!("{:.1} M", capacity / 1e6),
        1e3.. => format!("{:.1} k", capacity / 1e3),
        _ => format!("{capacity:.0}"),
    }
}

/// In the order of the rows.
fn curves(rows: &[Row]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for row in rows {
        let point = (row.capacity as f64, row.hit_ratio * 100.0);
        match curves.iter_mut().find(|curve| curve.subject == row.subject) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve { subject: row.subject, points: vec![point] }),
        }
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit_ratio::room::Percent;

    #[test]
    fn a_file_per_trace_with_a_line_per_subject() {
        let row = |trace: &str, subject, capacity| Row {
            trace: trace.into(),
            percent: Percent(1.0),
            capacity,
            subject,
            hit_ratio: 0.5,
            byte_hit_ratio: None,
        };
        let rows = [row("one", "a", 10), row("one", "b", 10), row("one", "a", 100), row("two", "a", 10)];
        let folder = tempfile::tempdir().unwrap();
        draw(folder.path(), &rows).unwrap();
        let svg = fs::read_to_string(folder.path().join("one.svg")).unwrap();
        assert!(svg.contains("hit ratio") && svg.matches("<polyline").count() >= 2);
        assert!(folder.path().join("two.svg").exists());
    }
}
