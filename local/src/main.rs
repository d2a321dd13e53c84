//! `cargo run`: the whole bundle on this machine.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use axum::http::{HeaderValue, Method};
use clap::{Parser, Subcommand};
use mfa::{
    App,
    config::{Config, Part},
    http::{ErrorCode, LogLine},
};
use mfa_local::{
    LocalTable, LoginShape, Server, Services, StartServices, check_settings::check_settings, clock::LocalClock,
    environment, explain::explain, router, stream::Stream, user_key::user_key,
};
use tokio::net::TcpListener;

/// Multi-factor authentication on one machine: every function behind one port, with an embedded
/// `DynamoDB` and an inbox for the codes that are sent. Listens on loopback only.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Port to serve at; 0 picks a free one [default: 9000; with --services-only 9001, because
    /// `cargo lambda watch` takes 9000].
    #[arg(long)]
    port: Option<u16>,
    /// Keep the table in this file instead of in memory.
    #[arg(long, value_name = "FILE", conflicts_with = "dynamodb")]
    data: Option<PathBuf>,
    /// Use the `DynamoDB` at this address instead of the embedded one.
    #[arg(long, value_name = "URL")]
    dynamodb: Option<String>,
    /// Send e-mail to the SES at this address instead of the inbox.
    #[arg(long, value_name = "URL")]
    ses: Option<String>,
    /// Send text messages to the SNS at this address instead of the inbox.
    #[arg(long, value_name = "URL")]
    sns: Option<String>,
    /// With `--set MFA_SMS_SERVICE=end-user-messaging`, send text messages to the End User Messaging at
    /// this address instead of the inbox.
    #[arg(long, value_name = "URL")]
    end_user_messaging: Option<String>,
    /// Stand behind a login of this provider: its tokens are signed by a key of development and
    /// checked as `MFA_LOGIN` says (docs/logins).
    #[arg(long, value_name = "PROVIDER", value_parser = provider, conflicts_with = "jwt_secret")]
    login: Option<LoginShape>,
    /// The HS256 secret of login tokens, at least 32 bytes.
    #[arg(long, value_name = "SECRET")]
    jwt_secret: Option<String>,
    /// Let pages of this origin call the API.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Option<HeaderValue>,
    /// Set a variable, such as `MFA_REQUIRED=true`; docs/configuration.md lists them all. May be
    /// given more than once.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    settings: Vec<(String, String)>,
    /// Start only `DynamoDB`, the inbox and the console's own routes, and write the environment for
    /// functions that run elsewhere to --env-file.
    #[arg(long)]
    services_only: bool,
    /// File that --services-only writes the environment to, for `cargo lambda watch --env-file`; if
    /// its name ends in `.json`, for `sam local invoke --env-vars`.
    #[arg(long, value_name = "FILE", default_value = "local.env")]
    env_file: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Say what the settings of a login read in a token: accepted or why not, the user, the login,
    /// the addresses. Reads the token from standard input, and sends it nowhere. Without settings,
    /// it names the provider and the lines to set.
    ExplainToken {
        /// A setting of the login, such as `MFA_LOGIN=cognito`. May be given more than once.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
        settings: Vec<(String, String)>,
    },
    /// Say what is wrong with the variables of a stack, before it is deployed. Reads a JSON object of
    /// variables and their values from standard input. Secrets may be missing.
    CheckSettings,
    /// Print the key that table and log have for a user of the application. Reads the hash key, or
    /// the JSON of the secret that holds it, from standard input, and sends it nowhere.
    UserKey {
        /// The user's id in the application's tokens.
        #[arg(long, value_name = "ID")]
        user: String,
        /// With several logins, the space of the login's users (`users` in `MFA_LOGINS`, by default
        /// the login's name).
        #[arg(long, value_name = "SPACE", default_value = "")]
        users: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options::parse();
    let outcome = match options.command.take() {
        Some(Command::ExplainToken { settings }) => explain_token(&settings.into_iter().collect()),
        Some(Command::CheckSettings) => read_input().and_then(|variables| check_settings(&variables)),
        Some(Command::UserKey { user, users }) => print_user_key(&user, &users),
        None => run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // If standard error is closed, nobody is left to tell.
            let _ = writeln!(std::io::stderr(), "mfa-local: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    // The port is bound first: if it is taken, no file or table must have been made.
    let listener = listen(options.port.unwrap_or(if options.services_only { 9001 } else { 9000 })).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;

    let clock = LocalClock::wall();
    let wanted = StartServices {
        data: options.data.clone(),
        dynamodb: options.dynamodb.clone(),
        ses: options.ses.clone(),
        sns: options.sns.clone(),
        end_user_messaging: options.end_user_messaging.clone(),
        watch: !options.services_only,
    };
    let services = Services::start(wanted, &clock).await.map_err(|error| error.to_string())?;
    let variables = variables(&options, &services)?;
    let config = Config::from_vars(&Part::ALL, &variables).map_err(|faults| faults.to_string())?;
    let table_name = config.table.clone();
    let table = LocalTable::new(&services.endpoints.dynamodb, &config.table);
    table.create(options.dynamodb.is_some()).await?;
    if options.services_only {
        write_env_file(&options.env_file, &variables)?;
    }

    let login = options.login.clone().zip(config.jwt.logins.first().cloned());
    let app = (!options.services_only).then(|| App::new(config, clock.for_app()));
    let jwt_secret = variables.get("MFA_JWT_SECRET").cloned().unwrap_or_default();
    let stream = match services.writes {
        Some(writes) => Stream::Watched(writes),
        None => Stream::of(&services.endpoints.dynamodb, &table_name),
    };
    let app = router(Server {
        app,
        stream,
        inbox: services.inbox,
        table,
        clock,
        clock_is_adjustable: options.data.is_none() && !options.services_only,
        table_is_scratch: options.data.is_none() && options.dynamodb.is_none() && !options.services_only,
        jwt_secret,
        login,
        allow_origin: options.allow_origin.clone(),
        log: print_request,
    });
    print(&if options.services_only { services_text(address, &options) } else { welcome_text(address) });
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await
        .map_err(|error| error.to_string())
}

fn explain_token(settings: &BTreeMap<String, String>) -> Result<(), String> {
    print(&explain(&read_input()?, settings, LocalClock::wall().now())?);
    Ok(())
}

fn print_user_key(user: &str, users: &str) -> Result<(), String> {
    print(&format!("{}\n", user_key(&read_input()?, users, user)?));
    Ok(())
}

fn read_input() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| format!("cannot read standard input: {error}"))?;
    Ok(text)
}

