//! What the project began from: whether each feature of it is here under the name that ARCHITECTURE.md gives, and
//! whether the test that is named for it passes.

mod proofs;
mod routes;
mod table;

use std::collections::BTreeSet;
use std::fmt::Write;

use self::proofs::Programs;
use self::routes::Routes;
pub(crate) use self::table::{FILE, Item, Row};
use crate::outcome::Outcome;

/// How an example is run, up to its name.
const EXAMPLE: &str = "cargo run -p examples --bin";

/// The table as links for rustdoc, one line for each row.
pub(crate) fn links() -> Outcome<String> {
    let mut text = "What the project began from.\n".to_owned();
    for Row { line, items, .. } in table::read()? {
        let paths = items.iter().filter_map(|item| if let Item::Path(path) = item { Some(path) } else { None });
        for path in paths {
            writeln!(text, "- {FILE}, line {line}: [`{path}`]")?;
        }
    }
    Ok(text)
}

/// What can be said of the table without building anything: the line, and what is wrong there. `sources` are the texts
/// in which the aliases have to be.
pub(crate) fn complaints(sources: &[&str], tasks: &[String]) -> Outcome<Vec<(usize, String)>> {
    let routes = Routes::new()?;
    let mut complaints = Vec::new();
    for Row { line, items, aliases, .. } in table::read()? {
        let missing = aliases.iter().filter(|alias| !is_alias(alias, sources));
        complaints.extend(missing.map(|alias| (line, format!("`{alias}`: no item has this alias"))));
        for item in &items {
            let complaint = match item {
                Item::Route { method, path } => routes.complaint(method, path)?.map(str::to_owned),
                Item::Command { program, command } if program == "cargo xtask" => {
                    let is_known = tasks.contains(command);
                    (!is_known).then(|| "no such task".to_owned())
                }
                Item::Unknown(_) => Some("no path, no route and no command".to_owned()),
                Item::Path(_) | Item::Command { .. } => None,
            };
            complaints.extend(complaint.map(|what| (line, format!("{item:?}: {what}"))));
        }
    }
    Ok(complaints)
}

fn is_alias(alias: &str, sources: &[&str]) -> bool {
    let attribute = format!("doc(alias = \"{alias}\")");
    sources.iter().any(|text| text.contains(&attribute))
}

/// Runs the tests that the table names, and asks the programs for the commands that it names.
pub(crate) fn prove() -> Outcome {
    let rows = table::read()?;
    let programs = Programs::build()?;
    let names: BTreeSet<&str> = rows.iter().flat_map(|row| &row.tests).map(String::as_str).collect();
    let failed = programs.run(&names)?;
    let mut complaints = 0;
    for Row { line, feature, items, tests, .. } in &rows {
        let mut complain = |what: String| {
            eprintln!("{FILE}:{line}: {feature}: {what}");
            complaints += 1;
        };
        for test in tests {
            if let Some(complaint) = failed.get(test) {
                complain(format!("`{test}`: {complaint}"));
            }
        }
        for item in items {
            if let Item::Command { program, command } = item {
                let exists = match program.as_str() {
                    "cargo xtask" => true,
                    EXAMPLE => programs.has(command),
                    program => programs.has_command(program, command)?,
                };
                if !exists {
                    complain(format!("`{program} {command}`: no such command"));
                }
            }
        }
    }
    eprintln!("origins: {} rows, {} tests", rows.len(), names.len());
    if complaints == 0 { Ok(()) } else { Err(format!("{complaints} things in {FILE} are not as it says").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_one_only_where_it_is_declared() {
        let sources = ["#[doc(alias = \"record_heartbeat\")]", "pub fn get_stale() {}"];
        assert!(is_alias("record_heartbeat", &sources));
        assert!(!is_alias("record", &sources) && !is_alias("get_stale", &sources));
    }
}
