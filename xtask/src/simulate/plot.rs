//! The plot of the lag against the polls of a generation, both on logarithmic axes.

use std::fmt::Write as _;

use super::{Row, find, loads, spelled};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
/// The margins that the labels of the axes take.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 48.0;
const TOP: f64 = 16.0;
const RIGHT: f64 = 150.0;

const POLLS: (f64, f64) = (1.0, 60.0);
const LAG: (f64, f64) = (0.8, 130.0);

/// Where a value lies between two others, from 0 to 1.
fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    (value / low).ln() / (high / low).ln()
}

fn x(polls: f64) -> f64 {
    LEFT + share(polls, POLLS) * (WIDTH - LEFT - RIGHT)
}

fn y(lag: f64) -> f64 {
    HEIGHT - BOTTOM - share(lag, LAG) * (HEIGHT - BOTTOM - TOP)
}

/// A curve through the steady loads.
struct Curve {
    name: &'static str,
    color: &'static str,
    /// The polls of a generation, and the lag in seconds.
    points: Vec<(f64, f64)>,
}

pub(super) fn svg(rows: &[Row]) -> String {
    let steady: Vec<&Row> = loads(rows, "Sigma(0.5)")
        .into_iter()
        .filter(|row| row.load.starts_with("PerMinute"))
        .collect();
    let of = |who: &str| {
        let rows = steady.iter().filter_map(|row| find(rows, row, who));
        rows.map(|row| (row.polls, row.lag)).collect::<Vec<_>>()
    };
    let bound = steady.iter().filter_map(|row| Some((row.polls, row.bound?))).collect();
    let curves = [
        Curve { name: "in turn", color: "#b0b0b0", points: of("InTurn") },
        Curve { name: "evenly in turn", color: "#e08e2b", points: of("Evenly") },
        Curve { name: "this library", color: "#1f6fb4", points: of("Learned") },
        Curve { name: "bound", color: "#222222", points: bound },
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>The mean time from the end of a generation to \
         the poll that sees it, against the polls of a generation</title>\n<rect width=\"100%\" \
         height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    axes(&mut svg);
    for (nth, curve) in curves.iter().enumerate() {
        draw(&mut svg, curve, nth);
    }
    for row in steady.iter().filter_map(|row| find(rows, row, "InTurn")) {
        let (x, y) = (x(row.polls) + 8.0, y(row.lag) - 6.0);
        let name = spelled(&row.load);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"#606060\">{name}</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String) {
    for polls in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0] {
        let at = x(polls);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {TOP}V{:.1}\" stroke=\"#e6e6e6\"/><text x=\"{at:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{polls}</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 16.0,
        );
    }
    for lag in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
        let at = y(lag);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#e6e6e6\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{lag} s</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">polls of a generation</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 10.0,
    );
    let middle = f64::midpoint(TOP, HEIGHT - BOTTOM);
    let _ = writeln!(
        svg,
        "<text transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">mean lag</text>"
    );
}

fn draw(svg: &mut String, curve: &Curve, nth: usize) {
    let points = curve.points.iter().map(|(polls, lag)| format!("{:.1},{:.1}", x(*polls), y(*lag)));
    let points = points.collect::<Vec<_>>().join(" ");
    let color = curve.color;
    let dashes = if curve.name == "bound" { " stroke-dasharray=\"5 4\"" } else { "" };
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"{dashes}/>"
    );
    for (polls, lag) in &curve.points {
        let (x, y) = (x(*polls), y(*lag));
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
    }
    let (x, y) = (WIDTH - RIGHT + 16.0, TOP + 20.0 + 20.0 * nth as f64);
    let name = curve.name;
    let _ = writeln!(
        svg,
        "<path d=\"M{x:.1} {:.1}h22\" stroke=\"{color}\" stroke-width=\"2\"{dashes}/><text x=\"{:.1}\" \
         y=\"{y:.1}\">{name}</text>",
        y - 4.0,
        x + 28.0,
    );
}
