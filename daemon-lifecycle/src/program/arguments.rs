use std::{ffi::OsString, io, path::PathBuf, process};

use clap::{
    Arg, ArgMatches, Command, CommandFactory, Error, Parser,
    builder::ValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};
use clap_complete::Shell;

use super::{
    config::{self, Setting},
    exit,
    stream::say,
};

const CONFIG: &str = "config";
/// In the help, after all that is a command's own.
const LAST: usize = 900;

/// Reads the arguments of this process, its environment, and the file that `--config` names, in this order of precedence.
/// Ends the process where they make no sense, and where help is asked for.
#[must_use]
pub fn parse<P: Parser>() -> P {
    let words: Vec<OsString> = std::env::args_os().collect();
    read(&words).unwrap_or_else(|refused| refused.end())
}

/// A completion script for a shell.
#[must_use]
pub fn completions<P: CommandFactory>(shell: Shell) -> Vec<u8> {
    let mut command = command::<P>();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, &name, &mut script);
    if shell == Shell::Bash { mended(&script, &name) } else { script }
}

/// clap_complete writes a hyphen in the name of a binary in two ways, so that in bash nothing is offered beyond a subcommand:
/// <https://github.com/clap-rs/clap/issues/6421>.
fn mended(script: &[u8], name: &str) -> Vec<u8> {
    let label = |hyphen| name.replace('-', hyphen) + "__subcmd__";
    String::from_utf8_lossy(script).replace(&label("__subcmd__"), &label("__")).into_bytes()
}

/// Flags, as `run --interval`, that no environment variable sets, or one whose name does not begin with `HEARTBEAT_`. There
/// should be none: for tests.
#[must_use]
pub fn flags_without_variable<P: CommandFactory>() -> Vec<String> {
    fn walk(command: &Command, trail: &str, found: &mut Vec<String>) {
        let trail = format!("{trail}{} ", command.get_name());
        let has_variable =
            |arg: &Arg| arg.get_env().is_some_and(|name| name.as_encoded_bytes().starts_with(b"HEARTBEAT_"));
        let flags = command.get_arguments().filter(|arg| arg.get_long().is_some() && !has_variable(arg));
        found.extend(flags.map(|arg| trail.clone() + "--" + arg.get_long().unwrap_or_default()));
        command.get_subcommands().for_each(|command| walk(command, &trail, found));
    }
    let mut found = Vec::new();
    walk(&command::<P>(), "", &mut found);
    found
}

/// The command of a binary, with what all binaries take.
fn command<P: CommandFactory>() -> Command {
    let config =
        Arg::new(CONFIG).long(CONFIG).env("HEARTBEAT_CONFIG").global(true).value_name("FILE").display_order(LAST);
    P::command().arg(config.value_parser(ValueParser::path_buf()).help(
        "Take what is not said here, nor by the environment, from this TOML file: the names of flags as keys, in a table \
         named after the command; no file is read without",
    ))
}

/// Why there are no arguments to go by.
#[derive(Debug)]
enum Refused {
    /// By clap, with what else to say about it.
    Arguments(Box<Error>, Option<String>),
    /// What is wrong with the file, and where.
    File(String),
}

impl Refused {
    fn end(self) -> ! {
        match self {
            Self::Arguments(error, beside) => {
                match error.print() {
                    // Whoever read the help has seen enough.
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => say(format_args!("error: {error}")),
                    _ => {}
                }
                if let Some(beside) = beside {
                    say(format_args!("\n{beside}"));
                }
                process::exit(error.exit_code())
            }
            Self::File(message) => {
                say(format_args!("error: {message}"));
                process::exit(exit::USAGE.into())
            }
        }
    }
}

fn read<P: Parser>(words: &[OsString]) -> Result<P, Refused> {
    let command = command::<P>();
    let mut settings = from_file(&command, words)?;
    let (_, at) = command_of(&command, words);
    loop {
        let mut all = words.to_owned();
        all.splice(at..at, settings.iter().flat_map(|setting| setting.words.iter().cloned()));
        let parsed =
            command.clone().try_get_matches_from(all).and_then(|mut matches| P::from_arg_matches_mut(&mut matches));
        match parsed {
            Ok(arguments) => return Ok(arguments),
            Err(error) if give_way(&error, &mut settings) => {}
            Err(error) => return Err(refused(error, &settings, &command, words)),
        }
    }
}

