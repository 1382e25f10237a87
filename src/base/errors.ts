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

/** What an action yields, or the UserError that it throws. */
export function attempt<T>(action: () => T): T | UserError {
  try {
    return action();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** What is wrong with what an action reads, as a sentence; undefined when it throws no UserError. */
export function faultOf(action: () => unknown): string | undefined {
  const result = attempt(action);
  return result instanceof UserError ? result.message : undefined;
}
