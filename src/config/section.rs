//! Reading tables: each key is taken once, environment before file, and what nobody took is refused.
//!
//! In: a table of the file and the variables that stand over it. Out: typed values with their spots; problems gather in
//! the [`Reader`]. Knows no key by itself.

use toml_span::de_helpers::TableHelper;
use toml_span::value::Table;
use toml_span::{ErrorKind, Span};

use super::env::Setting;
use super::error::{Fault, Spot};
use super::reader::{Reader, key_shown};
use super::value::Given;

/// What became of one key.
#[derive(Debug)]
pub(super) enum Read<T> {
    /// Nobody gave it.
    Absent,
    /// Somebody gave it, and it was refused.
    Refused,
    /// It is good.
    Value(T, Spot),
}

impl<T> Read<T> {
    /// The value, or the default.
    ///
    /// A refused key gives the default too: reading goes on, but no configuration comes of it.
    pub(super) fn or(self, default: T) -> T {
        self.value().unwrap_or(default)
    }

    /// The value, if there is a good one.
    pub(super) fn value(self) -> Option<T> {
        self.with_spot().map(|(value, _)| value)
    }

    /// The value and where it stands.
    pub(super) fn with_spot(self) -> Option<(T, Spot)> {
        match self {
            Self::Value(value, spot) => Some((value, spot)),
            Self::Absent | Self::Refused => None,
        }
    }
}

impl Read<String> {
    /// The text and where it stands. An empty one is as good as none, so that a template may leave it empty.
    pub(super) fn given(self) -> Option<(String, Spot)> {
        self.with_spot().filter(|(text, _)| !text.is_empty())
    }
}

/// One table of the file, and the variables over its keys.
pub(super) struct Section<'r, 'de> {
    pub(super) reader: &'r mut Reader,
    pub(super) table: TableHelper<'de>,
    pub(super) at: Span,
    pub(super) path: String,
    /// Tables of an array have no variables: which of them would one mean?
    pub(super) variables: bool,
}

