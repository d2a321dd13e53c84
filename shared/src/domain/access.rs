//! What the application's own routes demand of a caller, for the authorizer.

mod path;

use std::{collections::HashMap, time::Duration};

use super::{Factor, LoginFactor, Proof, Timestamp};
use path::{Reading, RoutePath};

/// What one route demands in addition to a valid token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RouteRequirement {
    /// Nothing.
    #[default]
    Token,
    /// A second factor that was passed.
    SecondFactor {
        /// The longest time since a code was judged right.
        max_age: Option<Duration>,
        /// The factors that are enough. If it is empty, every factor is.
        factors: Vec<Factor>,
        /// Whether it is demanded only of users who must use MFA: those who switched it on, or
        /// everybody where the application requires it.
        if_enabled: bool,
    },
}

/// What a caller shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The second factor that was passed here.
    pub proof: Option<&'a Proof>,
    /// The second factor that the login says it asked for.
    pub login_factor: Option<LoginFactor>,
    /// Whether the user must use MFA ([`is_demanded`](super::gate::is_demanded)).
    pub demanded: bool,
}

impl RouteRequirement {
    /// Whether a caller meets it at `now`.
    #[must_use]
    pub fn is_met(&self, shown: &Shown<'_>, now: Timestamp) -> bool {
        let Self::SecondFactor { max_age, factors, if_enabled } = self else { return true };
        let is_fresh = |at: Timestamp| max_age.is_none_or(|max_age| now.since(at) <= max_age);
        let is_proven =
            |proof: &Proof| is_fresh(proof.auth_time) && (factors.is_empty() || factors.contains(&proof.method));
        // What the login asked for is none of our factors, and it is as old as the login says.
        let is_told = |told: LoginFactor| factors.is_empty() && told.auth_time.map_or(max_age.is_none(), is_fresh);
        *if_enabled && !shown.demanded || shown.proof.is_some_and(is_proven) || shown.login_factor.is_some_and(is_told)
    }

    /// Reads `token`, or `mfa` or `mfa-if-enabled` and what it must be:
    /// `mfa max_age=300 methods=totp,sms`, or `mfa phishing_resistant`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let if_enabled = match words.next()? {
            "token" if words.next().is_none() => return Some(Self::Token),
            "mfa" => false,
            "mfa-if-enabled" => true,
            _ => return None,
        };
        let (mut max_age, mut factors) = (None, Vec::new());
        for word in words {
            if word == PHISHING_RESISTANT && factors.is_empty() {
                factors = vec![Factor::passkey(false), Factor::passkey(true)];
                continue;
            }
            match word.split_once('=')? {
                ("max_age", seconds) if max_age.is_none() => max_age = Some(Duration::from_secs(seconds.parse().ok()?)),
                ("methods", names) if factors.is_empty() => {
                    factors = names.split(',').map(factors_named).collect::<Option<Vec<_>>>()?.concat();
                }
                _ => return None,
            }
        }
        Some(Self::SecondFactor { max_age, factors, if_enabled })
    }
}

/// Demands a factor that its browser or device shows to no other origin than the one it belongs to.
const PHISHING_RESISTANT: &str = "phishing_resistant";

/// The factors that people know by this name.
fn factors_named(name: &str) -> Option<Vec<Factor>> {
    let factor = Factor::parse(name).filter(|factor| factor.told() == name)?;
    Some(if factor.is_passkey() { vec![Factor::passkey(false), Factor::passkey(true)] } else { vec![factor] })
}

/// The request that is judged, as API Gateway describes it.
#[derive(Clone, Copy, Debug)]
pub struct RouteCall<'a> {
    /// The key of the route that API Gateway found: `POST /transfers`, `ANY /{proxy+}` or
    /// `$default`.
    pub key: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The path. It may begin with the name of the stage or the base path of a custom domain.
    pub path: &'a str,
    /// The values of the route key's path parameters.
    pub parameters: &'a HashMap<String, String>,
    /// The name of the stage.
    pub stage: Option<&'a str>,
}

/// What each route of the application demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRequirements {
    routes: Vec<Route>,
    /// What a request that matches no route demands.
    default: RouteRequirement,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    /// The route as it is configured: `POST /transfers`.
    key: String,
    method: String,
    path: RoutePath,
    requirement: RouteRequirement,
}

