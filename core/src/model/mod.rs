//! The values that the service accepts and returns: lenient when reading, faithful when writing.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod account;
mod candidates;
mod engine;
mod failure;
pub(crate) mod fields;
mod generation;
mod id;
mod input;
mod media;
mod request;
mod response;
pub(crate) mod shown;
mod spend;
mod update;

pub use account::{AccountUsage, DailyRoutes, DailyUsage, RecentRequest, RouteUsage, UsageTotals};
pub use candidates::{Candidate, Candidates};
pub use engine::{Engine, EngineCatalog, EngineModel};
pub(crate) use failure::mentions_credits;
pub use failure::{FailureCategory, GenerationError};
#[cfg(feature = "uniffi")]
pub(crate) use fields::FieldName;
pub use fields::exact as exact_decimal;
pub use generation::{Generation, Status, TokenUsage};
pub(crate) use id::GenerationId;
pub use input::{Detail, ImageUrl, Input, InputItem, InputPart, KnownPart, Role, VideoUrl};
pub use media::Media;
pub use request::{GenerationRequest, ProviderPreference};
pub use response::ApiResponse;
pub use spend::{CostEstimate, EstimateBasis, Spend};
pub use update::{Update, Via};
