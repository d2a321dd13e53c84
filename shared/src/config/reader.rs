use std::{borrow::Cow, cell::RefCell, collections::BTreeSet, fmt, ops::RangeInclusive, time::Duration};

use super::{Part, Variables, presets::Preset};

/// Reads the variables of some parts and collects their faults.
pub(super) struct Reader<'a> {
    parts: &'a [Part],
    vars: &'a Variables,
    /// The names that were asked for.
    asked: RefCell<BTreeSet<&'static str>>,
    /// Whether the table is on this machine, so that keys of development may be used.
    pub(super) is_local: bool,
    /// What it finds where a variable is not set.
    pub(super) preset: Option<&'static Preset>,
    faults: Vec<ConfigError>,
}

/// All faults of a configuration, by variable name, never by value.
#[derive(PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

#[derive(Debug, PartialEq, Eq)]
struct ConfigError {
    name: Cow<'static, str>,
    wrong: Cow<'static, str>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has faults:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {} {}", fault.name, fault.wrong))
    }
}

/// A function that cannot start prints its error in this form.
impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigErrors {}

impl<'a> Reader<'a> {
    pub(super) const fn new(parts: &'a [Part], vars: &'a Variables) -> Self {
        Self { parts, vars, asked: RefCell::new(BTreeSet::new()), is_local: false, preset: None, faults: Vec::new() }
    }

    pub(super) fn uses(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// What `read` reads of `part`. Nothing, if the function does not use it.
    pub(super) fn part<T: Default>(&mut self, part: Part, read: impl FnOnce(&mut Self) -> T) -> T {
        if self.uses(part) { read(self) } else { T::default() }
    }

    pub(super) fn fault(&mut self, name: impl Into<Cow<'static, str>>, wrong: impl Into<Cow<'static, str>>) {
        self.faults.push(ConfigError { name: name.into(), wrong: wrong.into() });
    }

    /// The names that were asked for.
    pub(super) fn into_asked(self) -> BTreeSet<&'static str> {
        self.asked.into_inner()
    }

    /// The names of those variables that are set, and that nothing has asked for.
    pub(super) fn ignored(&self, those: impl Fn(&str) -> bool) -> Vec<String> {
        let asked = self.asked.borrow();
        let names = self.vars.keys().filter(|name| those(name));
        names
            .filter(|name| {
                !asked.contains(name.as_str()) && self.vars.get(*name).is_some_and(|value| !value.trim().is_empty())
            })
            .cloned()
            .collect()
    }

    /// Whether one of those variables is set.
    pub(super) fn any_is_set(&self, those: impl Fn(&str) -> bool) -> bool {
        self.vars.iter().any(|(name, value)| those(name) && !value.trim().is_empty())
    }

    /// The parts that are read.
    pub(super) const fn parts(&self) -> &'a [Part] {
        self.parts
    }

    /// The faults, each as the name of a variable and what is wrong.
    pub(super) fn into_faults(self) -> impl Iterator<Item = (Cow<'static, str>, Cow<'static, str>)> {
        self.faults.into_iter().map(|ConfigError { name, wrong }| (name, wrong))
    }

    /// The trimmed value, or that of the preset. An empty one counts as not set.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        self.own(name).or_else(|| self.preset?.value(name, self.own("MFA_JWT_ISSUER").as_deref()))
    }

    /// Whether a variable is set itself.
    pub(super) fn is_set(&self, name: &'static str) -> bool {
        self.own(name).is_some()
    }

    fn own(&self, name: &'static str) -> Option<String> {
        self.asked.borrow_mut().insert(name);
        self.vars.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Whether trimming changes a value that is set.
    pub(super) fn is_padded(&self, name: &'static str) -> bool {
        self.vars.get(name).is_some_and(|value| !value.trim().is_empty() && value.trim() != value)
    }

    /// The value as `parse` reads it. Notes a fault if `parse` cannot read it.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        wrong: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.fault(name, wrong);
        }
        value
    }

    /// The value. Notes a fault if it is not set. One that is set but wrong has its fault already,
    /// and after a fault, [`Self::finish`] hands out nothing.
    pub(super) fn required<T: Default>(&mut self, name: &'static str, value: Option<T>) -> T {
        if value.is_none() && self.text(name).is_none() {
            self.fault(name, "is required");
        }
        value.unwrap_or_default()
    }

    pub(super) fn switch(&mut self, name: &'static str, default: bool) -> bool {
        let read = |text: &str| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.parsed(name, "must be true or false", read).unwrap_or(default)
    }

    pub(super) fn number<N>(&mut self, name: &'static str, default: N, allowed: RangeInclusive<N>) -> N
    where
        N: std::str::FromStr + PartialOrd + Copy,
    {
        let read = |text: &str| text.parse().ok().filter(|number| allowed.contains(number));
        self.parsed(name, "is not a number in the allowed range", read).unwrap_or(default)
    }

    pub(super) fn seconds(&mut self, name: &'static str, default: Duration, allowed: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, default.as_secs(), allowed))
    }

    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.faults.is_empty() { Ok(value) } else { Err(ConfigErrors(self.faults)) }
    }
}
