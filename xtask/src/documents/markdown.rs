//! The parts of a Markdown file that can be checked.

use std::collections::{BTreeSet, HashMap};

/// A Markdown file, taken apart.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The path in the repository.
    pub(super) path: String,
    pub(super) links: Vec<Link>,
    pub(super) blocks: Vec<Block>,
    /// The code within lines.
    pub(super) spans: Vec<Span>,
    /// What a link may name after `#`.
    pub(super) anchors: BTreeSet<String>,
    /// The line of a code block that has no end.
    pub(super) unclosed: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) line: usize,
    pub(super) target: String,
}

/// A fenced code block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) line: usize,
    info: String,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Span {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Block {
    /// The language, without attributes such as `no_run`.
    pub(super) fn language(&self) -> &str {
        self.info.split([',', ' ']).next().unwrap_or_default()
    }

    pub(super) fn is(&self, language: &str) -> bool {
        self.language() == language
    }
}

impl Document {
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let mut document = Self { path: path.to_owned(), ..Self::default() };
        let mut headings = HashMap::new();
        let mut fence: Option<Fence> = None;
        for (line, content) in (1..).zip(text.lines()) {
            if let Some(open) = &mut fence {
                if open.is_closed_by(content) {
                    document.blocks.extend(fence.take().map(|fence| fence.block));
                } else {
                    open.push(content);
                }
            } else if let Some(open) = Fence::open(line, content) {
                fence = Some(open);
            } else {
                document.read_line(line, content);
                if let Some(heading) = heading(content) {
                    document.anchors.insert(anchor(heading, &mut headings));
                }
            }
        }
        document.unclosed = fence.map(|fence| fence.block.line);
        document
    }

    fn read_line(&mut self, line: usize, content: &str) {
        let (plain, spans) = without_code(content);
        self.spans.extend(spans.into_iter().map(|text| Span { line, text }));
        let targets = inline_links(&plain).chain(definition(&plain));
        self.links.extend(targets.map(|target| Link { line, target: target.to_owned() }));
    }
}

/// A code block that has not been read to its end yet.
struct Fence {
    indent: usize,
    mark: String,
    block: Block,
}

impl Fence {
    fn open(line: usize, content: &str) -> Option<Self> {
        let trimmed = content.trim_start();
        let sign = trimmed.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let mark: String = trimmed.chars().take_while(|it| *it == sign).collect();
        let info = trimmed[mark.len()..].trim().to_owned();
        // A line such as ```x``` is code within a line.
        if mark.len() < 3 || info.contains('`') {
            return None;
        }
        let indent = content.len() - trimmed.len();
        Some(Self { indent, mark, block: Block { line, info, text: String::new() } })
    }

    fn is_closed_by(&self, content: &str) -> bool {
        let rest = content.trim().strip_prefix(&self.mark);
        rest.is_some_and(|rest| rest.chars().all(|it| self.mark.starts_with(it)))
    }

    fn push(&mut self, content: &str) {
        // A block in a list is as far in as its fence.
        let blank = content.len() - content.trim_start().len();
        self.block.text += &content[blank.min(self.indent)..];
        self.block.text.push('\n');
    }
}

/// A line with the code in it blanked out, and that code.
fn without_code(content: &str) -> (String, Vec<String>) {
    let mut plain = String::new();
    let mut spans = Vec::new();
    let mut rest = content;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let (before, from) = (&rest[..start], &rest[start + ticks..]);
        let Some(end) = from.find(&rest[start..start + ticks]) else { break };
        plain += before;
        plain += &" ".repeat(end + 2 * ticks);
        spans.push(from[..end].trim().to_owned());
        rest = &from[end + ticks..];
    }
    (plain + rest, spans)
}

/// The targets of `[text](target)` and `[text](target "title")`.
fn inline_links(plain: &str) -> impl Iterator<Item = &str> {
    plain.match_indices("](").filter_map(|(at, _)| {
        let from = &plain[at + 2..];
        let mut open = 1;
        let end = from.find(|it| {
            open += i32::from(it == '(') - i32::from(it == ')');
            open == 0
        })?;
        from[..end].split_whitespace().next()
    })
}

/// The target of `[name]: target`.
fn definition(plain: &str) -> Option<&str> {
    let (_, rest) = plain.strip_prefix('[')?.split_once("]: ")?;
    rest.split_whitespace().next()
}

fn heading(content: &str) -> Option<&str> {
    let text = content.trim_start_matches('#');
    let level = content.len() - text.len();
    ((1..=6).contains(&level) && text.starts_with(' ')).then(|| text.trim())
}

/// The anchor of a heading, as GitHub makes it; a repeated one has a number at its end.
fn anchor(heading: &str, seen: &mut HashMap<String, usize>) -> String {
    let mut slug = String::new();
    for it in visible(heading).to_lowercase().chars() {
        match it {
            ' ' => slug.push('-'),
            '-' | '_' => slug.push(it),
            _ if it.is_alphanumeric() => slug.push(it),
            _ => {}
        }
    }
    let count = seen.entry(slug.clone()).or_default();
    *count += 1;
    if *count > 1 { format!("{slug}-{}", *count - 1) } else { slug }
}

/// A heading's text, where links show only their text.
fn visible(heading: &str) -> String {
    let mut text = heading.to_owned();
    while let Some(at) = text.find("](") {
        let end = text[at..].find(')').map_or(text.len(), |end| at + end + 1);
        text.replace_range(at..end, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        let document = Document::parse("x.md", text);
        document.links.into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn links_are_found_outside_of_code_only() {
        assert_eq!(
            targets("a [b](c.md) ![d](e.png \"f\") [`g`](h.md#i)"),
            ["c.md", "e.png", "h.md#i"]
        );
        assert_eq!(targets("a `[b](c.md)` and ``[`d`](e.md)``"), Vec::<String>::new());
        assert_eq!(targets("```\n[a](b.md)\n```\n[c]: d.md"), ["d.md"]);
        assert_eq!(targets("[a](b_(c).md) (and [d](e.md))"), ["b_(c).md", "e.md"]);
    }

    #[test]
    fn blocks_have_their_language_and_text() {
        let document =
            Document::parse("x.md", "- a\n  ```rust,no_run\n  f(\n    x)\n  ```\n~~~\n```\n~~~");
        let blocks: Vec<_> =
            document.blocks.iter().map(|it| (it.line, it.language(), it.text.as_str())).collect();
        assert_eq!(blocks, [(2, "rust", "f(\n  x)\n"), (6, "", "```\n")]);
        assert_eq!(Document::parse("x.md", "a\n```sh\nb").unclosed, Some(2));
    }

    #[test]
    fn code_within_lines_is_found() {
        let document = Document::parse("x.md", "a `b c` and ``d`e`` and `f");
        let spans: Vec<_> = document.spans.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(spans, ["b c", "d`e"]);
    }

    #[test]
    fn anchors_are_github_s() {
        let text =
            "# A `b_c`: d-e!\n## Where do I change…\n## [Link](x.md) text\n## Twice\n## Twice\n#no";
        let anchors = Document::parse("x.md", text).anchors;
        let expected = ["a-b_c-d-e", "link-text", "twice", "twice-1", "where-do-i-change"];
        assert_eq!(anchors.into_iter().collect::<Vec<_>>(), expected);
    }
}
