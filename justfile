# The steps of the project's check, by the names that .ci/run gives them: `just tests lints`.

@_default:
    just --list --unsorted

# The README's test command
tests:
    @bash .ci/run tests

# Rustfmt changes nothing
format:
    @bash .ci/run format

# Clippy has no warning
lints:
    @bash .ci/run lints

# No given-up name comes back, and each mutation still fits the sources
names:
    @bash .ci/run names

# The documentation of the code builds without a warning
rustdoc:
    @bash .ci/run rustdoc

# Oathtool shows the codes of the samples of other systems, and a script writes what is read
import:
    @bash .ci/run import

# Cargo-deny accepts licences, versions and sources of the dependencies
licences:
    @bash .ci/run licences

# SAM, cfn-lint and an OpenAPI validator accept the descriptions; wrong parameters are refused
template:
    @bash .ci/run template

# The documentation as a site: its links lead somewhere, and its commands are run or need AWS
site:
    @bash .ci/run site

# The integration tests pass against AWS's own DynamoDB Local
dynamodb:
    @bash .ci/run dynamodb

# A whole journey by curl, after which no secret is in the table or the output
smoke:
    @bash .ci/run smoke

# The published Nest Auth client works unchanged
client:
    @bash .ci/run client

# The examples run with their clients, and verifiers of others accept our tokens
examples:
    @bash .ci/run examples

# Cfn-lint, CDK and a Terraform parser accept what docs/behind/ and docs/mount/ show
mounting:
    @bash .ci/run mounting

# The server answers made-up calls as docs/openapi.yaml describes
conformance:
    @bash .ci/run conformance

# Scripts/deploy asks, checks, deploys and calls every route, against an AWS of its own
deploy:
    @bash .ci/run deploy

# Codes and events arrive through the SES, SNS and EventBridge of moto, and botocore knows our End User Messaging
emulators:
    @bash .ci/run emulators

# The commands of docs/administer.md print what the page shows
admin:
    @bash .ci/run admin

# Biome changes nothing about the console page, and has no warning
page:
    @bash .ci/run page

# A person gets through the console page in Chromium, and axe-core finds nothing
console:
    @bash .ci/run console

# The JavaScript of docs/passkeys.md registers and uses passkeys in Chromium
passkeys:
    @bash .ci/run passkeys

# The functions run under cargo lambda watch, and answer their sample events
watch:
    @bash .ci/run watch

# The variables that sam local hands over start each function
sam:
    @bash .ci/run sam

# Release builds: what they contain, their size, the glibc that they need
binaries:
    @bash .ci/run binaries

# Release builds: instructions until the first answer
cold-start:
    @bash .ci/run cold-start

# Release build of the local server: memory
memory:
    @bash .ci/run memory

# (not in CI) pictures of every message in each language, for somebody to look at
messages:
    @bash .ci/run messages

# (not in CI) writes target/dist/: an archive for each architecture, with SBOM and licences
release:
    @bash .ci/run release

# (not in CI) the tests find each of the mutations in .ci/mutations.py
mutations:
    @bash .ci/run mutations

# (not in CI) cargo-mutants over the rules and their storage; SHARD=1/8 for a part
mutants:
    @bash .ci/run mutants

# (not in CI) a week of logins of 10,000 users with failures in between: alarms, memory, table
soak:
    @bash .ci/run soak

# (not in CI) each fuzz target for FUZZ_SECONDS, by default 60
fuzz:
    @bash .ci/run fuzz
