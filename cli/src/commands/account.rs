//! Commands about the account: list, engines, usage, estimate, reconcile.

use std::fmt::Write as _;
use std::time::SystemTime;

use pipevideo::{Decimal, GenerationRequest};
use serde_json::json;

use crate::failure::Failure;
use crate::json;
use crate::output::{ago, cell, table};
use crate::session::Session;

pub(super) async fn list(session: &mut Session) -> Result<(), Failure> {
    let client = session.client.clone();
    let usage = session.call(client.usage().retrieve()).await?;
    let requests = usage.raw.get("recent_requests").cloned().unwrap_or_else(|| json!([]));
    session.output.result(&requests, || {
        let rows: Vec<_> = usage
            .recent_requests
            .iter()
            .map(|request| {
                [
                    request.id.clone(),
                    cell(request.status.as_ref().map(|status| status.as_str())),
                    cell(request.model_name.as_ref()),
                    cell(request.engine.as_ref()),
                    cell(request.cost_cents.map(usd)),
                    cell(request.created_at.map(ago)),
                ]
            })
            .collect();
        table(["ID", "STATUS", "MODEL", "ENGINE", "USD", "CREATED"], &rows)
    })?;
    Ok(())
}

pub(super) async fn engines(session: &mut Session) -> Result<(), Failure> {
    let client = session.client.clone();
    let catalog = session.call(client.engines().list()).await?;
    session.output.result(&catalog, || {
        let rows: Vec<_> = catalog
            .engines
            .iter()
            .flat_map(|engine| {
                engine.models.iter().map(|model| {
                    [
                        engine.id.clone(),
                        model.id.clone(),
                        cell(model.input_per_million_usd),
                        cell(model.output_per_million_usd),
                    ]
                })
            })
            .collect();
        table(["ENGINE", "MODEL", "USD/M INPUT", "USD/M OUTPUT"], &rows)
    })?;
    Ok(())
}

pub(super) async fn usage(session: &mut Session) -> Result<(), Failure> {
    let client = session.client.clone();
    let usage = session.call(client.usage().retrieve()).await?;
    session.output.result(&usage, || {
        let totals = &usage.totals;
        let mut text = format!("balance    {} USD\n", cell(usage.credit_balance.map(usd)));
        let _ = writeln!(text, "spent      {} USD", cell(totals.total_cost_cents.map(usd)));
        let _ = writeln!(text, "requests   {}", cell(totals.total_requests));
        let _ = writeln!(text, "completed  {}", cell(totals.completed_requests));
        let _ = writeln!(text, "failed     {}", cell(totals.failed_requests));
        if !usage.daily_usage.is_empty() {
            let rows: Vec<_> = usage
                .daily_usage
                .iter()
                .map(|day| {
                    [
                        day.date.clone(),
                        cell(day.request_count),
                        cell(day.completed_count),
                        cell(day.failed_count),
                        cell(day.total_cost_cents.map(usd)),
                    ]
                })
                .collect();
            text.push('\n');
            text += &table(["DAY", "REQUESTS", "COMPLETED", "FAILED", "USD"], &rows);
        }
        text
    })?;
    Ok(())
}

pub(super) async fn estimate(
    session: &mut Session,
    request: GenerationRequest,
    count: u64,
) -> Result<(), Failure> {
    let client = session.client.clone();
    let estimate = session.call(client.estimate(request).count(count)).await?;
    session.output.result(&json::estimate(&estimate), || match estimate.cost_usd {
        Some(cost) => format!(
            "about {cost} USD, probably from {} to {}",
            cell(estimate.low),
            cell(estimate.high)
        ),
        None => "not known: the account has made nothing like it yet".to_owned(),
    })?;
    Ok(())
}

pub(super) async fn reconcile(
    session: &mut Session,
    model: &str,
    sent_at: SystemTime,
) -> Result<(), Failure> {
    let client = session.client.clone();
    let found = session.call(client.responses().reconcile_since(model, sent_at)).await?;
    session.output.result(&json::candidates(&found), || {
        let rows: Vec<_> = found
            .iter()
            .map(|candidate| {
                [
                    candidate.id.clone(),
                    cell(candidate.status.as_ref().map(|status| status.as_str())),
                    cell(candidate.model_name.as_ref()),
                    cell(candidate.same_model),
                    cell(candidate.seconds_after_create.map(|seconds| format!("{seconds:+.1} s"))),
                ]
            })
            .collect();
        if rows.is_empty() && found.covers_create {
            return "nothing: wait a little and look again before you create another".to_owned();
        }
        let mut text = table(["ID", "STATUS", "MODEL", "SAME MODEL", "AFTER CREATE"], &rows);
        if !found.covers_create {
            text += "The service's list may not reach back to the create: there may be others.\n";
        }
        text
    })?;
    Ok(())
}

/// Cents as dollars.
fn usd(cents: Decimal) -> Decimal {
    (cents / Decimal::ONE_HUNDRED).normalize()
}
