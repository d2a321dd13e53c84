//! Paths of requests, and the patterns of configured routes that they match.
//!
//! API Gateway, a proxy, a framework and the application's own code may each read the same path
//! differently: `/admin//x`, `/Admin/x`, `/%61dmin/x`, `/public/../admin/x`. If only one reading
//! were compared with the rules, the other spellings would pass under a laxer rule. So a path has
//! several readings here, and the rules of all of them must be met.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::RouteCall;

/// How often a path may be percent-decoded on its way: by API Gateway, and by the application.
const DECODINGS: usize = 2;

/// The path of a configured route, such as `/reports/{id}` or `/admin/{proxy+}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoutePath {
    spelled: Vec<Segment>,
    normalised: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `{id}`: exactly one segment.
    One,
    /// `{proxy+}`: all the segments that are left, and at least one.
    Rest,
}

impl RoutePath {
    /// Parses the path of a route key. `None` if API Gateway has no such route.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let has_other = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
        let path = text.strip_prefix('/').filter(|path| !path.contains(has_other))?;
        let spelled: Vec<_> = path.split('/').map(Segment::parse).collect::<Option<_>>()?;
        // Nothing comes after the rest.
        if spelled.iter().rev().skip(1).any(|segment| *segment == Segment::Rest) {
            return None;
        }
        let is_empty = |segment: &&Segment| matches!(segment, Segment::Literal(text) if text.is_empty());
        let normalised = spelled.iter().filter(|segment| !is_empty(segment)).map(Segment::normalised).collect();
        Some(Self { spelled, normalised })
    }

    /// Whether both stand for the same paths once spelling and names of parameters are left aside.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.normalised == other.normalised
    }

    pub(super) fn matches(&self, reading: &Reading) -> bool {
        let mut rest = reading.segments.iter();
        let pattern = if reading.is_spelled { &self.spelled } else { &self.normalised };
        for segment in pattern {
            let is_matched = match segment {
                Segment::Literal(text) => rest.next() == Some(text),
                Segment::One => rest.next().is_some_and(|segment| !segment.is_empty()),
                Segment::Rest => return rest.any(|segment| !segment.is_empty()),
            };
            if !is_matched {
                return false;
            }
        }
        rest.next().is_none()
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let (segment, name) = match inner {
            None => (Self::Literal(text.to_owned()), text),
            Some(name) => name.strip_suffix('+').map_or((Self::One, name), |name| (Self::Rest, name)),
        };
        let is_named = inner.is_none() || !name.is_empty();
        (is_named && !name.contains(['{', '}'])).then_some(segment)
    }

    fn normalised(&self) -> Self {
        match self {
            Self::Literal(text) => Self::Literal(folded(&decoded(text, DECODINGS))),
            Self::One => Self::One,
            Self::Rest => Self::Rest,
        }
    }
}

/// One way to read the path of a request.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reading {
    /// Whether this is the path letter by letter, to be compared with a route as it is configured.
    is_spelled: bool,
    segments: Vec<String>,
    /// Whether `.` or `..` was resolved, so that this is another path than API Gateway compared.
    pub(super) is_resolved: bool,
    /// Whether `$default` applies if no route matches this reading.
    pub(super) needs_a_route: bool,
}

impl Reading {
    /// All readings of the path of a request.
    pub(super) fn all(call: &RouteCall<'_>) -> BTreeSet<Self> {
        let filled = filled(call);
        // The name of a stage and the base path of a custom domain come before the path that API
        // Gateway compared with its routes, and no rule names them. If that path is certain,
        // nothing falls to `$default` because of them.
        let is_certain = filled.as_deref().is_some_and(|filled| call.path.ends_with(filled));
        let handed_on = Self::of(call.path, !is_certain);
        let without_stage: Vec<_> = handed_on.iter().filter_map(|reading| reading.without(call.stage?)).collect();
        let filled = filled.iter().flat_map(|path| Self::of(path, true));
        handed_on.into_iter().chain(without_stage).chain(filled).collect()
    }

    fn of(path: &str, needs_a_route: bool) -> Vec<Self> {
        let spelled = path.strip_prefix('/').unwrap_or(path).split('/').map(ToOwned::to_owned).collect();
        let mut all = vec![Self { is_spelled: true, segments: spelled, is_resolved: false, needs_a_route }];
        for times in 0..=DECODINGS {
            let path = decoded(path, times);
            // The key of the route was found for another path than this one, as with resolved dots.
            if let Some(path) = as_in_an_address(&path).filter(|cut| *cut != path) {
                let of_cut = Self::of(&path, needs_a_route).into_iter().filter(|reading| !reading.is_spelled);
                all.extend(of_cut.map(|reading| Self { is_resolved: true, ..reading }));
            }
        }
        for times in 1..=DECODINGS {
            // Some decode before they split at the slashes, some after.
            for before in 0..=times {
                let path = decoded(path, before).replace('\\', "/");
                let segments = path.split('/').map(|segment| folded(&decoded(segment, times - before)));
                let segments: Vec<_> = segments.filter(|segment| !segment.is_empty()).collect();
                let resolved = resolved(&segments);
                let is_resolved = resolved != segments;
                let reading = |segments, is_resolved| Self { is_spelled: false, segments, is_resolved, needs_a_route };
                all.extend([reading(segments, false), reading(resolved, is_resolved)]);
            }
        }
        all
    }

    /// This reading without the name of the stage. `None` if it does not begin with it.
    fn without(&self, stage: &str) -> Option<Self> {
        let (first, rest) = self.segments.split_first()?;
        let is_staged = folded(first) == folded(stage);
        is_staged.then(|| Self { segments: rest.to_vec(), ..*self })
    }
}

/// A text without the difference of cases, whichever of them the application folds to.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

/// The path that API Gateway compared with its routes: the path of the route key, with the values
/// of its parameters.
fn filled(call: &RouteCall<'_>) -> Option<String> {
    let (_, path) = call.key.split_once(' ')?;
    let value = |segment: &str| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        call.parameters.get(name.strip_suffix('+').unwrap_or(name)).cloned()
    };
    let fill = |segment: &str| value(segment).unwrap_or_else(|| segment.to_owned());
    let segments: Vec<_> = path.strip_prefix('/')?.split('/').map(fill).collect();
    Some(format!("/{}", segments.join("/")))
}

/// The segments without matrix parameters (`/x;a=b`), and with `.` and `..` resolved.
fn resolved(segments: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for segment in segments {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                all.pop();
            }
            name => all.push(name.to_owned()),
        }
    }
    all
}

/// What is left of a path if the application puts it into an address and reads that: it ends at a `?`
/// or `#`, and tabs, line ends and blanks at its end are dropped (WHATWG URL 4.4).
fn as_in_an_address(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next()?;
    let kept: String = path.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    Some(kept.trim_end_matches(|c: char| c <= ' ').to_owned())
}

/// The text, percent-decoded this often. A `%` that begins no escape stays.
pub(super) fn decoded(text: &str, times: usize) -> String {
    let once = |text: String, _| percent_decode_str(&text).decode_utf8_lossy().into_owned();
    (0..times).fold(text.to_owned(), once)
}
