//! What the application's own routes demand of a caller, for the authorizer.

use std::time::Duration;

use super::{Factor, Proof, Timestamp};

/// What one route demands beside a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteRequirement {
    /// Nothing.
    Token,
    /// A second factor that was passed.
    SecondFactor {
        /// How long ago a code was judged right, at most.
        max_age: Option<Duration>,
        /// The factors that will do. Empty: any.
        factors: Vec<Factor>,
    },
}

impl RouteRequirement {
    /// Whether a token that carries `proof` meets it at `now`.
    #[must_use]
    pub fn is_met(&self, proof: Option<&Proof>, now: Timestamp) -> bool {
        match (self, proof) {
            (Self::Token, _) => true,
            (Self::SecondFactor { .. }, None) => false,
            (Self::SecondFactor { max_age, factors }, Some(proof)) => {
                let fresh = max_age.is_none_or(|max_age| now.since(proof.auth_time) <= max_age);
                fresh && (factors.is_empty() || factors.contains(&proof.method))
            }
        }
    }

    /// Reads `token`, or `mfa` and what it must be: `mfa max_age=300 methods=totp,sms`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        match words.next()? {
            "token" if words.next().is_none() => return Some(Self::Token),
            "mfa" => {}
            _ => return None,
        }
        let (mut max_age, mut factors) = (None, Vec::new());
        for word in words {
            match word.split_once('=')? {
                ("max_age", seconds) if max_age.is_none() => max_age = Some(Duration::from_secs(seconds.parse().ok()?)),
                ("methods", names) if factors.is_empty() => {
                    factors = names.split(',').map(Factor::parse).collect::<Option<_>>()?;
                }
                _ => return None,
            }
        }
        Some(Self::SecondFactor { max_age, factors })
    }
}

/// What each route demands, by its route key as API Gateway has it: `POST /transfers`, or `$default` for all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRequirements(Vec<(String, RouteRequirement)>);

impl RouteRequirements {
    /// Reads `POST /transfers = mfa max_age=300 methods=totp,sms; GET /reports = mfa; $default = token`. `None` where an
    /// entry cannot be read, a route occurs twice, or `$default` is missing: what a mistyped route falls back to must be
    /// somebody's decision.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all: Vec<(String, RouteRequirement)> = Vec::new();
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (route, demand) = entry.split_once('=')?;
            let (method, path) = route.trim().split_once(' ').unwrap_or(("", route.trim()));
            let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
            let known = path == "$default" && method.is_empty() || path.starts_with('/') && is_method;
            if !known || all.iter().any(|(of, _)| of == route.trim()) {
                return None;
            }
            all.push((route.trim().to_owned(), RouteRequirement::parse(demand)?));
        }
        (all.is_empty() || all.iter().any(|(of, _)| of == "$default")).then_some(Self(all))
    }

    /// What the route demands; one that is not listed what `$default` does, and where nothing is listed a valid token.
    #[must_use]
    pub fn of(&self, route_key: &str) -> &RouteRequirement {
        let listed = |key: &str| self.0.iter().find(|(of, _)| of == key).map(|(_, demand)| demand);
        listed(route_key).or_else(|| listed("$default")).unwrap_or(&RouteRequirement::Token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LoginId, Method, ProofSession, SessionId};

    const NOW: Timestamp = Timestamp::from_secs(10_000);

    fn proof(method: Factor, age: u64) -> Proof {
        let login = LoginId([1; 8]);
        let session = ProofSession { id: SessionId([1; 16]), login, provenance: login, ends: NOW };
        Proof { security_epoch: 1, method, auth_time: Timestamp::from_secs(10_000 - age), session }
    }

    #[test]
    fn each_route_has_its_demand_and_the_others_the_default() {
        let routes = "POST /transfers = mfa max_age=300 methods=totp,sms; GET /reports/{id}=mfa ;$default= token;";
        let routes = RouteRequirements::parse(routes).expect("routes");
        let strict = RouteRequirement::SecondFactor {
            max_age: Some(Duration::from_mins(5)),
            factors: vec![Factor::Code(Method::Totp), Factor::Code(Method::Sms)],
        };
        assert_eq!(routes.of("POST /transfers"), &strict);
        assert_eq!(
            routes.of("GET /reports/{id}"),
            &RouteRequirement::SecondFactor { max_age: None, factors: Vec::new() }
        );
        assert_eq!(routes.of("GET /transfers"), &RouteRequirement::Token);
        let all = RouteRequirements::parse("$default = mfa").expect("routes");
        assert_eq!(all.of("GET /x"), &RouteRequirement::SecondFactor { max_age: None, factors: Vec::new() });
        assert_eq!(RouteRequirements::default().of("GET /x"), &RouteRequirement::Token);
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
            "POST /x = mfa often",
            "post /x = mfa",
            "/x = mfa",
            "POST x = mfa",
            "POST /x = mfa; POST /x = token",
            "= mfa",
            "POST /x = mfa",
        ] {
            assert_eq!(RouteRequirements::parse(bad), None, "{bad}");
        }
        assert_eq!(RouteRequirements::parse(" ; "), Some(RouteRequirements::default()));
    }

    #[test]
    fn a_second_factor_must_be_there_fresh_and_of_a_method_that_will_do() {
        let demand = RouteRequirement::parse("mfa max_age=300 methods=totp,sms").expect("a demand");
        assert!(demand.is_met(Some(&proof(Factor::Code(Method::Totp), 300)), NOW));
        assert!(!demand.is_met(Some(&proof(Factor::Code(Method::Totp), 301)), NOW));
        assert!(!demand.is_met(Some(&proof(Factor::Code(Method::Email), 0)), NOW));
        assert!(!demand.is_met(Some(&proof(Factor::TrustedDevice, 0)), NOW));
        assert!(!demand.is_met(None, NOW));
        assert!(
            RouteRequirement::parse("mfa")
                .is_some_and(|any| any.is_met(Some(&proof(Factor::Code(Method::Email), 9_000)), NOW))
        );
        assert!(RouteRequirement::Token.is_met(None, NOW));
    }
}
