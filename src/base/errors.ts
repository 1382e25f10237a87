/**
 * Errors meant for the user: a stable code and one sentence that names the file, key or line and says what to do.
 * Everything else that is thrown is a defect of Hyperstep.
 */
export class UserError extends Error {
  constructor(
    readonly code: string,
    sentence: string,
  ) {
    super(sentence);
    this.name = 'UserError';
  }
}
