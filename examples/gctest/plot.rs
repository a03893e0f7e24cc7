//! Heap, limit and map size over time, as an SVG.

use crate::{
    bytes::Bytes,
    flags::Flags,
    recording::{Point, Recording},
};
use clap::ValueEnum;
use plotters::prelude::*;
use std::{
    error::Error,
    fs::File,
    io::{self, Write},
    path::Path,
};

const SIZE: (u32, u32) = (960, 540);
const HEAP: RGBColor = RGBColor(31, 119, 180);
const LIMIT: RGBColor = RGBColor(214, 39, 40);
const ENTRIES: RGBColor = RGBColor(255, 127, 14);

/// The file that a plot will be in.
pub struct Plot(File);

impl Plot {
    pub fn create(path: &Path) -> io::Result<Self> {
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        File::create(path).map(Self).map_err(told)
    }

    pub fn draw(mut self, flags: &Flags, recording: &Recording) -> Result<(), Box<dyn Error>> {
        let mut svg = String::new();
        chart(&mut svg, flags, recording.trace())?;
        Ok(self.0.write_all(svg.as_bytes())?)
    }
}

fn chart(svg: &mut String, flags: &Flags, trace: &[Point]) -> Result<(), Box<dyn Error>> {
    let (seconds, limit) = (flags.duration.as_secs_f64(), flags.memlimit as f64);
    let heap = 0.0..most(trace, |point| point.live).max(limit) * 1.1;
    // Stretched, so that the curve does not lie on the heap's.
    let entries = 0.0..most(trace, |point| point.entries).max(1.0) * 1.5;
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(caption(flags), ("sans-serif", 18))
        .margin(16)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .set_label_area_size(LabelAreaPosition::Left, 80)
        .set_label_area_size(LabelAreaPosition::Right, 80)
        .build_cartesian_2d(0.0..seconds, heap)?
        .set_secondary_coord(0.0..seconds, entries);
    let bytes = |y: &f64| Bytes(*y as u64).to_string();
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().light_line_style(TRANSPARENT).x_desc("seconds").y_label_formatter(&bytes).draw()?;
    chart.configure_secondary_axes().y_desc("entries").y_label_formatter(&|y| format!("{y:.0}")).draw()?;

    let over_time =
        |of: fn(&Point) -> u64| trace.iter().map(move |point| (point.at.as_secs_f64(), of(point) as f64));
    let entries = LineSeries::new(over_time(|point| point.entries), ENTRIES);
    chart.draw_secondary_series(entries)?.label("map size").legend(|at| key(at, ENTRIES));
    let heap = LineSeries::new(over_time(|point| point.live), HEAP.stroke_width(2));
    chart.draw_series(heap)?.label("heap").legend(|at| key(at, HEAP));
    let line = LineSeries::new([(0.0, limit), (seconds, limit)], LIMIT);
    chart.draw_series(line)?.label("limit").legend(|at| key(at, LIMIT));

    let labels = &mut chart.configure_series_labels();
    labels.position(SeriesLabelPosition::LowerRight).background_style(WHITE).border_style(BLACK).draw()?;
    drop(chart);
    Ok(area.present()?)
}

fn caption(flags: &Flags) -> String {
    let law = flags.law.to_possible_value().expect("none is skipped");
    let (size, pause) = (Bytes(flags.allocsize), humantime::format_duration(flags.pause));
    format!("law {}, values of {size}, pause {pause}, threads {}", law.get_name(), flags.threads)
}

fn most(trace: &[Point], of: impl Fn(&Point) -> u64) -> f64 {
    trace.iter().map(of).max().unwrap_or(0) as f64
}

fn key((x, y): (i32, i32), color: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
}
