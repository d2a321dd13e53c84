//! A model of the alarms of `template.yaml`: from the metrics of log lines, by period, statistic,
//! formula and threshold. Its periods begin at whole minutes of the hour, and metrics arrive at once.
//! In `CloudWatch` the newest period slides, and metrics arrive a minute or two late.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Seconds in the smallest period.
const MINUTE: u64 = 60;

/// Metrics, and the alarms that watch them.
pub struct Watch {
    alarms: Vec<Alarm>,
    filters: Vec<Filter>,
    /// The values of each metric, such as `MFA/Locks`, in each minute.
    values: BTreeMap<(String, u64), Vec<f64>>,
}

/// An alarm of the template.
pub struct Alarm {
    /// Its logical name.
    pub name: String,
    /// The metrics that it watches.
    pub metrics: BTreeSet<String>,
    inputs: Vec<Input>,
    formulas: Vec<(String, String)>,
    period: u64,
    periods: u64,
    datapoints: u64,
    threshold: f64,
    ignores_missing: bool,
}

/// A filter of the template, which makes a metric of the lines that hold one of its texts.
struct Filter {
    any_of: Vec<String>,
    metric: String,
}

impl Filter {
    fn read(of: &Value) -> Self {
        let pattern = text(&of["FilterPattern"]);
        // `?"one" ?"other"`: each text is optional, so one of them suffices.
        let any_of: Vec<_> = pattern.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        assert_eq!(pattern.matches('?').count(), any_of.len(), "{pattern}");
        let made = &of["MetricTransformations"][0];
        Self { any_of, metric: format!("{}/{}", text(&made["MetricNamespace"]), text(&made["MetricName"])) }
    }
}

struct Input {
    id: String,
    metric: String,
    statistic: String,
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a whole number")
}

impl Alarm {
    fn read(name: &str, of: &Value, spend_limit: f64) -> Self {
        let metric = |of: &Value| format!("{}/{}", text(&of["Namespace"]), text(&of["MetricName"]));
        let (inputs, formulas, period) = match of["Metrics"].as_array() {
            None => {
                let statistic = if of["Statistic"].is_null() { &of["ExtendedStatistic"] } else { &of["Statistic"] };
                let input = Input { id: "value".to_owned(), metric: metric(of), statistic: text(statistic) };
                (vec![input], Vec::new(), number(&of["Period"]))
            }
            Some(parts) => {
                let (read, computed): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part["MetricStat"].is_object());
                let returned: Vec<_> = parts.iter().filter(|part| part["ReturnData"] != false).collect();
                assert!(returned.len() == 1 && returned[0] == parts.last().expect("parts"), "{name}: the last decides");
                let inputs = read.iter().map(|part| Input {
                    id: text(&part["Id"]),
                    metric: metric(&part["MetricStat"]["Metric"]),
                    statistic: text(&part["MetricStat"]["Stat"]),
                });
                let formulas = computed.iter().map(|part| (text(&part["Id"]), text(&part["Expression"]))).collect();
                (inputs.collect(), formulas, number(&read[0]["MetricStat"]["Period"]))
            }
        };
        assert_eq!(of["ComparisonOperator"], "GreaterThanOrEqualToThreshold", "{name}");
        Self {
            name: name.to_owned(),
            metrics: inputs.iter().map(|input: &Input| input.metric.clone()).collect(),
            inputs,
            formulas,
            period,
            periods: number(&of["EvaluationPeriods"]),
            datapoints: number(&of["DatapointsToAlarm"]),
            threshold: of["Threshold"].as_f64().unwrap_or(spend_limit),
            ignores_missing: of["TreatMissingData"] == "ignore",
        }
    }

    /// The value in the period that begins at `from`.
    fn value(&self, watch: &Watch, from: u64) -> Option<f64> {
        let mut known: BTreeMap<&str, Option<f64>> = BTreeMap::new();
        for input in &self.inputs {
            known.insert(&input.id, watch.statistic(&input.metric, &input.statistic, from, self.period));
        }
        let mut last = self.inputs.first().and_then(|input| known[input.id.as_str()]);
        for (id, formula) in &self.formulas {
            last = evaluate(formula, &known);
            known.insert(id, last);
        }
        last
    }

    /// Whether it rings at `now`, by the periods that have ended.
    fn rings(&self, watch: &Watch, now: u64) -> bool {
        let end = now / self.period * self.period;
        let starts = (1..=self.periods).map(|n| end.saturating_sub(n * self.period));
        let mut values: Vec<_> = starts.map(|from| self.value(watch, from)).collect();
        if self.ignores_missing && values.iter().all(Option::is_none) {
            // The state stays as the last value left it.
            let metric = &self.inputs.first().expect("a metric").metric;
            values = vec![watch.latest(metric)];
        }
        let breaching = values.iter().flatten().filter(|value| **value >= self.threshold).count();
        u64::try_from(breaching).is_ok_and(|count| count >= self.datapoints)
    }
}

