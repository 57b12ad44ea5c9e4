//! Commands in documents: that what they name is in the repository.

use super::repository::{Repository, join};

/// What is wrong with the commands of a script or of code within a line.
pub(super) fn problems(script: &str, document: &str, repository: &Repository) -> Vec<String> {
    let commands = split(script);
    commands.iter().filter_map(|words| problem(words, document, repository)).collect()
}

/// Placeholders of a reader's own values: `NAME`, `[LANGUAGE]…`, `gen_…`, `$NAME`.
fn is_placeholder(word: &str) -> bool {
    let is_upper = |it: char| it.is_ascii_uppercase() || it == '_';
    word.contains(['…', '$', '<', '[']) || (!word.is_empty() && word.chars().all(is_upper))
}

fn problem(words: &[String], document: &str, repository: &Repository) -> Option<String> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let (&program, arguments) = words.split_first()?;
    let missing = |path: &str| {
        let here = join(document, path).is_some_and(|path| repository.has(&path));
        let exists = is_placeholder(path) || here || repository.has(path.trim_start_matches("./"));
        (!exists).then(|| format!("there is no file {path}"))
    };
    match program {
        "cargo" => cargo(arguments, repository).or_else(|| {
            let path = after(arguments, &["--manifest-path"])?;
            missing(path)
        }),
        "python" | "python3" | "node" => {
            let file = arguments.iter().find(|it| !it.starts_with('-'));
            let is_file =
                |it: &&&str| [".py", ".js", ".mjs", ".mts"].iter().any(|end| it.ends_with(end));
            let requirements = after(arguments, &["-r"]);
            file.filter(is_file).copied().or(requirements).and_then(missing)
        }
        "pip" => arguments.iter().find(|it| it.starts_with("./")).and_then(|path| missing(path)),
        "npm" => after(arguments, &["--prefix"]).and_then(missing),
        "swift" => after(arguments, &["--package-path"]).and_then(missing),
        // A program of the repository. Others are the reader's, such as curl.
        _ if repository.is_path(program) || program.ends_with(".sh") => missing(program),
        _ => None,
    }
}

/// The word after one of these options.
fn after<'a>(words: &[&'a str], options: &[&str]) -> Option<&'a str> {
    let at = words.iter().position(|word| options.contains(word))?;
    words.get(at + 1).copied()
}

fn cargo(arguments: &[&str], repository: &Repository) -> Option<String> {
    // What comes after belongs to the program that is run.
    let own = arguments.split(|it| *it == "--").next().unwrap_or_default();
    let (&command, rest) = own.split_first()?;
    if command == "xtask" {
        let given = rest.iter().filter(|it| !is_placeholder(it)).map(|it| (*it).to_owned());
        return crate::command(&given.collect::<Vec<_>>()).err();
    }
    if after(own, &["--manifest-path"]).is_some() {
        // It is a workspace of its own.
        return None;
    }
    let package = after(own, &["-p", "--package"]).filter(|it| !is_placeholder(it));
    if let Some(name) = package.filter(|name| repository.package(name).is_none()) {
        return Some(format!("there is no package {name}"));
    }
    for (option, sort) in
        [("--example", "example"), ("--bench", "bench"), ("--test", "test"), ("--bin", "bin")]
    {
        let Some(name) = after(own, &[option]).filter(|it| !is_placeholder(it)) else { continue };
        let mut among =
            repository.packages().iter().filter(|it| package.is_none_or(|name| it.name == name));
        if !among.any(|package| repository.has_program(package, sort, name)) {
            return Some(format!("there is no {sort} {name}"));
        }
    }
    None
}

/// The commands of a script, each as its words: without comments, quotes, assignments and `export`.
fn split(script: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = script.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                // Before a new line it joins two lines.
                match letters.next() {
                    Some('\n') | None => {}
                    Some(next) => word.get_or_insert_default().push(next),
                }
            }
            (None, '#') if word.is_none() => while letters.next_if(|it| *it != '\n').is_some() {},
            (None, '\n' | ';' | '|' | '&' | '(' | ')') => {
                finish(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (None, _) if letter.is_whitespace() => finish(&mut word, &mut commands),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    finish(&mut word, &mut commands);
    commands.retain(|words| !words.is_empty());
    commands
}

/// Ends a word. What stands before a command and is not its name is dropped.
fn finish(word: &mut Option<String>, commands: &mut [Vec<String>]) {
    let (Some(word), Some(command)) = (word.take(), commands.last_mut()) else { return };
    let name = word.split_once('=').map(|(name, _)| name);
    let is_assignment =
        name.is_some_and(|it| it.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    if !command.is_empty() || !(is_assignment || word == "export") {
        command.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(script: &str) -> Vec<String> {
        let files = ["examples/python/hello.py", "core/run.sh", "core/benches/svix/Cargo.toml"];
        problems(script, "examples/README.md", &Repository::for_tests(&files, &[]))
    }

    #[test]
    fn scripts_are_split_into_commands() {
        let script =
            "export A=1 B='x y'\nC=2 cargo run \\\n  -- \"a | b\" # c\nsleep 1 | wc -l && f &\n";
        let expected =
            [vec!["cargo", "run", "--", "a | b"], vec!["sleep", "1"], vec!["wc", "-l"], vec!["f"]];
        assert_eq!(split(script), expected);
    }

    #[test]
    fn commands_that_name_what_there_is_are_accepted() {
        for script in [
            "cargo run --example hello -- --example other",
            "cargo test -p examples --example hello",
            "cargo test -p CRATE --test NAME",
            "cargo run --release --manifest-path core/benches/svix/Cargo.toml",
            "cargo xtask test [LANGUAGE]…",
            "cargo xtask generate --check",
            "python examples/python/hello.py \"A cat\"",
            "python python/hello.py",
            "python -m pip install aiohttp",
            "pip install ./python",
            "core/run.sh",
            "curl http://127.0.0.1:8000/videos -d x",
            "client.generate(request)",
        ] {
            assert_eq!(found(script), Vec::<String>::new(), "{script}");
        }
    }

    #[test]
    fn commands_that_name_what_is_missing_are_reported() {
        for (script, problem) in [
            ("cargo run --example bye", "there is no example bye"),
            ("sleep 1 | cargo run -p nothing", "there is no package nothing"),
            ("cargo bench -p examples --bench hello", "there is no bench hello"),
            ("cargo build --manifest-path core/Cargo.toml", "there is no file core/Cargo.toml"),
            ("cargo xtask test cobol", "unknown language \"cobol\""),
            ("cargo xtask tset", "unknown command \"tset\""),
            ("python examples/python/bye.py", "there is no file examples/python/bye.py"),
            ("python -m pip install -r missing.txt", "there is no file missing.txt"),
            ("node bye.mjs", "there is no file bye.mjs"),
            ("pip install ./missing", "there is no file ./missing"),
            ("npm ci --prefix missing", "there is no file missing"),
            ("swift run --package-path missing Hello", "there is no file missing"),
            ("core/walk.sh", "there is no file core/walk.sh"),
        ] {
            let found = found(script);
            assert!(found.len() == 1 && found[0].starts_with(problem), "{script}: {found:?}");
        }
    }
}
