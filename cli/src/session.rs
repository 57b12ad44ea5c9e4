//! What the commands that use the API share: the client, Ctrl-C, and the emulator of `--emulator`.

use std::future::{Future, IntoFuture};
use std::time::Duration;

use pipevideo::{Client, Decimal, Error, Polling};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;

use crate::failure::Failure;
use crate::interrupts::{Ended, Interrupts};
use crate::log;
use crate::output::{Output, note};

pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) interrupts: Interrupts,
    pub(crate) output: Output,
    /// It ends with the session.
    _emulator: Option<Emulator>,
}

impl Session {
    pub(crate) async fn open(
        emulator: bool,
        spend_limit: Option<Decimal>,
        output: Output,
    ) -> Result<Self, Failure> {
        // With secrets, waits would rely on webhooks, which this process does not receive.
        let builder = Client::builder()
            .webhook_secrets(std::iter::empty::<String>())
            .spend_limit(spend_limit);
        let builder = match log::subscriber()? {
            Some(subscriber) => builder.log_to(subscriber),
            None => builder,
        };
        let (builder, emulator) = if emulator {
            let emulator = Emulator::start(
                Options::for_tests(json!({})).expect("the options of an emulator have defaults"),
            )
            .await?;
            note(
                "Using an emulator inside this process: nothing is sent to the service, and nothing \
                 is paid.",
            );
            // Its generations take a second.
            let polling = Polling::default()
                .min_interval(Duration::from_millis(100))
                .typical(Duration::from_secs(1));
            let builder = builder
                .base_url(emulator.base_url())
                .api_key(emulator.api_key())
                .redis("")
                .polling(polling);
            (builder, Some(emulator))
        } else {
            (builder, None)
        };
        let (client, interrupts) = (builder.build()?, Interrupts::new()?);
        Ok(Self { client, interrupts, output, _emulator: emulator })
    }

    /// Makes a call that creates nothing. Ctrl-C ends it.
    pub(crate) async fn call<T>(
        &mut self,
        call: impl IntoFuture<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        self.interruptible(call.into_future(), "interrupted.").await
    }

    /// Makes a call that Ctrl-C ends, with this message.
    pub(crate) async fn interruptible<T>(
        &mut self,
        call: impl Future<Output = Result<T, Error>>,
        message: &str,
    ) -> Result<T, Failure> {
        let client = self.client.clone();
        match self.interrupts.guard(call, || client.close()).await {
            Ended::Completed(output) => Ok(output?),
            Ended::Interrupted(_) | Ended::Dropped => Err(Failure::Interrupted(message.to_owned())),
        }
    }
}