impl<'de> Section<'_, 'de> {
    /// Reads the file's table of all tables.
    pub(super) fn root<T>(
        reader: &mut Reader,
        table: Table<'de>,
        read: impl FnOnce(&mut Section<'_, 'de>) -> T,
    ) -> T {
        let at = Span::default();
        Section {
            reader,
            table: TableHelper::from((table, at)),
            at,
            path: String::new(),
            variables: true,
        }
        .read(read)
    }

    /// Reads the section, then refuses what was not taken.
    pub(super) fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let all = read(&mut self);
        self.refuse_unknown();
        all
    }

    /// The path of one of its keys.
    pub(super) fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// The spot of one of its keys.
    pub(super) fn spot_of(&self, name: &str, at: Span) -> Spot {
        Spot {
            place: self.reader.place(at.start),
            key: Some(self.path_of(name)),
        }
    }

    fn setting(&mut self, name: &str) -> Option<Setting> {
        let path = self.path_of(name);
        self.variables
            .then(|| self.reader.take_setting(&path))
            .flatten()
    }

    fn settle<T>(&mut self, spot: Spot, read: Result<T, Fault>) -> Read<T> {
        match read {
            Ok(value) => Read::Value(value, spot),
            Err(fault) => {
                self.reader.refuse(spot, fault);
                Read::Refused
            }
        }
    }

    /// Takes a single value.
    pub(super) fn scalar<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Given<'_>) -> Result<T, Fault>,
    ) -> Read<T> {
        let in_file = self.table.take(name);
        if let Some(setting) = self.setting(name) {
            if in_file.is_some() {
                self.reader.note_replaced(&setting, &self.path_of(name));
            }
            return self.settle(setting.spot(), parse(&Given::Variable(&setting.text)));
        }
        let Some((key, value)) = in_file else {
            return Read::Absent;
        };
        let spot = self.spot_of(name, key.span);
        self.settle(spot, parse(&Given::of(&value)))
    }

    /// Takes a list of values, or a single one; a variable separates them by commas. One bad item spoils the list.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        mut parse: impl FnMut(&Given<'_>) -> Result<T, Fault>,
    ) -> Read<Vec<(T, Spot)>> {
        let in_file = self.table.take(name);
        if let Some(setting) = self.setting(name) {
            let texts = setting.text.split(',').map(str::trim);
            let items = texts.filter(|text| !text.is_empty());
            let read = items.map(|text| (setting.spot(), parse(&Given::Variable(text))));
            let read: Vec<_> = read.collect();
            return self.settle_all(setting.spot(), read);
        }
        let Some((key, value)) = in_file else {
            return Read::Absent;
        };
        let spot = self.spot_of(name, key.span);
        let read = match value.as_array() {
            None => vec![(spot.clone(), parse(&Given::of(&value)))],
            Some(items) => {
                let numbered = items.iter().enumerate();
                let read = numbered.map(|(index, item)| {
                    let spot = self.spot_of(&format!("{name}[{index}]"), item.span);
                    (spot, parse(&Given::of(item)))
                });
                read.collect()
            }
        };
        self.settle_all(spot, read)
    }

    fn settle_all<T>(
        &mut self,
        spot: Spot,
        read: Vec<(Spot, Result<T, Fault>)>,
    ) -> Read<Vec<(T, Spot)>> {
        let settled = read.into_iter().map(|(spot, read)| self.settle(spot, read));
        let settled: Vec<_> = settled.collect();
        let all = settled.into_iter().map(Read::with_spot).collect();
        match all {
            Some(values) => Read::Value(values, spot),
            None => Read::Refused,
        }
    }

    /// Takes a table of free keys, in the order of the file.
    pub(super) fn pairs<T>(
        &mut self,
        name: &'static str,
        mut parse: impl FnMut(&Given<'_>, &Given<'_>) -> Result<T, Fault>,
    ) -> Vec<T> {
        let Some((_, table)) = self.take_table(name, "a table such as { \"/a\" = \"/b\" }") else {
            return Vec::new();
        };
        let mut pairs: Vec<_> = table.into_iter().collect();
        pairs.sort_by_key(|(key, _)| key.span.start);
        let read = pairs.iter().map(|(key, value)| {
            let spot = self.spot_of(&format!("{name}.{}", key_shown(&key.name)), key.span);
            let read = parse(&Given::Text(&key.name), &Given::of(value));
            self.settle(spot, read)
        });
        read.filter_map(Read::value).collect()
    }

    /// Refuses that a key is not there, at the line where its table begins.
    pub(super) fn refuse_missing(&mut self, name: &str, expected: &str) {
        let spot = self.spot_of(name, self.at);
        self.reader
            .refuse(spot, Fault::expected(expected, "nothing"));
    }

    /// Refuses that a key is not there which another one wants, at that one's line.
    pub(super) fn refuse_missing_beside(&mut self, other: &Spot, name: &str, expected: &str) {
        let spot = Spot {
            place: other.place.clone(),
            key: Some(self.path_of(name)),
        };
        self.reader
            .refuse(spot, Fault::expected(expected, "nothing"));
    }

    /// Refuses a key that people will try, with a better word than "unknown".
    pub(super) fn forbid(&mut self, name: &str, expected: &str, found: &str) {
        if let Some((key, _)) = self.table.table.remove_entry(name) {
            let spot = self.spot_of(name, key.span);
            self.reader.refuse(spot, Fault::expected(expected, found));
        }
    }

    fn refuse_unknown(self) {
        let Err(refused) = self.table.finalize(None) else {
            return;
        };
        for error in refused.errors {
            let ErrorKind::UnexpectedKeys { keys, expected } = error.kind else {
                continue;
            };
            for (name, at) in keys {
                self.reader.refuse_key(&self.path, &name, at, &expected);
            }
        }
    }
}
