//! Which step of the rotation of sealing keys is next. Old and new functions serve side by side while
//! a deployment rolls out, so a key is first known everywhere, and only then seals.

use std::collections::BTreeMap;

use mfa_admin_function::{Command, Reply, SEALED_BY};
use serde_json::json;

use crate::{
    all_users::{self, counted},
    functions::Functions,
    print, print_json, unexpected,
};

pub(crate) async fn run(functions: &Functions<'_>) -> Result<(), String> {
    let keys = match functions.ask(Command::SealingKeys).await? {
        Reply::SealingKeys(keys) => keys,
        other => return Err(unexpected(&other)),
    };
    let progress = all_users::look(functions, Command::Check).await?;
    let sealed: BTreeMap<_, _> =
        progress.counts.iter().filter_map(|(name, count)| Some((name.strip_prefix(SEALED_BY)?, *count))).collect();
    let next = next_step(&keys, &sealed);
    if functions.target.json {
        let keys: Vec<_> = keys.iter().map(|id| json!({ "id": id, "items": count(&sealed, id) })).collect();
        print_json(&json!({ "keys": keys, "next": next }));
        return Ok(());
    }
    for (place, id) in keys.iter().enumerate() {
        let role = if place == 0 { "seals" } else { "opens" };
        print(&format!("{id}: {role}, and sealed {}\n", counted(count(&sealed, id), "item")));
    }
    print(&format!("\n{next}\n"));
    Ok(())
}

fn count(sealed: &BTreeMap<&str, u64>, id: &str) -> u64 {
    sealed.get(id).copied().unwrap_or_default()
}

/// What is to be done next, from the keys that are deployed (the first one seals) and how many items
/// each sealed.
fn next_step(keys: &[String], sealed: &BTreeMap<&str, u64>) -> String {
    let missing: Vec<_> = sealed.keys().filter(|id| keys.iter().all(|key| key != *id)).copied().collect();
    if !missing.is_empty() {
        return format!(
            "Items are sealed with {}, which is not deployed, so their users get errors. Put it back behind the key that \
             seals, and deploy.",
            missing.join(", ")
        );
    }
    match keys {
        [] => "No sealing key is deployed.".to_owned(),
        [only] => format!(
            "One key is deployed. To rotate, add a new one behind it (MFA_SEALING_KEYS={only}:…,NEW:…) with \
             MFA_SEALING_KEY={only}, and deploy. Then run this again."
        ),
        [seals, others @ ..] => {
            let left: u64 = others.iter().map(|id| count(sealed, id)).sum();
            let newest_unused = others.iter().find(|id| count(sealed, id) == 0);
            match (left, newest_unused) {
                (0, _) if count(sealed, seals) > 0 => format!(
                    "Nothing is sealed with {}. If that is the old key, remove it from the list, and deploy: then the \
                     rotation is over. If it is the new one, let it seal (MFA_SEALING_KEY={}), and deploy.",
                    others.join(", "),
                    others.first().map_or("", String::as_str),
                ),
                (0, _) => "Nothing is sealed at all. The keys behind the first can be removed.".to_owned(),
                (left, _) => format!(
                    "Keys that only open still sealed {}. `mfa-admin reseal` seals authenticators \
                     again. Sessions end by themselves (MFA_SESSION_LIFETIME). Then run this again.",
                    counted(left, "item")
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_a_rotation_has_its_next_step() {
        let keys = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (deployed, sealed, expected) in [
            (&["k1"][..], &[("k1", 5)][..], "add a new one behind it (MFA_SEALING_KEYS=k1:…"),
            (&["k1", "k2"], &[("k1", 5)], "let it seal (MFA_SEALING_KEY=k2)"),
            (&["k2", "k1"], &[("k1", 5)], "only open still sealed 5 items"),
            (&["k2", "k1"], &[("k1", 1), ("k2", 4)], "only open still sealed 1 item."),
            (&["k2", "k1"], &[("k2", 5)], "If that is the old key, remove it"),
            (&["k2"], &[("k1", 5)], "sealed with k1, which is not deployed"),
            (&["k2", "k1"], &[], "Nothing is sealed at all"),
            (&[], &[], "No sealing key"),
        ] {
            let step = next_step(&keys(deployed), &sealed.iter().copied().collect());
            assert!(step.contains(expected), "{deployed:?} {sealed:?}: {step}");
        }
    }
}