/// What the file says that nobody else does: to be put before the arguments, as if somebody had written it there, so that
/// it meets the same checks.
fn from_file(command: &Command, words: &[OsString]) -> Result<Vec<Setting>, Refused> {
    let (path, _) = command_of(command, words);
    let chosen = path.iter().try_fold(command, |command, name| command.find_subcommand(name)).unwrap_or(command);
    // A command without flags must not fail for a file that it has no use for.
    if chosen.has_subcommands() || !chosen.get_arguments().any(|arg| arg.get_long().is_some()) {
        return Ok(Vec::new());
    }
    // What is wrong here is wrong below, too, and told there.
    let Ok(mut given) = command.clone().ignore_errors(true).try_get_matches_from(words) else { return Ok(Vec::new()) };
    for name in &path {
        match given.remove_subcommand() {
            Some((found, matches)) if found == *name => given = matches,
            _ => return Ok(Vec::new()),
        }
    }
    let Ok(Some(file)) = given.try_get_one::<PathBuf>(CONFIG) else { return Ok(Vec::new()) };
    let mut settings = config::read(file, command, &path).map_err(Refused::File)?;
    settings.retain(|setting| !chosen.get_arguments().any(|arg| setting.is_of(arg) && is_given(arg, &given)));
    Ok(settings)
}

fn is_given(arg: &Arg, given: &ArgMatches) -> bool {
    let by_variable = arg.get_env().is_some_and(|name| std::env::var_os(name).is_some());
    by_variable || given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// The names of the command, from the outermost on, and the place of the first word after the last of them.
fn command_of<'a>(command: &'a Command, words: &[OsString]) -> (Vec<&'a str>, usize) {
    let (mut inner, mut path, mut end, mut at) = (command, Vec::new(), words.len().min(1), 1);
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        at += 1;
        if word == "--" {
            break;
        }
        if let Some(flag) = word.strip_prefix("--") {
            let takes_next = |arg: &Arg| arg.get_long() == Some(flag) && arg.get_action().takes_values();
            at += usize::from(command.get_arguments().any(takes_next));
        } else if !word.starts_with('-') {
            let Some(found) = inner.find_subcommand(word) else { break };
            (inner, end) = (found, at);
            path.push(found.get_name());
        }
    }
    (path, end)
}

/// Where something of the file excludes what was said elsewhere, the file gives way. Returns whether it does.
fn give_way(error: &Error, settings: &mut Vec<Setting>) -> bool {
    if error.kind() != ErrorKind::ArgumentConflict {
        return false;
    }
    let named: Vec<&str> = [ContextKind::InvalidArg, ContextKind::PriorArg]
        .into_iter()
        .flat_map(|kind| match error.get(kind) {
            Some(ContextValue::String(name)) => vec![name.as_str()],
            Some(ContextValue::Strings(names)) => names.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
        .collect();
    let of_file = |name: &&str| settings.iter().any(|setting| setting.is_named(name));
    if !named.iter().any(of_file) || named.iter().all(of_file) {
        return false;
    }
    settings.retain(|setting| !named.iter().any(|name| setting.is_named(name)));
    true
}

/// Says so where clap blames a flag that nobody has written.
fn set_by_variable(command: &Command, words: &[OsString], shown: &str) -> Option<String> {
    let (path, _) = command_of(command, words);
    let chosen = path.iter().try_fold(command, |command, name| command.find_subcommand(name))?;
    let is_it = |arg: &&Arg| arg.get_long().is_some_and(|flag| config::is_shown(flag, shown));
    let arg = chosen.get_arguments().chain(command.get_arguments()).find(is_it)?;
    let flag = format!("--{}", arg.get_long()?);
    let is_written = words
        .iter()
        .filter_map(|word| word.to_str())
        .any(|word| word.strip_prefix(&flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')));
    let variable = arg.get_env().filter(|name| !is_written && std::env::var_os(name).is_some())?;
    Some(format!("It is the variable {} that says so.", variable.display()))
}

fn refused(error: Error, settings: &[Setting], command: &Command, words: &[OsString]) -> Refused {
    let shown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(shown)) => Some(shown.clone()),
        _ => None,
    };
    let blamed = shown.as_ref().and_then(|shown| settings.iter().find(|setting| setting.is_named(shown)));
    if let Some(Setting { place, key, .. }) = blamed {
        let text = error.to_string();
        let what = text.split("\n\n").next().unwrap_or_default();
        return Refused::File(format!("{place}: {key}: {}", what.strip_prefix("error: ").unwrap_or(what)));
    }
    // Where flags do not go together, some may be of the file.
    let is_of_several = matches!(error.kind(), ErrorKind::ArgumentConflict | ErrorKind::MissingRequiredArgument);
    let beside = settings.first().filter(|_| is_of_several).map(|first| {
        let keys: Vec<&str> = settings.iter().map(|setting| setting.key.as_str()).collect();
        format!("The file {} sets {}.", first.file.display(), keys.join(", "))
    });
    let beside = beside.or_else(|| shown.and_then(|shown| set_by_variable(command, words, &shown)));
    Refused::Arguments(Box::new(error), beside)
}

#[cfg(test)]
mod tests;
