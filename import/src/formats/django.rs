use std::{
    collections::HashMap,
    io::{self, BufRead},
};

use serde_json::Value;

use crate::{
    ImportedAuthenticator, ImportedSecret, Problem, SecretEncoding,
    document::{Layout, each_element},
    fields::Fields,
    group::{Rows, UserKey, UserLine, UserLines},
    otpauth::{name, variant},
};

/// What a dump says of its users. Their devices and codes stand in it in any order.
#[derive(Default)]
struct Dump {
    /// The lines of each user, in the order of the users.
    users: Vec<(String, UserLines)>,
    /// Where in `users` each one is.
    places: HashMap<String, usize>,
    /// The user of each list of static tokens, by its primary key.
    lists: HashMap<u64, String>,
    /// The list that each static token belongs to.
    tokens: Vec<u64>,
}

pub(crate) fn read(input: impl BufRead, rows: &mut Rows<'_>) -> io::Result<()> {
    let mut dump = Dump::default();
    each_element(input, Layout::Elements, &mut |line, object| {
        if let Err(problem) = object.and_then(|object| dump.add(line, &object)) {
            rows.push(line, Err(problem));
        }
    })?;
    for (user, lines) in dump.with_counted_tokens() {
        rows.push_lines(UserKey::named(user), lines);
    }
    Ok(())
}

impl Dump {
    /// Adds an object. `Err` if nobody knows whose it is.
    fn add(&mut self, line: u64, object: &Value) -> Result<(), Problem> {
        let object = Fields::of(object, "")?;
        let model = object.text("model")?.ok_or_else(|| object.missing("model"))?;
        if !matches!(
            model,
            "otp_totp.totpdevice" | "otp_hotp.hotpdevice" | "otp_static.staticdevice" | "otp_static.statictoken"
        ) {
            return Ok(());
        }
        let fields = object.object("fields")?.ok_or_else(|| object.missing("fields"))?;
        if model == "otp_static.statictoken" {
            self.tokens.extend(fields.number("device")?);
            return Ok(());
        }
        // A device that was never confirmed counts for nobody.
        if fields.flag("confirmed")? == Some(false) {
            return Ok(());
        }
        let user = user_of(&fields)?;
        match model {
            "otp_static.staticdevice" => self.lists.extend(object.number("pk")?.map(|pk| (pk, user))),
            "otp_hotp.hotpdevice" => self.add_line(line, user, Err(Problem::Hotp)),
            _ => self.add_line(line, user, authenticator_of(&fields).map(UserLine::of)),
        }
        Ok(())
    }

    fn add_line(&mut self, number: u64, user: String, line: Result<UserLine, Problem>) {
        let next = self.users.len();
        let place = *self.places.entry(user.clone()).or_insert(next);
        match self.users.get_mut(place) {
            Some((_, lines)) => lines.push((number, line)),
            None => self.users.push((user, vec![(number, line)])),
        }
    }

    /// The lines of each user. The first one says how many static tokens there are.
    fn with_counted_tokens(self) -> impl Iterator<Item = (String, UserLines)> {
        let Self { users, lists, tokens, .. } = self;
        let mut counts: HashMap<String, u32> = HashMap::new();
        for user in tokens.iter().filter_map(|list| lists.get(list)) {
            *counts.entry(user.clone()).or_default() += 1;
        }
        users.into_iter().map(move |(user, mut lines)| {
            if let Some((_, Ok(first))) = lines.first_mut() {
                first.recovery_codes = counts.get(&user).copied();
            }
            (user, lines)
        })
    }
}

/// The user of a device: a primary key, or a natural one of one part.
fn user_of(fields: &Fields<'_>) -> Result<String, Problem> {
    if let Ok([Value::String(name)]) = fields.list("user") {
        return Ok(name.clone());
    }
    fields.id("user")?.ok_or_else(|| fields.missing("user"))
}

fn authenticator_of(fields: &Fields<'_>) -> Result<ImportedAuthenticator, Problem> {
    if fields.signed("t0")?.unwrap_or_default() != 0 {
        return Err(Problem::OtherStart);
    }
    let drift = fields.signed("drift")?.unwrap_or_default();
    if !(-1..=1).contains(&drift) {
        return Err(Problem::ClockOff(drift));
    }
    let key = fields.text("key")?.ok_or_else(|| fields.missing("key"))?;
    Ok(ImportedAuthenticator {
        secret: ImportedSecret::decode(key, SecretEncoding::Hex)?,
        variant: variant(None, fields.number("digits")?, fields.number("step")?)?,
        name: name(fields.text("name")?)?,
        // -1 is "never".
        last_step: fields.signed("last_t")?.and_then(|step| u64::try_from(step).ok()),
    })
}
