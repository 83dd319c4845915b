//! Tables in tables: sections that are there once, and arrays of tables.
//!
//! In: a [`Section`] and the name of one of its keys. Out: whatever the given function reads of each table in it.

use toml_span::Span;
use toml_span::de_helpers::TableHelper;
use toml_span::value::{Table, Value, ValueInner};

use super::error::Fault;
use super::section::Section;
use super::value::Given;

impl<'de> Section<'_, 'de> {
    /// Takes a key whose value must be a table.
    pub(super) fn take_table(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Option<(Span, Table<'de>)> {
        let (key, mut value) = self.table.take(name)?;
        match value.take() {
            ValueInner::Table(table) => Some((value.span, table)),
            other => {
                value.set(other);
                let spot = self.spot_of(name, key.span);
                let fault = Given::of(&value).instead_of(expected);
                self.reader.refuse(spot, fault);
                None
            }
        }
    }

    /// Reads a section that is there once; where the file has none, its variables and defaults still count.
    pub(super) fn section<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_, 'de>) -> T,
    ) -> T {
        let found = self.take_table(name, &format!("a section [{name}]"));
        let (at, table) = found.unwrap_or_default();
        let path = self.path_of(name);
        self.inner(path, at, table, self.variables).read(read)
    }

    fn inner(
        &mut self,
        path: String,
        at: Span,
        table: Table<'de>,
        variables: bool,
    ) -> Section<'_, 'de> {
        Section {
            reader: self.reader,
            table: TableHelper::from((table, at)),
            at,
            path,
            variables,
        }
    }

    /// Reads every `[[name]]`; one that is no table counts as tried.
    pub(super) fn tables<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_, 'de>) -> T,
    ) -> Vec<Option<T>> {
        let Some((key, mut value)) = self.table.take(name) else {
            return Vec::new();
        };
        let expected = format!("sections [[{name}]]");
        let ValueInner::Array(items) = value.take() else {
            let spot = self.spot_of(name, key.span);
            self.reader
                .refuse(spot, Fault::expected(expected, "something else"));
            return vec![None];
        };
        let numbered = items.into_iter().enumerate();
        numbered
            .map(|(index, item)| self.numbered(&format!("{name}[{index}]"), item, &mut read))
            .collect()
    }

    fn numbered<T>(
        &mut self,
        name: &str,
        mut item: Value<'de>,
        read: impl FnOnce(&mut Section<'_, 'de>) -> T,
    ) -> Option<T> {
        let at = item.span;
        match item.take() {
            ValueInner::Table(table) => {
                let path = self.path_of(name);
                Some(self.inner(path, at, table, false).read(read))
            }
            _ => {
                let spot = self.spot_of(name, at);
                self.reader
                    .refuse(spot, Fault::expected("a table", "something else"));
                None
            }
        }
    }
}
