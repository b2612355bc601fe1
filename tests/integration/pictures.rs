//! The pictures in `docs/images`: each SVG shows what the program prints in its script (`docs/images/*.txt`) now.
//!
//! `UPDATE_PICTURES=1 cargo test --locked --test integration -- pictures`, or `docs/images/make`, draws them anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::marks::{name, style};
use crate::script::Script;

/// The colours of the window, which has its own background: so a picture is readable on a light and on a dark page.
const STYLE: &str = "
.window { fill: #1b1f27; stroke: #56606f }
text { font: 15px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d5dae2; white-space: pre }
.title { font-family: sans-serif; font-size: 13px; fill: #98a2b3; text-anchor: middle }
.prompt { fill: #7fb4ff; font-weight: bold }
.typed { font-weight: bold; fill: #ffffff }
.bold { font-weight: bold }
.dim, .grey { fill: #98a2b3 }
.red { fill: #ff7b72 }
.green { fill: #6bd68a }
.yellow { fill: #f2cc60 }
.blue { fill: #7fb4ff }
.magenta { fill: #d2a8ff }
.cyan { fill: #6fd3e3 }
";
/// The width of a letter and the height of a line, in pixels.
const LETTER: usize = 9;
const LINE: usize = 21;
const MARGIN: usize = 16;
const BAR: usize = 34;

/// A letter on the screen, and the classes of its style.
type Cell = (char, String);

/// The lines of a terminal so many columns wide after `text`: a carriage return begins the line again, colours become classes.
fn screen(text: &str, columns: usize) -> Vec<Vec<Cell>> {
    let mut lines = vec![Vec::<Cell>::new()];
    let mut column = 0;
    let mut classes: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((codes, after)) = style(rest) {
            for code in codes.split(';') {
                match name(code) {
                    "/" => classes.clear(),
                    class => classes.push(class),
                }
            }
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("\x1b[K") {
            lines.last_mut().unwrap().truncate(column);
            rest = after;
            continue;
        }
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\n' => lines.push(Vec::new()),
            '\r' => {}
            letter => {
                if column == columns {
                    lines.push(Vec::new());
                    column = 0;
                }
                let line = lines.last_mut().unwrap();
                if line.len() <= column {
                    line.resize(column + 1, (' ', String::new()));
                }
                line[column] = (letter, classes.join(" "));
                column += 1;
                continue;
            }
        }
        column = 0;
    }
    lines
}

/// Runs the script, and returns what its terminal shows in the end.
fn run(script: &Script, columns: u16) -> Vec<Vec<Cell>> {
    let scene = script.scene();
    let mut lines = Vec::new();
    for step in &script.steps {
        let typed = |text: &str, class: &str| -> Vec<Cell> {
            let cells = text.chars().map(|letter| (letter, class.to_owned()));
            cells.collect()
        };
        lines.push([typed("$ ", "prompt"), typed(&step.line, "typed")].concat());
        let (_, shown) = scene.terminal(&step.line, columns, false, &step.answers);
        if !shown.trim_end().is_empty() {
            lines.extend(screen(shown.trim_end(), columns.into()));
        }
    }
    lines
}

/// The picture of a window with these lines.
fn drawn(title: &str, lines: &[Vec<Cell>], columns: u16) -> String {
    let width = usize::from(columns) * LETTER + 2 * MARGIN;
    let height = BAR + lines.len() * LINE + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"window\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"{}\" y=\"21\">{}</text>\n",
        escaped(title),
        width - 1,
        height - 1,
        width / 2,
        escaped(title)
    );
    for (at, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
        let x = MARGIN + 6 + 20 * at;
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"17\" r=\"6\" fill=\"{colour}\"/>"
        );
    }
    for (number, line) in lines.iter().enumerate() {
        let y = BAR + number * LINE + LINE / 2 + 5;
        let mut column = 0;
        for run in line.chunk_by(|one, next| one.1 == next.1) {
            let text: String = run.iter().map(|(letter, _)| letter).collect();
            let blanks = text.len() - text.trim_start_matches(' ').len();
            let text = text.trim_matches(' ');
            let x = MARGIN + (column + blanks) * LETTER;
            let length = text.chars().count() * LETTER;
            column += run.len();
            if text.is_empty() {
                continue;
            }
            let class = match &run[0].1[..] {
                "" => String::new(),
                class => format!(" class=\"{class}\""),
            };
            let _ = writeln!(
                svg,
                "<text{class} x=\"{x}\" y=\"{y}\" textLength=\"{length}\" xml:space=\"preserve\">{}</text>",
                escaped(text)
            );
        }
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The text of a picture, line by line, without its title.
fn text_of(svg: &str) -> String {
    let mut text = String::new();
    let mut last = "";
    for element in svg.split("<text").skip(2) {
        let attribute = |name: &str| {
            let (_, value) = element
                .split_once(&format!(" {name}=\""))
                .unwrap_or_default();
            value.split('"').next().unwrap()
        };
        let (_, content) = element.split_once('>').unwrap();
        let content = content.split("</text>").next().unwrap();
        if attribute("y") != last {
            text.push('\n');
        }
        last = attribute("y");
        let x: usize = attribute("x").parse().unwrap();
        let column = (x - MARGIN) / LETTER;
        let begun = text.rsplit('\n').next().unwrap().chars().count();
        text.push_str(&" ".repeat(column.saturating_sub(begun)));
        let content = content.replace("&lt;", "<").replace("&gt;", ">");
        text.push_str(&content.replace("&amp;", "&"));
    }
    text
}

#[test]
fn each_shows_what_the_program_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    let updates = std::env::var_os("UPDATE_PICTURES").is_some_and(|value| value == "1");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // `tests/bench/run` draws its chart itself.
        let is_picture = path.extension().is_some_and(|extension| extension == "svg")
            && !path.ends_with("benchmarks.svg");
        let script = path.with_extension("txt");
        assert!(
            !is_picture || script.is_file(),
            "{} has no script",
            path.display()
        );
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        count += 1;
        let script = Script::read(&fs::read_to_string(&path).unwrap()).unwrap();
        let columns = script.columns.unwrap_or(100);
        let title = script.text.lines().next().unwrap().trim_start_matches("# ");
        let now = drawn(title, &run(&script, columns), columns);
        assert!(!now.contains("{token}"), "a token is shown: {now}");
        let picture = path.with_extension("svg");
        if updates {
            fs::write(&picture, &now).unwrap();
        }
        let kept = fs::read_to_string(&picture).unwrap_or_default();
        assert!(
            now == kept,
            "{} does not show what the program prints now. If that is meant, run docs/images/make.\nIt shows:\n{}\n\n\
             The program prints:\n{}",
            picture.display(),
            text_of(&kept),
            text_of(&now)
        );
    }
    assert!(count >= 3, "{count} pictures");
}

#[test]
fn a_picture_keeps_text_and_colours_in_their_columns() {
    let lines = screen("a\rb\x1b[1m\x1b[31merr<or\x1b[0m  12345", 10);
    let svg = drawn("title", &lines, 10);
    assert_eq!(text_of(&svg), "\nberr<or  1\n2345", "{svg}");
    assert!(svg.contains("class=\"bold red\""), "{svg}");
}