impl Watch {
    /// The alarms of a template. `spend_limit` is the parameter `SmsSpendAlarmUsd`.
    #[must_use]
    pub fn of(template: &Value, spend_limit: f64) -> Self {
        let resources = template["Resources"].as_object().expect("resources");
        let alarms = resources.iter().filter(|(_, of)| of["Type"] == "AWS::CloudWatch::Alarm");
        let alarms = alarms.map(|(name, of)| Alarm::read(name, &of["Properties"], spend_limit)).collect();
        let filters = resources.iter().filter(|(_, of)| of["Type"] == "AWS::Logs::MetricFilter");
        let filters = filters.map(|(_, of)| Filter::read(&of["Properties"])).collect();
        Self { alarms, filters, values: BTreeMap::new() }
    }

    /// The alarms.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// Takes a log line, as `CloudWatch` does, and as API Gateway measures its request at `now`, in
    /// seconds.
    pub fn take(&mut self, line: &Value, now: u64) {
        let directive = &line["_aws"];
        for metric in directive["CloudWatchMetrics"][0]["Metrics"].as_array().into_iter().flatten() {
            let name = text(&metric["Name"]);
            let value = line[&name].as_f64().expect("the value of a metric");
            self.add(&format!("MFA/{name}"), number(&directive["Timestamp"]) / 1000, value);
        }
        self.add("AWS/ApiGateway/Latency", now, line["duration_ms"].as_f64().unwrap_or_default());
    }

    /// Takes a line that Lambda itself writes.
    pub fn take_text(&mut self, line: &str, now: u64) {
        let fits = |filter: &&Filter| filter.any_of.iter().any(|text| line.contains(text));
        let made: Vec<_> = self.filters.iter().filter(fits).map(|filter| filter.metric.clone()).collect();
        for metric in made {
            self.add(&metric, now, 1.0);
        }
    }

    /// Adds a value that AWS itself measures. `at` is in seconds.
    pub fn add(&mut self, metric: &str, at: u64, value: f64) {
        self.values.entry((metric.to_owned(), at / MINUTE)).or_default().push(value);
    }

    /// The alarms that ring at `now`, in seconds.
    #[must_use]
    pub fn ringing(&self, now: u64) -> BTreeSet<&str> {
        self.alarms.iter().filter(|alarm| alarm.rings(self, now)).map(|alarm| alarm.name.as_str()).collect()
    }

    /// Forgets what is older than `before`, in seconds.
    pub fn forget(&mut self, before: u64) {
        self.values.retain(|(_, minute), _| *minute >= before / MINUTE);
    }

    /// The sum of a metric between two times, in seconds.
    #[must_use]
    pub fn sum(&self, metric: &str, from: u64, to: u64) -> f64 {
        let minutes = from / MINUTE..to.div_ceil(MINUTE);
        minutes.filter_map(|minute| self.values.get(&(metric.to_owned(), minute))).flatten().sum()
    }

    fn statistic(&self, metric: &str, statistic: &str, from: u64, period: u64) -> Option<f64> {
        let minutes = from / MINUTE..(from + period) / MINUTE;
        let values = minutes.filter_map(|minute| self.values.get(&(metric.to_owned(), minute))).flatten();
        let mut values: Vec<_> = values.copied().collect();
        values.sort_by(f64::total_cmp);
        let highest = *values.last()?;
        Some(match statistic {
            "Sum" => values.iter().sum(),
            "Average" => values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).expect("few")),
            "Maximum" => highest,
            "p90" => values[(values.len() * 90).div_ceil(100) - 1],
            other => panic!("the statistic {other}"),
        })
    }

    fn latest(&self, metric: &str) -> Option<f64> {
        let mut of_metric = self.values.iter().filter(|((name, _), _)| name == metric);
        of_metric.next_back().and_then(|(_, values)| values.last().copied())
    }
}

