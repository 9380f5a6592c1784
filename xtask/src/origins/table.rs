//! The table in ARCHITECTURE.md of what the project began from.

use crate::outcome::Outcome;
use crate::program;

pub(crate) const FILE: &str = "ARCHITECTURE.md";
const SECTION: &str = "## Origins";
/// What was asked for, the items that answer it, the tests that prove it, and where they differ from it.
const COLUMNS: usize = 4;

/// One feature, what it became here, and what shows that it did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// In the file, from 1.
    pub(crate) line: usize,
    pub(crate) feature: String,
    pub(crate) items: Vec<Item>,
    /// Names that the items can be found by.
    pub(crate) aliases: Vec<String>,
    /// As `package::path::of::test`.
    pub(crate) tests: Vec<String>,
}

/// What a feature became here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A path that rustdoc can link to.
    Path(String),
    Route {
        method: String,
        path: String,
    },
    /// A program and one of its commands.
    Command {
        program: String,
        command: String,
    },
    /// None of these.
    Unknown(String),
}

/// Reads the table, or rather all tables of the section.
pub(crate) fn read() -> Outcome<Vec<Row>> {
    parse(&std::fs::read_to_string(program::workspace_root().join(FILE))?)
}

fn parse(text: &str) -> Outcome<Vec<Row>> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| *line != SECTION).skip(1);
    let lines = lines.take_while(|(_, line)| !line.starts_with("## "));
    let mut rows = Vec::new();
    let mut is_head = true;
    for (index, line) in lines {
        let Some(cells) = cells(line) else {
            is_head = true;
            continue;
        };
        let is_rule = cells[0].starts_with("--");
        if !is_head && !is_rule {
            rows.push(row(index + 1, &cells)?);
        }
        is_head = false;
    }
    if rows.is_empty() { Err(format!("{FILE}: no table under `{SECTION}`").into()) } else { Ok(rows) }
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

fn row(line: usize, cells: &[&str]) -> Outcome<Row> {
    let [feature, here, tests, _] = cells else {
        return Err(format!("{FILE}:{line}: {} columns, not {COLUMNS}", cells.len()).into());
    };
    let (mut items, mut aliases) = (Vec::new(), Vec::new());
    for (n, part) in here.split("(alias ").enumerate() {
        let (names, rest) = if n == 0 { ("", part) } else { part.split_once(')').unwrap_or((part, "")) };
        aliases.extend(code(names).map(str::to_owned));
        items.extend(code(rest).map(Item::read));
    }
    let tests: Vec<String> = code(tests).map(str::to_owned).collect();
    if items.is_empty() || tests.is_empty() {
        return Err(format!("{FILE}:{line}: {feature}: no item, or no test").into());
    }
    Ok(Row { line, feature: (*feature).to_owned(), items, aliases, tests })
}

/// What stands in code font.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

impl Item {
    fn read(text: &str) -> Self {
        let owned = str::to_owned;
        match text.rsplit_once(' ') {
            Some((method, path)) if path.starts_with('/') => Self::Route { method: owned(method), path: owned(path) },
            Some((program, command)) => Self::Command { program: owned(program), command: owned(command) },
            None if text.split("::").all(is_name) => Self::Path(owned(text)),
            None => Self::Unknown(owned(text)),
        }
    }
}

fn is_name(segment: &str) -> bool {
    !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "## Origins\n\n### A guide\n\n| there | here | test | why |\n|---|---|---|---|\n";

    fn parsed(row: &str) -> Result<Vec<Row>, String> {
        parse(&format!("| not | of | the | table |\n{HEAD}{row}\n\n## Next\n| not | `a` | `b` | |"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_tells_items_aliases_and_tests() {
        let line =
            "| `beat`, 5 s | `a::B::c` (alias `see`, `sea`), `POST /v1/x` and `cargo xtask demo` | `a::b`, `a::c` | |";
        let rows = parsed(line).unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.line, row.feature.as_str()), (8, "`beat`, 5 s"));
        let route = Item::Route { method: "POST".to_owned(), path: "/v1/x".to_owned() };
        let command = Item::Command { program: "cargo xtask".to_owned(), command: "demo".to_owned() };
        assert_eq!(row.items, [Item::Path("a::B::c".to_owned()), route, command]);
        assert_eq!((row.aliases.join(" "), row.tests.join(" ")), ("see sea".to_owned(), "a::b a::c".to_owned()));
    }

    #[test]
    fn every_table_of_the_section_is_read() {
        let table = "\n### Another\n\n| there | here | test | why |\n|---|---|---|---|\n| b | `b` | `t::b` | |";
        assert_eq!(parsed(&format!("| a | `a` | `t::a` | |\n{table}")).unwrap().len(), 2);
    }

    #[test]
    fn a_row_that_proves_nothing_is_refused() {
        for line in ["| a | `b` | none | |", "| a | b | `c::d` | |", "| a | `b` | `c::d` |"] {
            assert!(parsed(line).unwrap_err().starts_with("ARCHITECTURE.md:8: "), "{line}");
        }
        assert!(parsed("").is_err(), "no row at all");
    }

    #[test]
    fn what_rustdoc_would_not_take_for_a_path_is_no_path() {
        for text in ["a::b()", "a::<b>", "a::", "a.b", ""] {
            assert_eq!(Item::read(text), Item::Unknown(text.to_owned()));
        }
    }
}
