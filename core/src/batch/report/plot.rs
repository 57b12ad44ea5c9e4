//! Plots as inline SVG.

/// The size of the plotted area in pixels, and the room around it for the axes.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 22.0;

/// The points that a line has at most: more cannot be seen at this width.
const MAX_POINTS: usize = 420;
const BINS: usize = 24;

/// A curve of sums over time. Each curve has a class, which is its colour.
pub(super) fn sums(curves: &[(&str, Vec<(f64, f64)>)], x_unit: &str, y_unit: &str) -> String {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let x_max = points().map(|point| point.0).fold(0.0, f64::max);
    let sum = |points: &[(f64, f64)]| points.iter().map(|point| point.1).sum::<f64>();
    let y_max = curves.iter().map(|(_, points)| sum(points)).fold(0.0, f64::max);
    let mut content = String::new();
    for (class, points) in curves {
        let mut points = points.clone();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut total, mut path) = (0.0, format!("M{LEFT:.1} {HEIGHT:.1}"));
        let step = points.len().div_ceil(MAX_POINTS).max(1);
        for (n, (at, amount)) in points.iter().enumerate() {
            total += amount;
            if n % step == 0 || n + 1 == points.len() {
                let (x, y) = (x_of(*at, x_max), y_of(total, y_max));
                path += &format!("H{x:.1}V{y:.1}");
            }
        }
        path += &format!("H{:.1}", LEFT + WIDTH);
        content += &format!(r#"<path class="{class}" d="{path}"/>"#);
    }
    frame(&content, x_max, x_unit, y_max, y_unit)
}

/// How many values are in each of some intervals of the same length.
pub(super) fn histogram(values: &[f64], unit: &str) -> String {
    let max = values.iter().copied().fold(0.0, f64::max);
    let mut counts = [0_usize; BINS];
    for value in values {
        // A value that is the greatest, or no number, is in the last or first interval.
        let bin = (value / max * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0) as f64;
    let width = WIDTH / BINS as f64;
    let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, count)| {
        let (x, y) = (LEFT + bin as f64 * width, y_of(*count as f64, most));
        let (width, height) = (width - 1.0, HEIGHT - y);
        format!(r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#)
    });
    frame(&bars.collect::<String>(), max, unit, most, "")
}

fn x_of(value: f64, max: f64) -> f64 {
    LEFT + if max > 0.0 { WIDTH * value / max } else { 0.0 }
}

fn y_of(value: f64, max: f64) -> f64 {
    // Four pixels are left above the greatest value.
    HEIGHT - if max > 0.0 { (HEIGHT - 4.0) * value / max } else { 0.0 }
}

/// The axes, with what they begin and end with.
fn frame(content: &str, x_max: f64, x_unit: &str, y_max: f64, y_unit: &str) -> String {
    let (right, below) = (LEFT + WIDTH, HEIGHT + BOTTOM);
    let (x_max, y_max) = (number(x_max), number(y_max));
    format!(
        r#"<svg viewBox="0 0 {0} {below}" role="img"><path class="axis" d="M{LEFT} 0V{HEIGHT}H{right}"/>{content}<text x="{1}" y="10" text-anchor="end">{y_unit}{y_max}</text><text x="{1}" y="{HEIGHT}" text-anchor="end">0</text><text x="{LEFT}" y="{2}">0</text><text x="{right}" y="{2}" text-anchor="end">{x_max}{x_unit}</text></svg>"#,
        right + 4.0,
        LEFT - 6.0,
        HEIGHT + 15.0,
    )
}

/// A number with three digits or more.
fn number(value: f64) -> String {
    let decimals = if value >= 100.0 || value.fract() == 0.0 { 0 } else { 2 };
    let decimals = if value > 0.0 && value < 0.1 { 4 } else { decimals };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_rise_to_their_total() {
        let svg = sums(&[("completed", vec![(10.0, 1.0), (5.0, 3.0)])], " s", "");
        assert!(svg.contains("M52.0 150.0H262.0V40.5H472.0V4.0H472.0"), "{svg}");
        assert!(svg.contains(">10 s<") && svg.contains(">4<"), "{svg}");
        assert!(sums(&[("completed", Vec::new())], " s", "").contains(">0 s<"));
    }

    #[test]
    fn long_curves_have_few_points_and_the_whole_sum() {
        let points = (0..10_000).map(|n| (f64::from(n), 1.0)).collect();
        let svg = sums(&[("completed", points)], " s", "");
        assert!(svg.len() < 10_000 && svg.contains("H472.0V4.0H472.0"), "{}", svg.len());
    }

    #[test]
    fn a_histogram_counts_all_values() {
        let svg = histogram(&[1.0, 1.0, 24.0], " s");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains(r#"y="4.0""#) && svg.contains(r#"y="77.0""#), "{svg}");
        assert!(!histogram(&[0.0], " s").contains("NaN"));
        assert!(!histogram(&[], " s").contains("NaN"));
    }
}
