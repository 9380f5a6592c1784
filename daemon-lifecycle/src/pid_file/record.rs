use std::fmt;

use super::process::{Process, boot_id};

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) owner: Process,
    pub(crate) boot: Option<String>,
    /// With the number of its process group.
    pub(crate) daemon: Option<(Process, u32)>,
}

impl Record {
    /// Reads what `Display` writes. Of what somebody else wrote, only a pid on the first line is understood.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let mut record = Self { owner: Process { pid, start: None }, boot: None, daemon: None };
        for line in lines {
            let mut words = line.split(' ');
            match words.next() {
                Some("start") => record.owner.start = words.next().and_then(|start| start.parse().ok()),
                Some("boot") => record.boot = words.next().map(str::to_owned),
                Some("daemon") => record.daemon = daemon(words),
                _ => {}
            }
        }
        Some(record)
    }

    /// The daemon, if it runs though its owner does not hold the file any more.
    pub(crate) fn daemon_left_behind(&self) -> Option<(Process, u32)> {
        let (daemon, group) = self.daemon?;
        let of_this_boot = self.boot.is_some() && self.boot == boot_id();
        (of_this_boot && daemon.start.is_some() && daemon.lives()).then_some((daemon, group))
    }
}

fn daemon<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<(Process, u32)> {
    let pid = words.next()?.parse().ok()?;
    let group = words.next()?.parse().ok()?;
    Some((Process { pid, start: words.next().and_then(|start| start.parse().ok()) }, group))
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.owner.pid)?;
        if let Some(start) = self.owner.start {
            writeln!(f, "start {start}")?;
        }
        if let Some(boot) = &self.boot {
            writeln!(f, "boot {boot}")?;
        }
        let Some((daemon, group)) = self.daemon else { return Ok(()) };
        write!(f, "daemon {} {group}", daemon.pid)?;
        daemon.start.map_or(Ok(()), |start| write!(f, " {start}"))?;
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Process, Record, boot_id};

    fn record() -> Record {
        Record {
            owner: Process { pid: 4_711, start: Some(100) },
            boot: Some("5f1c".to_owned()),
            daemon: Some((Process { pid: 4_720, start: Some(200) }, 4_719)),
        }
    }

    #[test]
    fn what_is_written_is_read_and_its_first_line_is_a_pid() {
        assert_eq!(record().to_string(), "4711\nstart 100\nboot 5f1c\ndaemon 4720 4719 200\n");
        assert_eq!(Record::parse(&record().to_string()), Some(record()));
        let bare = Record { owner: Process { pid: 7, start: None }, boot: None, daemon: None };
        assert_eq!(Record::parse(&bare.to_string()), Some(bare.clone()));
        assert_eq!(Record::parse(" 7\nwritten by another program"), Some(bare));
    }

    #[test]
    fn junk_is_nobody() {
        for junk in ["", "\n7", "-1", "seven", "start 100"] {
            assert_eq!(Record::parse(junk), None, "{junk:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_daemon_of_another_boot_or_start_is_not_left_behind() {
        let this = Process::this();
        let here = Record { boot: boot_id(), daemon: Some((this, 7)), ..record() };
        assert_eq!(here.daemon_left_behind(), Some((this, 7)));
        let other_boot = Record { boot: Some("5f1c".to_owned()), ..here.clone() };
        assert_eq!(other_boot.daemon_left_behind(), None);
        let other_start = Process { start: this.start.map(|start| start + 1), ..this };
        assert_eq!(Record { daemon: Some((other_start, 7)), ..here }.daemon_left_behind(), None);
    }
}
