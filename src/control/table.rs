//! The fleet as a table that a tired operator can read. Pure.

use super::reply::{FleetReply, RelayReply, printable};

const HEAD: [&str; 7] = [
    "RELAY",
    "HEALTH",
    "STATE",
    "LISTENERS",
    "PENDING",
    "LOAD",
    "TAKES LISTENERS",
];

/// Which columns hold numbers, to be read from the right.
const NUMBERS: [bool; 7] = [false, false, false, true, true, true, false];

type Row = [String; 7];

/// A line of words over one for each relay, and a sum below.
pub fn of(fleet: &FleetReply) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(fleet.relays.iter().map(row));
    let widths = widths(&rows);
    let lines = rows.iter().map(|row| line(row, &widths));
    lines.chain([sum(fleet)]).collect()
}

fn row(relay: &RelayReply) -> Row {
    let listeners = match relay.capacity {
        Some(capacity) => format!("{}/{capacity}", relay.listeners),
        None => relay.listeners.to_string(),
    };
    [
        relay.name.clone(),
        relay.health.clone(),
        relay.admin_state.clone(),
        listeners,
        relay.pending.to_string(),
        format!("{:.2}", relay.load),
        takes_listeners(relay),
    ]
    .map(|cell| printable(&cell))
}

/// Whether it does, why it does not, and what its last poll complained of.
fn takes_listeners(relay: &RelayReply) -> String {
    match (&relay.ineligible, &relay.reason) {
        (None, None) => "yes".to_owned(),
        (None, Some(reason)) => format!("yes, but the last poll failed: {reason}"),
        (Some(bar), None) => format!("no: {bar}"),
        (Some(bar), Some(reason)) => format!("no: {bar} ({reason})"),
    }
}

fn widths(rows: &[Row]) -> [usize; 7] {
    rows.iter().fold([0; 7], |mut widths, row| {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
        widths
    })
}

fn line(row: &Row, widths: &[usize; 7]) -> String {
    let cells = row.iter().zip(widths).zip(NUMBERS);
    let padded = cells.map(|((cell, &width), is_number)| match is_number {
        true => format!("{cell:>width$}"),
        false => format!("{cell:<width$}"),
    });
    let padded: Vec<String> = padded.collect();
    format!("{}\n", padded.join("  ").trim_end())
}

fn sum(fleet: &FleetReply) -> String {
    let relays = &fleet.relays;
    let taking = relays.iter().filter(|relay| relay.ineligible.is_none());
    let listeners: u64 = relays.iter().map(|relay| u64::from(relay.listeners)).sum();
    let pending: u64 = relays.iter().map(|relay| u64::from(relay.pending)).sum();
    let not_yet = match fleet.ready {
        true => "",
        false => "; not ready: the first round of polls is not over",
    };
    format!(
        "{} of {} relays take listeners; {listeners} listeners, {pending} pending{not_yet}\n",
        taking.count(),
        relays.len(),
    )
}
