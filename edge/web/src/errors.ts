// Errors that a user can act on: one sentence with what was asked, what was found, what to do.
export class FigopError extends Error {
  override name = "FigopError";
}
export class SourceError extends FigopError {
  override name = "SourceError";
}
export class BundleError extends FigopError {
  override name = "BundleError";
}
export class RuntimeUnavailable extends FigopError {
  override name = "RuntimeUnavailable";
}
export class ScoreError extends FigopError {
  override name = "ScoreError";
}
