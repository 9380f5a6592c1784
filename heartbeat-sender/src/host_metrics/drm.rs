//! The graphics cards that Linux shows under `/sys/class/drm`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(super) const AMD: u32 = 0x1002;
pub(super) const NVIDIA: u32 = 0x10de;

pub(super) struct Card {
    /// Its place on the bus, by which all drivers number their devices.
    bus: OsString,
    pub(super) vendor: u32,
    /// The folder of its device.
    pub(super) device: PathBuf,
}

/// All cards that tell their vendor, in the order of their places on the bus; none where Linux shows none.
pub(super) fn cards(sysfs: &Path) -> io::Result<Vec<Card>> {
    let entries = match fs::read_dir(sysfs.join("class/drm")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.flatten().map(|entry| entry.path()).filter(|path| is_card(path));
    let mut cards: Vec<Card> = names.filter_map(|path| card(path.join("device"))).collect();
    cards.sort_by(|a, b| a.bus.cmp(&b.bus));
    Ok(cards)
}

/// Beside cards there are their connectors, `card0-DP-1`, and render nodes.
fn is_card(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.strip_prefix("card"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn card(device: PathBuf) -> Option<Card> {
    let bus = fs::read_link(&device).ok()?.file_name()?.to_owned();
    let vendor = fs::read_to_string(device.join("vendor")).ok()?;
    let vendor = u32::from_str_radix(vendor.trim().strip_prefix("0x")?, 16).ok()?;
    Some(Card { bus, vendor, device })
}