impl RouteRequirements {
    /// Reads
    /// `POST /transfers = mfa max_age=300 methods=totp,sms; GET /reports = mfa; $default = token`.
    ///
    /// `None` if an entry cannot be read, if two entries name the same route (however they spell
    /// it), or if `$default` is missing: somebody must decide what a mistyped route falls back to.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut routes, mut default) = (Vec::<Route>::new(), None);
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (key, requirement) = entry.split_once('=')?;
            let (key, requirement) = (key.trim(), RouteRequirement::parse(requirement)?);
            if key == "$default" {
                if default.replace(requirement).is_some() {
                    return None;
                }
                continue;
            }
            let route = Route::parse(key, requirement)?;
            if routes.iter().any(|other| other.method == route.method && other.path.is_alike(&route.path)) {
                return None;
            }
            routes.push(route);
        }
        if routes.is_empty() && default.is_none() {
            return Some(Self::default());
        }
        Some(Self { routes, default: default? })
    }

    /// Whether a caller meets at `now` what this request demands.
    ///
    /// It must meet every route that matches, because several may: `GET /reports/{id}` and
    /// `ANY /{proxy+}`. It must do so for every reading of the path, so that no spelling of a path
    /// gets a laxer verdict than the one that is configured.
    #[must_use]
    pub fn are_met(&self, call: &RouteCall<'_>, shown: &Shown<'_>, now: Timestamp) -> bool {
        Reading::all(call).iter().all(|reading| {
            let mut matching = self.routes.iter().filter(|route| route.matches(call, reading)).peekable();
            let falls_back = matching.peek().is_none() && reading.needs_a_route;
            (!falls_back || self.default.is_met(shown, now))
                && matching.all(|route| route.requirement.is_met(shown, now))
        })
    }
}

impl Route {
    fn parse(key: &str, requirement: RouteRequirement) -> Option<Self> {
        let (method, path) = key.split_once(' ')?;
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let path = RoutePath::parse(path)?;
        is_method.then(|| Self { key: key.to_owned(), method: method.to_owned(), path, requirement })
    }

    fn matches(&self, call: &RouteCall<'_>, reading: &Reading) -> bool {
        let is_routed_here = self.key == call.key && !reading.is_resolved;
        is_routed_here || self.takes(call.method) && self.path.matches(reading)
    }

    fn takes(&self, method: &str) -> bool {
        // Frameworks answer HEAD by the handler of GET.
        let is_get = self.method == "GET" && method.eq_ignore_ascii_case("HEAD");
        self.method == "ANY" || self.method.eq_ignore_ascii_case(method) || is_get
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{LoginId, Method, ProofSession, SessionId};

    const NOW: Timestamp = Timestamp::from_secs(10_000);

    fn proof(method: Factor, age: u64) -> Proof {
        let login = LoginId([1; 8]);
        let session = ProofSession { id: SessionId([1; 16]), login, provenance: login, ends: NOW };
        Proof { security_epoch: 1, method, auth_time: Timestamp::from_secs(10_000 - age), session }
    }

    fn shown(proof: Option<&Proof>) -> Shown<'_> {
        Shown { proof, demanded: true, login_factor: None }
    }

    fn routes(text: &str) -> RouteRequirements {
        RouteRequirements::parse(text).expect(text)
    }

    /// Which of some proofs, none among them, meet what is demanded of the request.
    fn met_by(routes: &RouteRequirements, call: &RouteCall<'_>) -> Vec<usize> {
        let totp = Factor::Code(Method::Totp);
        let proofs = [
            None,
            Some(proof(Factor::Code(Method::Email), 0)),
            Some(proof(Factor::Code(Method::Sms), 0)),
            Some(proof(totp, 0)),
            Some(proof(totp, 9_000)),
        ];
        let is_met = |index: &usize| routes.are_met(call, &shown(proofs[*index].as_ref()), NOW);
        (0..proofs.len()).filter(is_met).collect()
    }

    /// Which proofs meet it if API Gateway has one key for all routes, and no stage.
    fn met(routes: &RouteRequirements, method: &str, path: &str) -> Vec<usize> {
        met_by(routes, &RouteCall { key: "$default", method, path, parameters: &HashMap::new(), stage: None })
    }

    const ANYBODY: [usize; 5] = [0, 1, 2, 3, 4];
    const SECOND_FACTOR: [usize; 4] = [1, 2, 3, 4];

