//! Cells as SVGs: against threads, and against entries.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use super::{cell::Cell, label::Label};
use crate::palette::colour;

const EXTENT: (u32, u32) = (900, 600);

/// What the horizontal axis says.
#[derive(Clone, Copy)]
enum Axis {
    Threads,
    Entries,
}

impl Axis {
    fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Entries => "entries",
        }
    }

    fn place(self, label: &Label) -> Option<usize> {
        match self {
            Self::Threads => label.threads,
            Self::Entries => label.entries,
        }
    }

    /// What stays the same along the axis.
    fn rest(self, label: &Label) -> Label {
        match self {
            Self::Threads => Label { threads: None, ..label.clone() },
            Self::Entries => Label { entries: None, ..label.clone() },
        }
    }
}

/// Cells that differ along one axis alone.
struct Chart<'a> {
    axis: Axis,
    rest: Label,
    cells: Vec<&'a Cell>,
}

/// Draws what has two points or more.
pub fn draw(folder: &Path, bench: &str, cells: &[Cell]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for chart in [Axis::Threads, Axis::Entries].into_iter().flat_map(|axis| charts(cells, axis)) {
        let title = format!("{bench} {}", chart.rest);
        let file = format!("{}-by-{}.svg", title.replace([' ', '/'], "-"), chart.axis.name());
        let path = folder.join(file);
        chart.draw(&path, &title).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn charts(cells: &[Cell], axis: Axis) -> Vec<Chart<'_>> {
    let mut charts: Vec<Chart> = Vec::new();
    for cell in cells.iter().filter(|cell| axis.place(&cell.label).is_some()) {
        let rest = axis.rest(&cell.label);
        match charts.iter_mut().find(|chart| chart.rest == rest) {
            Some(chart) => chart.cells.push(cell),
            None => charts.push(Chart { axis, rest, cells: vec![cell] }),
        }
    }
    charts.retain(|chart| chart.places().len() > 1);
    charts
}

impl Chart<'_> {
    fn places(&self) -> Vec<f64> {
        self.cells.iter().filter_map(|cell| self.axis.place(&cell.label)).map(|place| place as f64).collect()
    }

    fn subjects(&self) -> impl Iterator<Item = &'static str> {
        self.cells[0].samples.iter().map(|(subject, _)| *subject)
    }

    fn points(&self, subject: &str) -> Vec<(f64, f64)> {
        let point = |(place, cell): (f64, &&Cell)| Some((place, cell.median(subject)? / self.scale().0));
        self.places().into_iter().zip(&self.cells).filter_map(point).collect()
    }

    /// What the numbers are divided by, and their unit then.
    fn scale(&self) -> (f64, &'static str) {
        match self.rest.unit {
            "ops/s" => (1e6, "million operations a second"),
            unit => (1.0, unit),
        }
    }

    fn top(&self) -> f64 {
        let heights = self.subjects().flat_map(|subject| self.points(subject)).map(|point| point.1);
        heights.fold(f64::MIN_POSITIVE, f64::max) * 1.05
    }

    fn extent(&self) -> (f64, f64) {
        let places = self.places();
        let least = places.iter().copied().fold(f64::INFINITY, f64::min);
        let most = places.iter().copied().fold(0.0, f64::max);
        (least / 1.1, most * 1.1)
    }

    fn draw(&self, path: &Path, title: &str) -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::new(path, EXTENT).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = self.extent();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(45)
            .y_label_area_size(65)
            .build_cartesian_2d((left..right).log_scale().with_key_points(self.places()), 0.0..self.top())?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.axis.name())
            .y_desc(self.scale().1)
            .x_label_formatter(&|place| format!("{place:.0}"));
        mesh.draw()?;
        for (place, subject) in self.subjects().enumerate() {
            let style = colour(place).stroke_width(2);
            chart
                .draw_series(LineSeries::new(self.points(subject), style).point_size(3))?
                .label(subject)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        let mut legend = chart.configure_series_labels();
        legend.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8)).border_style(BLACK);
        legend.draw()?;
        Ok(area.present()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(entries: usize, threads: usize) -> Cell {
        let label = Label::new("uniform", "ops/s").entries(entries).threads(threads);
        Cell { label, samples: vec![("a", vec![1e6]), ("b", vec![2e6])] }
    }

    #[test]
    fn a_file_where_there_are_two_points() {
        let folder = tempfile::tempdir().unwrap();
        draw(folder.path(), "lookup", &[cell(10, 1), cell(10, 2), cell(1_000, 1)]).unwrap();
        let mut files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["lookup-uniform-10-by-threads.svg", "lookup-uniform-t1-by-entries.svg"]);
        let svg = fs::read_to_string(folder.path().join(&files[0])).unwrap();
        assert!(svg.contains("million operations") && svg.matches("<polyline").count() >= 2);
    }
}