/// Computes a formula of metric math. A metric without a value makes no value, except in `FILL`.
fn evaluate(formula: &str, known: &BTreeMap<&str, Option<f64>>) -> Option<f64> {
    let spaced = ["(", ")", ",", "+", "-", "*", "/"]
        .iter()
        .fold(formula.to_owned(), |text, sign| text.replace(sign, &format!(" {sign} ")));
    let mut parser = Parser { tokens: spaced.split_whitespace().collect(), next: 0, known };
    let value = parser.either();
    assert_eq!(parser.next, parser.tokens.len(), "all of {formula} is read");
    value
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    next: usize,
    known: &'a BTreeMap<&'a str, Option<f64>>,
}

impl Parser<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.next).copied().unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) {
        assert!(self.take(token), "{token} at {} of {:?}", self.next, self.tokens);
    }

    fn either(&mut self) -> Option<f64> {
        let mut value = self.both();
        while self.take("OR") {
            let other = self.both();
            value = value.zip(other).map(|(left, right)| truth(left > 0.0 || right > 0.0));
        }
        value
    }

    fn both(&mut self) -> Option<f64> {
        let mut value = self.comparison();
        while self.take("AND") {
            let other = self.comparison();
            value = value.zip(other).map(|(left, right)| truth(left > 0.0 && right > 0.0));
        }
        value
    }

    fn comparison(&mut self) -> Option<f64> {
        let value = self.sum();
        let compare: fn(&f64, &f64) -> bool = match self.peek() {
            ">=" => f64::ge,
            ">" => f64::gt,
            _ => return value,
        };
        self.next += 1;
        let other = self.sum();
        value.zip(other).map(|(left, right)| truth(compare(&left, &right)))
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product();
        loop {
            if self.take("+") {
                let other = self.product();
                value = value.zip(other).map(|(left, right)| left + right);
            } else if self.take("-") {
                let other = self.product();
                value = value.zip(other).map(|(left, right)| left - right);
            } else {
                return value;
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.term();
        while self.take("*") {
            let other = self.term();
            value = value.zip(other).map(|(left, right)| left * right);
        }
        value
    }

    fn term(&mut self) -> Option<f64> {
        if self.take("(") {
            let value = self.either();
            self.expect(")");
            return value;
        }
        let token = self.peek().to_owned();
        self.next += 1;
        match token.as_str() {
            "FILL" => {
                self.expect("(");
                let value = self.either();
                self.expect(",");
                let otherwise = self.either();
                self.expect(")");
                value.or(otherwise)
            }
            "IF" => {
                self.expect("(");
                let condition = self.either();
                self.expect(",");
                let (yes, no) = (self.either(), {
                    self.expect(",");
                    self.either()
                });
                self.expect(")");
                if condition? > 0.0 { yes } else { no }
            }
            name => match name.parse() {
                Ok(number) => Some(number),
                Err(_) => *self.known.get(name).unwrap_or_else(|| panic!("{name} is no id before it")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_computed_as_it_is_written() {
        let known = BTreeMap::from([("a", Some(2.0)), ("none", None)]);
        for (formula, value) in [
            ("a + 3 * a - 1", Some(7.0)),
            ("none + 1", None),
            ("FILL(none, 0) + 1", Some(1.0)),
            ("IF(a >= 2 AND a > 2, 1, 0)", Some(0.0)),
            ("IF((a > 2 AND a > 0) OR (a >= 2 AND a >= 0.5 * a), a, 0)", Some(2.0)),
            ("IF(none > 1, 1, 0)", None),
            ("IF((none > 1 AND a > 1) OR a > 1, 1, 0)", None),
        ] {
            assert_eq!(evaluate(formula, &known), value, "{formula}");
        }
    }
}
