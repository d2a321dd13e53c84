//! Files that are one JSON document, or several: their elements are handed on one by one.

use std::{
    cell::Cell,
    fmt,
    io::{self, BufRead, Read},
};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::Problem;

/// Where the elements are.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// A document is a list of elements, or is one.
    Elements,
    /// A document is an object whose lists of these names have the elements, or a list of such
    /// objects.
    Under(&'static [&'static str]),
}

type Sink<'a> = &'a mut dyn FnMut(u64, Result<Value, Problem>);

/// Hands on each element, with the line where it begins. Behind what is not JSON, nothing is found.
pub(crate) fn each_element(input: impl BufRead, layout: Layout, sink: Sink<'_>) -> io::Result<()> {
    let line = Cell::new(1);
    let mut json = serde_json::Deserializer::from_reader(CountedLines { input, line: &line });
    // It is at the end if only white space is left.
    while json.end().is_err() {
        match (Document { layout, line: &line, sink: &mut *sink }).deserialize(&mut json) {
            Ok(()) => {}
            Err(error) if error.is_io() => return Err(error.into()),
            Err(_) => {
                sink(line.get(), Err(Problem::FileNotJson));
                break;
            }
        }
    }
    Ok(())
}

/// Counts the lines of what was read. The JSON reader takes one byte at a time, so the count is
/// exact.
struct CountedLines<'a, R> {
    input: R,
    line: &'a Cell<u64>,
}

impl<R: BufRead> Read for CountedLines<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(bytes)?;
        let ends = bytes.iter().take(count).filter(|byte| **byte == b'\n').count();
        self.line.set(self.line.get() + u64::try_from(ends).unwrap_or_default());
        Ok(count)
    }
}

struct Document<'a> {
    layout: Layout,
    line: &'a Cell<u64>,
    sink: Sink<'a>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { layout, line, sink } = self;
        match layout {
            Layout::Elements => while list.next_element_seed(Element { line, sink: &mut *sink })?.is_some() {},
            Layout::Under(_) => while list.next_element_seed(Document { layout, line, sink: &mut *sink })?.is_some() {},
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { layout, line, sink } = self;
        let first_line = line.get();
        match layout {
            Layout::Elements => {
                let mut element = Map::new();
                while let Some((name, value)) = object.next_entry()? {
                    element.insert(name, value);
                }
                sink(first_line, Ok(Value::Object(element)));
            }
            Layout::Under(lists) => {
                let mut is_there = false;
                while let Some(name) = object.next_key::<String>()? {
                    if lists.contains(&name.as_str()) {
                        is_there = true;
                        object.next_value_seed(Document { layout: Layout::Elements, line, sink: &mut *sink })?;
                    } else {
                        object.next_value::<IgnoredAny>()?;
                    }
                }
                if !is_there {
                    sink(first_line, Err(Problem::NoList(lists.first().copied().unwrap_or_default())));
                }
            }
        }
        Ok(())
    }
}

struct Element<'a> {
    line: &'a Cell<u64>,
    sink: Sink<'a>,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let line = self.line.get();
        let element = serde::Deserialize::deserialize(deserializer)?;
        (self.sink)(line, Ok(element));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn elements(input: &str, layout: Layout) -> Vec<(u64, Result<Value, Problem>)> {
        let mut found = Vec::new();
        each_element(input.as_bytes(), layout, &mut |line, element| found.push((line, element))).expect("read");
        found
    }

    #[test]
    fn the_elements_of_one_or_more_documents_are_found_at_their_lines() {
        let input = "[{\"a\":\n1},\n\n{\"a\":2}]\n[]\n {\"a\":3}\n";
        let expected = [(1, 1), (4, 2), (6, 3)].map(|(line, a)| (line, Ok(json!({ "a": a }))));
        assert_eq!(elements(input, Layout::Elements), expected);
        let input = "{\"x\":[{}],\n\"users\":\n[{\"a\":1},\n{\"a\":2}],\"y\":[7]}";
        let expected = [(3, 1), (4, 2)].map(|(line, a)| (line, Ok(json!({ "a": a }))));
        assert_eq!(elements(input, Layout::Under(&["users"])), expected);
        assert_eq!(elements(&format!("[{input}]"), Layout::Under(&["users"])), expected);
        assert_eq!(elements(" \n", Layout::Elements), []);
    }

    #[test]
    fn what_is_not_json_is_told_where_it_is_and_what_stands_before_is_read() {
        let found = elements("[{\"a\":1},\n{\"a\":", Layout::Elements);
        assert_eq!(found, [(1, Ok(json!({ "a": 1 }))), (2, Err(Problem::FileNotJson))]);
        for no_document in ["7", "\"users\"", "<html>"] {
            assert_eq!(elements(no_document, Layout::Elements), [(1, Err(Problem::FileNotJson))], "{no_document}");
        }
        assert_eq!(elements("{\"realm\":\n\"x\"}", Layout::Under(&["users"])), [(1, Err(Problem::NoList("users")))]);
    }
}
