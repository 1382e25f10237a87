/**
 * The environment of the processes that are timed. Certificates of a company's own, which NODE_EXTRA_CA_CERTS names, are read
 * by every Node at its start, whatever it runs: on a machine that sets it they cost more than the machine's own start.
 */
export const environment = { ...process.env };
delete environment.NODE_EXTRA_CA_CERTS;
