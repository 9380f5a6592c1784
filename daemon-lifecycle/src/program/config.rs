use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Display,
    ops::Range,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, Command};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::place;

/// Each may have a table of its own, so that one file can serve all of them.
const PROGRAMS: [&str; 3] = ["daemon-lifecycle", "heartbeat-registry", "heartbeat-sender"];

/// How alike a known word must be to be meant, from 0 to 1; as clap has it.
const ALIKE: f64 = 0.7;

/// What a file says of one flag.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) file: PathBuf,
    /// Such as `a.toml:3:12`.
    pub(super) place: String,
    /// Such as `token.create.name`.
    pub(super) key: String,
    /// What to write on a command line for it.
    pub(super) words: Vec<OsString>,
    flag: String,
}

impl Setting {
    pub(super) fn is_of(&self, arg: &Arg) -> bool {
        arg.get_long() == Some(&self.flag)
    }

    pub(super) fn is_named(&self, shown: &str) -> bool {
        is_shown(&self.flag, shown)
    }
}

/// Whether this is how clap shows a flag, such as `--interval <DURATION>`.
pub(super) fn is_shown(flag: &str, shown: &str) -> bool {
    let name = shown.strip_prefix("--").unwrap_or(shown);
    name.strip_prefix(flag).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
}

/// What a file says for a command, given by its names. All of the file is checked, also what is for other commands.
pub(super) fn read(file: &Path, root: &Command, path: &[&str]) -> Result<Vec<Setting>, String> {
    let unread = |error| format!("the configuration file {}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(unread)?;
    let place = |at: usize| place(file, &text, at);
    let found = parse(&text, root, path).map_err(|Wrong { at, what }| format!("{}: {what}", place(at)))?;
    let setting = |(flag, Found { at, key, words }): (String, Found)| Setting {
        file: file.to_owned(),
        place: place(at),
        key,
        words: words.into_iter().map(OsString::from).collect(),
        flag,
    };
    Ok(found.into_iter().map(setting).collect())
}

/// What is wrong, and at which byte.
#[derive(Debug)]
struct Wrong {
    at: usize,
    what: String,
}

fn wrong<T>(span: Range<usize>, what: impl Display) -> Result<T, Wrong> {
    Err(Wrong { at: span.start, what: what.to_string() })
}

#[derive(Debug)]
struct Found {
    at: usize,
    key: String,
    words: Vec<String>,
}

fn parse(text: &str, root: &Command, path: &[&str]) -> Result<BTreeMap<String, Found>, Wrong> {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => return wrong(error.span().unwrap_or_default(), error.message()),
    };
    let mut found = BTreeMap::new();
    let tables = flags_of(table.get_ref(), root, Some(path), "", &mut found)?;
    let (own, further): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|table| PROGRAMS.contains(&table.name.as_str()));
    for table in further {
        commands_of(&table, root, Some(path), "", &mut found)?;
    }
    // What is for this program alone, above what is for all.
    for table in own.iter().filter(|table| table.name == root.get_name()) {
        table_of(table.fields, root, Some(path), &format!("{}.", table.name), &mut found)?;
    }
    Ok(found)
}

struct Inner<'a> {
    name: String,
    at: Range<usize>,
    fields: &'a DeTable<'a>,
}

/// Of a command, with all below it. The path is what is left of it, if this is on the way to the command that runs.
fn table_of(
    table: &DeTable<'_>,
    command: &Command,
    path: Option<&[&str]>,
    trail: &str,
    found: &mut BTreeMap<String, Found>,
) -> Result<(), Wrong> {
    let tables = flags_of(table, command, path, trail, found)?;
    tables.iter().try_for_each(|table| commands_of(table, command, path, trail, found))
}