async fn listen(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            format!("port {port} is taken. Choose another with --port, or let --port 0 pick a free one")
        }
        _ => format!("cannot listen on 127.0.0.1:{port}: {error}"),
    })
}

fn variables(options: &Options, services: &Services) -> Result<BTreeMap<String, String>, String> {
    let defaults = environment::variables(&services.endpoints).into_iter();
    let mut variables: BTreeMap<_, _> = defaults.map(|(name, value)| (name.to_owned(), value)).collect();
    if let Some(secret) = &options.jwt_secret {
        variables.insert("MFA_JWT_SECRET".to_owned(), secret.clone());
    }
    if let Some(login) = &options.login {
        variables.extend(login.variables()?);
    }
    variables.extend(options.settings.iter().cloned());
    Ok(variables)
}

fn provider(name: &str) -> Result<LoginShape, String> {
    LoginShape::named(name)
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn write_env_file(path: &Path, variables: &BTreeMap<String, String>) -> Result<(), String> {
    let text = if is_for_sam(path) { environment::sam_file(variables) } else { environment::env_file(variables) };
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn is_for_sam(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn welcome_text(address: SocketAddr) -> String {
    format!(
        "Serving the MFA bundle at http://{address}  (Ctrl-C stops)\n\n\
         \x20 console  http://{address}/\n\
         \x20 inbox    http://{address}/__local/inbox\n\
         \x20 table    http://{address}/__local/table\n\n\
         {}\n",
        first_call(address)
    )
}

/// A call that works when it is pasted into a shell.
fn first_call(address: SocketAddr) -> String {
    format!(
        "Try it, in another terminal:\n\n\
         TOKEN=$(curl -s http://{address}/__local/token -H 'content-type: application/json' \\\n\
         \x20 -d '{{\"sub\":\"alice\",\"email\":\"alice@example.com\"}}' | cut -d'\"' -f4)\n\
         curl -i http://{address}/auth/mfa/status -H \"authorization: Bearer $TOKEN\"\n"
    )
}

fn services_text(address: SocketAddr, options: &Options) -> String {
    let file = options.env_file.display();
    let next = if is_for_sam(&options.env_file) {
        "sam build && sam local invoke StatusFunction --event events/status.json --docker-network host --env-vars"
    } else {
        "cargo lambda watch --env-file"
    };
    format!(
        "Serving DynamoDB, SES, SNS and End User Messaging for functions that run elsewhere; their addresses are in {file}\n\n\
         \x20 login tokens  http://{address}/__local/token\n\
         \x20 inbox         http://{address}/__local/inbox\n\n\
         Next: {next} {file}\n"
    )
}

/// Prints one readable line for each request.
fn print_request(method: &Method, path: &str, log: &LogLine) {
    let code = log.code.map_or("", ErrorCode::as_str);
    let cause = log.cause.as_deref().map(|cause| format!(" ({cause})")).unwrap_or_default();
    print(&format!("{} {method:<6} {path} {code}{cause} {} ms\n", log.status, log.duration_ms));
}

fn print(text: &str) {
    // A closed standard output must not end the server.
    let _ = std::io::stdout().write_all(text.as_bytes());
}
