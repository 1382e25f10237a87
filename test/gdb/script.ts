/** Ends the process with the status that a comparison yields; an error is told and counts as a failure. */
export const endWith = (status: Promise<number>): void => {
  void status.then(
    (code) => process.exit(code),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
};
