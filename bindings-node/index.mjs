// Exports the same objects as `require` does, so that `instanceof` works across both.
import pipevideo from './index.js';

export const {
  Pipevideo,
  Webhook,
  generationSchema,
  image,
  readJournal,
  text,
  video,
  version,
  writeReport,
  PipevideoError,
  // generated: error classes (by `cargo xtask generate`, from conformance/surface.json)
  ConfigurationError,
  InvalidRequestError,
  APIStatusError,
  BadRequestError,
  InsufficientCreditsError,
  AuthenticationError,
  PermissionDeniedError,
  NotFoundError,
  RateLimitError,
  ServerError,
  APIConnectionError,
  APITimeoutError,
  ResponseDecodeError,
  SubmissionUncertainError,
  GenerationFailedError,
  WaitTimeoutError,
  DownloadError,
  WebhookVerificationError,
  SpendLimitError,
  InternalError,
  // end of generated
} = pipevideo;
export default pipevideo.Pipevideo;