    #[test]
    fn each_route_has_its_demand_and_the_others_the_default() {
        let text = "POST /transfers = mfa max_age=300 methods=totp,sms; GET /reports/{id}=mfa ;$default= token;";
        let some = routes(text);
        assert_eq!(met(&some, "POST", "/transfers"), [2, 3]);
        assert_eq!(met(&some, "GET", "/reports/5"), SECOND_FACTOR);
        assert_eq!(met(&some, "HEAD", "/reports/5"), SECOND_FACTOR, "answered by the handler of GET");
        for (method, path) in
            [("GET", "/transfers"), ("POST", "/reports/5"), ("GET", "/reports"), ("GET", "/reports/5/x")]
        {
            assert_eq!(met(&some, method, path), ANYBODY, "{method} {path}");
        }
        assert_eq!(met(&routes("$default = mfa"), "GET", "/x"), SECOND_FACTOR);
        assert_eq!(met(&RouteRequirements::default(), "GET", "/x"), ANYBODY);
    }

    #[test]
    fn where_mfa_is_the_users_choice_only_those_who_must_use_it_show_a_factor() {
        let is_met = |requirement: &str, shown: &Shown<'_>| {
            RouteRequirement::parse(requirement).expect("a requirement").is_met(shown, NOW)
        };
        let (old, fresh) = (proof(Factor::Code(Method::Totp), 900), proof(Factor::Code(Method::Totp), 10));
        for demanded in [false, true] {
            let shown = |proof| Shown { proof, demanded, login_factor: None };
            assert_eq!(is_met("mfa-if-enabled", &shown(None)), !demanded);
            assert!(is_met("mfa-if-enabled max_age=60", &shown(Some(&fresh))));
            assert_eq!(is_met("mfa-if-enabled max_age=60", &shown(Some(&old))), !demanded);
            assert_eq!(is_met("mfa-if-enabled methods=sms", &shown(Some(&fresh))), !demanded);
            assert!(!is_met("mfa", &shown(None)));
        }
    }

    #[test]
    fn what_the_login_asked_for_is_as_old_as_it_says_and_no_factor_of_ours() {
        let is_met = |requirement: &str, auth_time: Option<u64>| {
            let auth_time = auth_time.map(|age| Timestamp::from_secs(10_000 - age));
            let shown = Shown { login_factor: Some(LoginFactor { auth_time }), demanded: true, proof: None };
            RouteRequirement::parse(requirement).expect("a requirement").is_met(&shown, NOW)
        };
        for requirement in ["mfa", "mfa-if-enabled"] {
            assert!(is_met(requirement, None) && is_met(requirement, Some(9_000)));
        }
        assert!(is_met("mfa max_age=300", Some(300)));
        assert!(!is_met("mfa max_age=300", Some(301)) && !is_met("mfa max_age=300", None));
        assert!(!is_met("mfa methods=totp", Some(0)) && !is_met("mfa methods=totp,sms,email", Some(0)));
    }

    #[test]
    fn of_several_routes_that_match_all_must_be_met() {
        let some = routes(
            "ANY /{proxy+} = token; ANY /admin/{proxy+} = mfa; POST /admin/users = mfa methods=sms,totp; \
             ANY /admin/users = mfa max_age=300; $default = mfa methods=email",
        );
        assert_eq!(met(&some, "GET", "/reports/5"), ANYBODY);
        assert_eq!(met(&some, "GET", "/admin/x/y"), SECOND_FACTOR);
        assert_eq!(met(&some, "GET", "/admin/users"), [1, 2, 3]);
        assert_eq!(met(&some, "POST", "/admin/users"), [2, 3]);
        assert_eq!(met(&some, "GET", "/"), [1], "no segment is left for {{proxy+}}");
    }

    #[test]
    fn the_key_is_no_match_for_the_path_that_dots_lead_to() {
        let some = routes("ANY /public/{proxy+} = token; GET /files/{name} = token; $default = mfa");
        for (key, name, value) in [
            ("ANY /public/{proxy+}", "proxy", "../admin"),
            ("ANY /public/{proxy+}", "proxy", "x/..%2f../admin"),
            ("GET /files/{name}", "name", "..%2fadmin"),
        ] {
            let parameters = HashMap::from([(name.to_owned(), value.to_owned())]);
            let path = format!("/{}/{value}", key.split('/').nth(1).expect("a folder"));
            let call = RouteCall { key, method: "GET", path: &path, parameters: &parameters, stage: None };
            assert_eq!(met_by(&some, &call), SECOND_FACTOR, "{path}");
        }
        let parameters = HashMap::from([("proxy".to_owned(), "a/../b".to_owned())]);
        let call = RouteCall {
            key: "ANY /public/{proxy+}",
            method: "GET",
            path: "/public/a/../b",
            parameters: &parameters,
            stage: None,
        };
        assert_eq!(met_by(&some, &call), ANYBODY, "it stays within the route");
    }

    #[test]
    fn what_an_address_ends_at_or_drops_gets_no_laxer_verdict() {
        let some = routes("POST /transfers = mfa; GET /a/b = mfa; $default = token");
        for path in [
            "/transfers#",
            "/transfers%23x",
            "/transfers%2523",
            "/transfers?x",
            "/transfers%3Fx",
            "/trans%0Afers",
            "/trans\tfers",
            "/transfers%20",
            "/transfers%00",
            "/transfers/%20",
            "/transfers%20#x",
            "/./transfers%23/..",
        ] {
            assert_eq!(met(&some, "POST", path), SECOND_FACTOR, "{path}");
        }
        assert_eq!(met(&some, "POST", "/transfers/5"), ANYBODY);
        let parameters = HashMap::from([("proxy".to_owned(), "b#x".to_owned())]);
        let call =
            RouteCall { key: "ANY /{proxy+}", method: "GET", path: "/a/b%23x", parameters: &parameters, stage: None };
        assert_eq!(met_by(&some, &call), SECOND_FACTOR);
    }

    #[test]
    fn letters_that_some_readers_fold_together_are_one() {
        let some = routes("POST /transfers = mfa; $default = token");
        assert_eq!(met(&some, "POST", "/tran%C5%BFfers"), SECOND_FACTOR);
        assert_eq!(met(&some, "POST", "/TRAN\u{17f}FERS"), SECOND_FACTOR);
    }

    #[test]
    fn the_key_that_api_gateway_found_is_a_match_whatever_the_path_looks_like() {
        let some = routes("GET /users/{id} = token; POST /transfers = mfa; $default = mfa methods=sms");
        let mut call = RouteCall {
            key: "GET /users/{id}",
            method: "GET",
            path: "/prod/users/A%2FB",
            parameters: &HashMap::new(),
            stage: Some("prod"),
        };
        assert_eq!(met_by(&some, &call), ANYBODY);
        call.key = "ANY /users/{id}";
        assert_eq!(met_by(&some, &call), [2], "may be read as /users/a/b");
        (call.key, call.method, call.path) = ("ANY /transfers", "POST", "/bank/v1/transfers");
        assert_eq!(met_by(&some, &call), SECOND_FACTOR);
    }

    #[test]
    fn a_stage_or_base_path_before_the_path_hides_no_route() {
        let some = routes("POST /transfers = mfa; GET /health = token; $default = mfa methods=sms");
        for (path, base) in [("/transfers", "/bank/v1"), ("/health", "/prod"), ("/x", "/bank"), ("/x", "")] {
            let parameters = HashMap::from([("proxy".to_owned(), path[1..].to_owned())]);
            let (path, stage) = (format!("{base}{path}"), Some("prod"));
            let call = |method| {
                met_by(&some, &RouteCall { key: "ANY /{proxy+}", method, path: &path, parameters: &parameters, stage })
            };
            let (post, get) = match &*path {
                "/bank/v1/transfers" => (&SECOND_FACTOR[..], &[2][..]),
                "/prod/health" => (&[2][..], &ANYBODY[..]),
                _ => (&[2][..], &[2][..]),
            };
            assert_eq!((&*call("POST"), &*call("GET")), (post, get), "{path}");
        }
    }

    #[test]
    fn an_escaped_slash_may_be_part_of_a_segment_or_end_it() {
        let some = routes("GET /reports/{id} = mfa; GET /reports/{id}/notes = mfa methods=sms; $default = token");
        for path in ["/reports/a%2Fb", "/Reports/a%2fb", "/REPORTS/a%252Fb"] {
            assert_eq!(met(&some, "GET", path), SECOND_FACTOR, "{path}");
        }
        assert_eq!(met(&some, "GET", "/Reports/a%2Fnotes"), [2]);
    }

    #[test]
    fn a_path_is_decoded_twice_at_most() {
        let some = routes("GET /admin = mfa; $default = token");
        for (path, met_by) in
            [("/%61dmin", &SECOND_FACTOR[..]), ("/%2561dmin", &SECOND_FACTOR), ("/%252561dmin", &ANYBODY)]
        {
            assert_eq!(met(&some, "GET", path), met_by, "{path}");
        }
    }

    #[test]
    fn a_lax_route_is_found_by_its_own_spelling_alone() {
        let some = routes("ANY /public/{proxy+} = token; ANY /transfers = mfa methods=sms; $default = mfa");
        assert_eq!(met(&some, "GET", "/public/x"), ANYBODY);
        for path in ["/Public/x", "/public%2Fx", "/public/a/../../x", "/public/%2E%2e/x", "/public/%252e%252e/x"] {
            assert_eq!(met(&some, "GET", path), SECOND_FACTOR, "{path}");
        }
        for path in
            ["/public/../transfers", "/public/..%2ftransfers", "/public/..\\transfers", "/public/../transfers;x"]
        {
            assert_eq!(met(&some, "GET", path), [2], "{path}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_whole() {
        for bad in [
            "POST /x",
            "POST /x = ",
            "POST /x = tokens",
            "POST /x = token max_age=3",
            "POST /x = mfa max_age=soon",
            "POST /x = mfa max_age=1 max_age=2",
            "POST /x = mfa methods=pigeon",
            "POST /x = mfa methods=",
            "POST /x = mfa methods=sms methods=totp",
            "POST /x = mfa often",
            "post /x = mfa",
            "/x = mfa",
            "POST x = mfa",
            "POST /x = mfa; POST /x = token",
            "= mfa",
            "POST /x = mfa; POST /X/ = token",
            "POST /x = mfa; POST //%78 = token",
            "GET /x/{id} = mfa; GET /x/{name} = token",
            "$default = mfa",
            "GET /x?y = mfa",
            "GET /x y = mfa",
            "GET /{} = mfa",
            "GET /{+} = mfa",
            "GET /a{x} = mfa",
            "GET /{x}{y} = mfa",
            "GET /{x+}/y = mfa",
        ] {
            assert_eq!(RouteRequirements::parse(&format!("{bad}; $default = token")), None, "{bad}");
        }
        assert_eq!(RouteRequirements::parse("POST /x = mfa"), None, "nobody decided what other routes demand");
        assert_eq!(RouteRequirements::parse(" ; "), Some(RouteRequirements::default()));
    }

    #[test]
    fn a_second_factor_must_be_there_fresh_and_of_a_method_that_will_do() {
        let demand = RouteRequirement::parse("mfa max_age=300 methods=totp,sms").expect("a demand");
        assert!(demand.is_met(&shown(Some(&proof(Factor::Code(Method::Totp), 300))), NOW));
        assert!(!demand.is_met(&shown(Some(&proof(Factor::Code(Method::Totp), 301))), NOW));
        assert!(!demand.is_met(&shown(Some(&proof(Factor::Code(Method::Email), 0))), NOW));
        assert!(!demand.is_met(&shown(Some(&proof(Factor::TrustedDevice, 0))), NOW));
        assert!(!demand.is_met(&shown(None), NOW));
        assert!(
            RouteRequirement::parse("mfa")
                .is_some_and(|any| any.is_met(&shown(Some(&proof(Factor::Code(Method::Email), 9_000))), NOW))
        );
        assert!(RouteRequirement::Token.is_met(&shown(None), NOW));
    }

    /// A route of small alphabets, so that routes overlap.
    fn any_route() -> impl Strategy<Value = (&'static str, String, &'static str)> {
        let method = prop::sample::select(vec!["ANY", "GET", "HEAD", "POST"]);
        let segment = prop::sample::select(vec!["a", "B", "aB", "{x}"]);
        let rest = prop::option::of(Just("{rest+}"));
        let path = (prop::collection::vec(segment, 0..3), rest).prop_map(|(path, rest)| {
            let named = path.iter().enumerate().map(|(at, segment)| segment.replace('x', &format!("x{at}")));
            format!("/{}", named.chain(rest.map(str::to_owned)).collect::<Vec<_>>().join("/"))
        });
        (method, path, any_requirement())
    }

    fn any_requirement() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["token", "mfa", "mfa max_age=300", "mfa methods=sms", "mfa methods=totp,email"])
    }

    /// Draws from the random numbers that a test case was given.
    struct Draws(std::vec::IntoIter<u32>);

    impl Draws {
        fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
            all[self.0.next().map_or(0, |number| number as usize % all.len())]
        }

        /// Another spelling of a plain path.
        fn respell(&mut self, path: &str) -> String {
            let mut spelled = String::new();
            for segment in path.split('/').skip(1) {
                spelled += self.one_of(&["/", "/", "//", "/./", "/zz/../", "\\", "%2F", "%252f", "%5C", "/;v=1/"]);
                for letter in segment.chars() {
                    let letter = if self.one_of(&[true, false]) { letter.to_ascii_uppercase() } else { letter };
                    let escaped = format!("%{:02x}", u32::from(letter));
                    spelled += match self.one_of(&[0, 0, 0, 1, 2]) {
                        0 => letter.to_string(),
                        1 => escaped,
                        _ => escaped.replace('%', "%25"),
                    }
                    .as_str();
                }
                spelled += self.one_of(&["", "", "", ";v=1", "%3Bv"]);
            }
            spelled + self.one_of(&["", "", "/", "//", "/.", "%2f"])
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_spelling_of_a_path_gets_a_laxer_verdict_than_the_plain_one(
            all in prop::collection::vec(any_route(), 1..6),
            default in any_requirement(),
            values in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "q7"]), 6),
            draws in prop::collection::vec(any::<u32>(), 80),
        ) {
            let mut entries: Vec<_> = all.iter().map(|(method, path, demand)| format!("{method} {path} = {demand}")).collect();
            entries.push(format!("$default = {default}"));
            let Some(routes) = RouteRequirements::parse(&entries.join(";")) else { return Ok(()) };
            let mut draws = Draws(draws.into_iter());

            // A path of the first route, spelled as it is configured, or one that no route names.
            let first = (all[0].0, all[0].1.as_str());
            let (configured, pattern) = draws.one_of(&[first, first, first, ("ANY", "/zz9/q")]);
            let (mut plain, mut parameters, mut values) = (String::new(), HashMap::new(), values.into_iter());
            for segment in pattern.split('/').skip(1) {
                let value = match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => {
                        let value = values.by_ref().take(if name == "rest+" { 2 } else { 1 }).collect::<Vec<_>>().join("/");
                        parameters.insert(name.trim_end_matches('+').to_owned(), value.clone());
                        value
                    }
                    None => segment.to_owned(),
                };
                plain.push('/');
                plain += &value;
            }
            let method = if configured == "ANY" { draws.one_of(&["GET", "HEAD", "POST"]) } else { configured };
            let own_key = format!("{configured} {pattern}");
            let call = RouteCall { key: &own_key, method, path: &plain, parameters: &parameters, stage: None };
            let wanted = met_by(&routes, &call);
            prop_assert_eq!(&met(&routes, method, &plain), &wanted, "the key of a route and its path say the same");

            let spelled = draws.respell(&plain);
            let base = draws.one_of(&["", "", "/prod", "/bank/v1"]);
            let proxy = spelled.strip_prefix('/').unwrap_or(&spelled).to_owned();
            // Whether API Gateway decodes what it finds for a parameter must make no difference.
            let found = if draws.one_of(&[true, false]) { path::decoded(&proxy, 1) } else { proxy };
            parameters.insert("proxy".to_owned(), found);
            let any_key = format!("ANY {pattern}");
            // If the key is `$default`, an event does not say which part of the path is the base
            // path of a custom domain.
            let keys = if base == "/bank/v1" { &["ANY /{proxy+}"][..] } else { &["ANY /{proxy+}", "$default", &any_key] };
            // Somebody decided an entry for HEAD on purpose.
            let names_head = all.iter().any(|(of, ..)| *of == "HEAD");
            let spellings = if names_head { &["GET", "get"][..] } else { &["GET", "HEAD", "get"] };
            let method = if method == "GET" { draws.one_of(spellings) } else { method };
            let path = format!("{base}{spelled}");
            let key = draws.one_of(keys);
            let call = RouteCall { key, method, path: &path, parameters: &parameters, stage: Some("prod") };
            for met in met_by(&routes, &call) {
                prop_assert!(wanted.contains(&met), "{entries:?}: {call:?} is laxer than {method} {plain}");
            }
        }
    }
}