/// Notes the keys that are no tables, and returns the tables: what they say is said of fewer commands, and counts more.
fn flags_of<'a>(
    table: &'a DeTable<'a>,
    command: &Command,
    path: Option<&[&str]>,
    trail: &str,
    found: &mut BTreeMap<String, Found>,
) -> Result<Vec<Inner<'a>>, Wrong> {
    let mut tables = Vec::new();
    let mut seen = Vec::new();
    let running = path.and_then(|path| path.iter().try_fold(command, |command, name| command.find_subcommand(name)));
    for (key, value) in table {
        let name = key.get_ref().replace('_', "-");
        if let DeValue::Table(fields) = value.get_ref() {
            tables.push(Inner { name, at: key.span(), fields });
            continue;
        }
        let shown = format!("{trail}{}", key.get_ref());
        if seen.contains(&name) {
            return wrong(key.span(), format!("{shown}: is there twice, with - and with _"));
        }
        let of_running = running.and_then(|command| flag(command, &name));
        let Some(arg) = of_running.or_else(|| flag_below(command, &name)) else {
            return wrong(key.span(), unknown(&shown, &name, &names_of_flags(command)));
        };
        let words =
            words(arg, &name, value).map_err(|Wrong { at, what }| Wrong { at, what: format!("{shown}: {what}") })?;
        if of_running.is_some() {
            found.insert(name.clone(), Found { at: value.span().start, key: shown, words });
        }
        seen.push(name);
    }
    Ok(tables)
}

/// What a table named after a command says of it.
fn commands_of(
    Inner { name, at, fields }: &Inner<'_>,
    command: &Command,
    path: Option<&[&str]>,
    trail: &str,
    found: &mut BTreeMap<String, Found>,
) -> Result<(), Wrong> {
    let Some(inner) = command.find_subcommand(name) else {
        let shown = format!("[{trail}{name}]");
        if flag_below(command, name).is_some() {
            return wrong(at.clone(), format!("{shown}: a value is expected, not a table"));
        }
        let mut known: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        if trail.is_empty() {
            known.extend(PROGRAMS.map(str::to_owned));
        }
        return wrong(at.clone(), unknown(&shown, name, &known));
    };
    let rest = path.and_then(|path| path.split_first()).filter(|(first, _)| *first == name).map(|(_, rest)| rest);
    table_of(fields, inner, rest, &format!("{trail}{name}."), found)
}

/// A flag that can be a key.
fn flag<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_long() == Some(name) && !arg.is_global_set())
}

fn flag_below<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    flag(command, name).or_else(|| command.get_subcommands().find_map(|command| flag_below(command, name)))
}

fn names_of_flags(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|arg| !arg.is_global_set()).filter_map(|arg| arg.get_long());
    let mut names: Vec<String> = own.map(str::to_owned).collect();
    names.extend(command.get_subcommands().flat_map(names_of_flags));
    names.sort();
    names.dedup();
    names
}

fn unknown(shown: &str, name: &str, known: &[String]) -> String {
    let likeness = |word: &String| strsim::jaro_winkler(name, word);
    let meant = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|word| likeness(word) > ALIKE);
    match meant {
        Some(word) => format!("{shown}: unknown; did you mean {word}?"),
        None if known.is_empty() => format!("{shown}: unknown, as is any key here"),
        None => format!("{shown}: unknown, expected one of {}", known.join(", ")),
    }
}

/// What to write on a command line.
fn words(arg: &Arg, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Wrong> {
    match (arg.get_action(), value.get_ref()) {
        (ArgAction::SetTrue, DeValue::Boolean(true)) => Ok(vec![format!("--{name}")]),
        (ArgAction::SetTrue, DeValue::Boolean(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, other) => wrong(value.span(), format!("expected true or false, not {}", other.type_str())),
        (ArgAction::Append, DeValue::Array(items)) => {
            items.iter().map(|item| whole(arg, item).and_then(|()| word(name, item))).collect()
        }
        _ => word(name, value).map(|word| vec![word]),
    }
}

/// An item of a list stays one, whatever divides the items where a list is a single text.
fn whole(arg: &Arg, item: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
    match (item.get_ref(), arg.get_value_delimiter()) {
        (DeValue::String(text), Some(delimiter)) if text.contains(delimiter) => {
            wrong(item.span(), format!("a {delimiter:?} would divide this item"))
        }
        _ => Ok(()),
    }
}

fn word(name: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        // Else 0o660 would become another number than it looks like.
        DeValue::Integer(number) if number.radix() == 10 => number.to_string(),
        DeValue::Integer(number) => return wrong(value.span(), format!("write \"{}\", as a string", number.as_str())),
        DeValue::Float(number) => number.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        other => return wrong(value.span(), format!("expected a string or a number, not {}", other.type_str())),
    };
    Ok(format!("--{name}={text}"))
}

#[cfg(test)]
mod tests;
