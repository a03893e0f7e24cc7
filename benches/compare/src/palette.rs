//! The colours of plots.

use plotters::style::{Color, HSLColor, RGBColor};

/// Hues a golden section apart, dark and light in turn: neighbours differ, however many there are.
pub fn colour(place: usize) -> RGBColor {
    let hue = (place as f64 * 0.618_034).fract();
    let lightness = if place.is_multiple_of(2) { 0.35 } else { 0.5 };
    let (red, green, blue) = HSLColor(hue, 0.75, lightness).rgb();
    RGBColor(red, green, blue)
}
