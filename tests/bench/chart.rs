//! Draws the ratios as bars, in SVG. The same figures give the same picture.

use std::fmt::Write as _;

use crate::programs::Build;
use crate::report::{Figure, Unit};

/// The picture has its own background, as those of the terminal: it is readable on a light and on a dark page.
const STYLE: &str = "
.card { fill: #1b1f27; stroke: #56606f }
text { font: 14px -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif; fill: #d5dae2 }
.title { font-size: 16px; font-weight: bold; fill: #ffffff }
.small { font-size: 12px; fill: #98a2b3; stroke: #1b1f27; stroke-width: 4px; paint-order: stroke }
.middle { text-anchor: middle }
.end { text-anchor: end }
.grid { stroke: #333b47 }
.git { stroke: #f2cc60; stroke-dasharray: 5 4 }
.yellow { fill: #f2cc60 }
.musl { fill: #7fb4ff }
.gnu { fill: #6bd68a }
";
const WIDTH: f64 = 860.0;
/// Where the bars begin, and how long one of ratio 1 is, in pixels.
const LEFT: f64 = 270.0;
const UNIT: f64 = 400.0;
/// The longest bar that fits; a longer one ends there, and its number tells the rest.
const LONGEST: f64 = 1.3;
const TOP: f64 = 96.0;
const BAR: f64 = 14.0;
const ROW: f64 = 46.0;

/// One row for each ratio of times.
pub fn draw(figures: &[Figure]) -> String {
    let rows: Vec<&Figure> = figures
        .iter()
        .filter(|figure| figure.unit == Unit::Ratio)
        .collect();
    #[allow(clippy::cast_precision_loss)]
    let bottom = TOP + rows.len() as f64 * ROW;
    let height = bottom + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>Time of git-credential-pat over the time of git's own helper</title>\n<style>{STYLE}</style>\n"
    );
    let card = format!("width=\"{}\" height=\"{}\"", WIDTH - 1.0, height - 1.0);
    writeln!(
        svg,
        "<rect class=\"card\" x=\"0.5\" y=\"0.5\" {card} rx=\"8\"/>"
    )
    .unwrap();
    text(
        &mut svg,
        "title",
        24.0,
        34.0,
        "Time of git-credential-pat, as a part of the time of git's own helper",
    );
    legend(&mut svg);
    axis(&mut svg, bottom);
    let mut y = TOP;
    for figure in rows {
        text(&mut svg, "end", LEFT - 12.0, y + 20.0, figure.name);
        bar(&mut svg, "musl", y, figure.value(Build::Musl));
        bar(&mut svg, "gnu", y + BAR + 2.0, figure.value(Build::Gnu));
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let mut x = 24.0;
    for build in [Build::Musl, Build::Gnu] {
        let name = build.name();
        writeln!(
            svg,
            "<rect class=\"{name}\" x=\"{x}\" y=\"50\" width=\"12\" height=\"12\" rx=\"2\"/>"
        )
        .unwrap();
        text(svg, "", x + 18.0, 61.0, build.label());
        x += 120.0;
    }
    text(
        svg,
        "small",
        x,
        61.0,
        "shorter is faster; git's own helper = 1",
    );
}

fn axis(svg: &mut String, bottom: f64) {
    for step in 0..=4 {
        let part = f64::from(step) * 0.25;
        let (x, class) = (LEFT + UNIT * part, if step == 4 { "git" } else { "grid" });
        let from = TOP - 8.0;
        writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{bottom}\"/>"
        )
        .unwrap();
        text(svg, "small middle", x, bottom + 18.0, &format!("{part}"));
    }
    text(svg, "small yellow middle", LEFT + UNIT, TOP - 14.0, "git");
}

fn bar(svg: &mut String, class: &str, y: f64, value: Option<f64>) {
    let Some(value) = value else { return };
    let width = value.min(LONGEST) * UNIT;
    writeln!(svg, "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>").unwrap();
    text(
        svg,
        "small",
        LEFT + width + 6.0,
        y + 12.0,
        &format!("{value:.2}"),
    );
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
    )
    .unwrap();
}
