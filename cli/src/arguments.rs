//! The arguments of the command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use pipevideo::Decimal;

/// Generates videos with Pipevideo's API.
///
/// The API key is read from PIPEVIDEO_API_KEY. With --emulator no key is needed, nothing is sent to the
/// service, and nothing is paid.
///
/// Results go to standard output, messages and progress to standard error. The exit code says what
/// kind of error has occurred: 2 invalid arguments, 3 the generation failed, 4 the deadline elapsed,
/// 5 the key was refused, 6 not enough money, 7 it is not known whether a create made a generation,
/// 8 not found, 9 the service refused the request, 10 the service could not be reached, 11 the download
/// failed, 12 a webhook is not authentic, 13 a batch is incomplete, 130 Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "pipevideo", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Write results as JSON, and an error as {"error": …} to standard output too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Use an emulator of the service inside this process, with quick generations
    #[arg(long, global = true)]
    pub(crate) emulator: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a generation, wait for it, and download its video
    Generate(Generate),
    /// Create a generation and print its id at once
    Create(Request),
    /// Wait until a generation has completed
    Wait(Wait),
    /// Print the current state of a generation
    Retrieve {
        /// The id of the generation
        id: String,
    },
    /// Download the video of a generation
    Download {
        /// The id of the generation
        id: String,
        /// The file; an existing one is replaced once the download is complete
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// List the recent requests of the account
    List,
    /// List what a create with an unknown outcome may have made
    Reconcile {
        #[command(flatten)]
        model: Model,
        /// When the create was sent, in Unix seconds
        #[arg(long, value_name = "SECONDS", value_parser = time)]
        sent_at: SystemTime,
    },
    /// List engines, their models and rates
    Engines,
    /// Show the balance and the usage of the account
    Usage,
    /// Estimate what generations will cost
    Estimate {
        #[command(flatten)]
        model: Model,
        /// The engine that renders
        #[arg(long)]
        engine: Option<String>,
        /// The number of generations
        #[arg(long, default_value_t = 1)]
        count: u64,
    },
    /// Generate many videos, in runs that can be continued
    #[command(subcommand)]
    Batch(Batch),
    /// Verify or receive webhooks
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Run an emulator of the service on 127.0.0.1, until Ctrl-C
    Emulator(pipevideo_emulator::Arguments),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    /// The orchestration model, such as moonshotai/kimi-k2.5
    #[arg(short, long, env = "PIPEVIDEO_MODEL")]
    pub(crate) model: Option<String>,
}

/// The arguments of a create.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// The prompt, or - to read it from standard input
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) model: Model,
    /// System-level instructions, apart from the prompt
    #[arg(long)]
    pub(crate) instructions: Option<String>,
    /// The width of the canvas in pixels
    #[arg(long)]
    pub(crate) width: Option<i64>,
    /// The height of the canvas in pixels
    #[arg(long)]
    pub(crate) height: Option<i64>,
    /// The aspect ratio, a hint such as 16:9
    #[arg(long)]
    pub(crate) aspect_ratio: Option<String>,
    /// The providers that may render the video, by preference
    #[arg(long, value_delimiter = ',', value_name = "SLUG,…")]
    pub(crate) provider: Vec<String>,
    /// The engine that renders: hyperframes, lottie or auto
    #[arg(long)]
    pub(crate) engine: Option<String>,
    /// Whether the service may elaborate the prompt
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) expand_prompt: Option<bool>,
    /// An image for the prompt: a file, or an HTTPS URL; may be given several times
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) image: Vec<String>,
    /// A video for the prompt: a file, or an HTTPS URL; may be given several times
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) video: Vec<String>,
    /// Create nothing if even the low estimate of the cost exceeds this
    #[arg(long, value_name = "USD")]
    pub(crate) max_cost_usd: Option<Decimal>,
    /// Create nothing if the key would have spent more than this; what counts is this command, and with
    /// PIPEVIDEO_REDIS_URL all processes of the key
    #[arg(long, value_name = "USD")]
    pub(crate) spend_limit: Option<Decimal>,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) request: Request,
    #[command(flatten)]
    pub(crate) end: End,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// The id of the generation
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) end: End,
}

/// How long to wait for a generation, and what to do then.
#[derive(Debug, Args)]
pub(crate) struct End {
    /// Download the video to this file; an existing one is replaced once the download is complete
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How long to wait [default: 900]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deadline: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Batch {
    /// Run the requests of a CSV or JSON Lines file, or continue an earlier run
    ///
    /// A CSV file has a header row with the arguments of create (model, input, instructions, width,
    /// height, aspect_ratio, provider, engine, expand_prompt, max_cost_usd) and, if wanted, a key, which
    /// names the file of the video. An empty cell stands for an argument that is not given. A JSON
    /// Lines file (.jsonl) has an object with these members on each line.
    ///
    /// Run the same command again to continue after Ctrl-C, a crash or a deadline: the journal has what
    /// was done, and no request is created twice.
    Run(BatchRun),
    /// Write an HTML report about a batch, also while it runs
    Report {
        /// The journal of the batch
        journal: PathBuf,
        /// The file of the report
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BatchRun {
    /// The requests: a file that ends with .csv or .jsonl
    pub(crate) requests: PathBuf,
    /// The file that records the run, by which another run continues it
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: PathBuf,
    /// Download each video to a file in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) download_to: Option<PathBuf>,
    /// How many requests are under way at once [default: 20]
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_in_flight: Option<usize>,
    /// The maximum that all runs with this journal may spend together
    #[arg(long, value_name = "USD")]
    pub(crate) spend_limit: Option<Decimal>,
    /// How long to wait for each generation [default: 900]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) deadline: Option<Duration>,
    #[command(flatten)]
    pub(crate) model: Model,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// Verify one delivery: a body and its headers
    ///
    /// The secrets are read from PIPEVIDEO_WEBHOOK_SECRET, separated by commas.
    Verify {
        /// The file with the body as it was received, or - for standard input
        #[arg(default_value = "-")]
        body: PathBuf,
        /// A header of the delivery, as in 'svix-id: msg_1'; may be given several times
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
        /// A file with the headers, one on each line
        #[arg(long = "headers", value_name = "FILE")]
        headers_file: Option<PathBuf>,
        /// Verify at this time instead of now, in Unix seconds: for a delivery that was recorded
        #[arg(long, value_name = "SECONDS", value_parser = time)]
        at: Option<SystemTime>,
    },
    /// Receive deliveries over HTTP and print the verified ones, until Ctrl-C
    ///
    /// The secrets are read from PIPEVIDEO_WEBHOOK_SECRET, separated by commas.
    Listen {
        /// The port; 0 means a free port
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// The address to listen on
        #[arg(long, default_value = "127.0.0.1")]
        host: IpAddr,
    },
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds, as in 900")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<SystemTime, String> {
    SystemTime::UNIX_EPOCH
        .checked_add(seconds(text)?)
        .ok_or_else(|| "the time is too far in the future".to_owned())
}
