//! What holds for every Rust file.

use super::Finding;

/// Longer files say why, in a line that starts with this.
const LONG_FILE_REASON: &str = "// Longer than 400 lines: ";
const MOST_LINES: usize = 400;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if !path.ends_with(".rs") {
        return Vec::new();
    }
    let mut findings = too_long(path, text);
    findings.extend(exceptions_without_reason(path, text));
    if !is_test(path) {
        findings.extend(unwraps(path, text));
    }
    findings
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|folder| folder == "tests")
}

fn begins_tests(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test,")
}

fn too_long(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines <= MOST_LINES || text.lines().any(|line| line.starts_with(LONG_FILE_REASON)) {
        return Vec::new();
    }
    vec![Finding::of(path, format!("{lines} lines, and no line that starts with `{LONG_FILE_REASON}`"))]
}

/// Attributes that allow or expect a lint, one finding for each without a reason.
fn exceptions_without_reason(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let line = line.trim_start();
        let begins = ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|begin| line.starts_with(begin));
        let attribute = || {
            let end = lines[index..].iter().position(|line| line.contains(")]")).unwrap_or(0);
            lines[index..=index + end].concat()
        };
        if begins && !attribute().contains("reason = ") {
            findings.push(Finding::at(path, index + 1, "a lint is set aside without a reason"));
        }
    }
    findings
}

fn unwraps(path: &str, text: &str) -> Vec<Finding> {
    let before_tests = text.lines().enumerate().take_while(|(_, line)| !begins_tests(line));
    let unwraps = before_tests.filter(|(_, line)| {
        let comment = line.trim_start().starts_with("//");
        !comment && line.contains(concat!(".unwrap", "()"))
    });
    unwraps
        .map(|(index, _)| Finding::at(path, index + 1, "unwrap outside tests: say with expect why it holds"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_found(path: &str, text: &str) -> Vec<Option<usize>> {
        check(path, text).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_lint_set_aside_without_a_reason_is_found() {
        let text = "fn a() {}\n    #[allow(dead_code)]\nfn b() {}\n#![expect(\n    unused,\n)]\n";
        assert_eq!(lines_found("a/src/lib.rs", text), [Some(2), Some(4)]);
        let text = "#[allow(dead_code, reason = \"because\")]\n#[expect(\n    unused,\n    reason = \"because\",\n)]\n";
        assert!(lines_found("a/src/lib.rs", text).is_empty());
    }

    #[test]
    fn an_unwrap_is_found_unless_in_tests_or_documentation() {
        let call = concat!("x.unwrap", "();\n");
        let text = format!("/// {call}fn a() {{}}\n{call}#[cfg(test)]\nmod tests {{ {call} }}");
        assert_eq!(lines_found("a/src/lib.rs", &text), [Some(3)]);
        let behind_a_feature = text.replace("cfg(test)", "cfg(all(test, unix))");
        assert_eq!(lines_found("a/src/lib.rs", &behind_a_feature), [Some(3)]);
        assert!(lines_found("a/tests/it/main.rs", &text).is_empty());
        assert!(lines_found("a/src/b/tests.rs", &text).is_empty());
    }

    #[test]
    fn a_long_file_is_found_unless_it_says_why() {
        let long = "\n".repeat(401);
        assert_eq!(check("a/src/lib.rs", &long).len(), 1);
        assert!(check("a/src/lib.rs", &"\n".repeat(400)).is_empty());
        assert!(check("a/src/lib.rs", &format!("{LONG_FILE_REASON}one table.\n{long}")).is_empty());
    }
}
